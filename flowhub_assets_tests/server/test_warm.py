"""Requests that the server answers itself: which they are, what is answered, and that the run stands in Dagster."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.server import warm
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.recording import record_answered
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import answers, submissions
from flowhub_assets.store.submissions import ANSWERED, RECORDED, Submission
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.server.backends import backend_over

SHIPPED = ROOT / "flowhub_assets" / "pipelines" / "webhook_reply"
ORDER = {"headers": {}, "body": {"order": "A-1", "customer": "김하나", "total": 42_000}}


def kept(backend: Backend, pipeline: str, **asked: Any) -> Submission:
    request = StartRequest(pipeline, door="webhook", **asked)
    submission = backend.runs.submission(backend.catalogue.get(pipeline), request)
    submission = answers.to_be_answered(submission)
    assert backend.runs.accept(submission, request) == (None, [])
    return submission


def state(backend: Backend, run_id: str) -> str:
    with backend.database.begin() as connection:
        found = submissions.find(connection, run_id)
    assert found is not None
    return found.state


def test_a_webhook_is_answered_and_its_run_stands_in_dagster(tmp_path: Path) -> None:
    with backend_over(SHIPPED, tmp_path) as backend:
        submission = kept(backend, "webhook-reply", trigger=ORDER)
        assert warm.can_answer(backend.catalogue.get("webhook-reply"))
        reply = warm.answer(backend, submission)
        assert (reply.status, reply.is_final) == (200, True)
        assert json.loads(reply.body)["shipping"] == 3000
        assert reply.headers["Cache-Control"] == "no-store"
        assert state(backend, submission.run_id) == ANSWERED
        assert backend.instance.get_run_by_id(submission.run_id) is None
        assert record_answered(backend) == (1, [])
        assert state(backend, submission.run_id) == RECORDED
        run = backend.instance.get_run_by_id(submission.run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS
