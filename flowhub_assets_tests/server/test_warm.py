"""Requests that the server answers itself: which they are, and what is answered, however it goes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.server import warm
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.recording import record_answered
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import answers, submissions
from flowhub_assets.store.submissions import ANSWERED, RECORDED, Submission
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.warm_shapes import SHAPES, WarmShape

SHIPPED = ROOT / "flowhub_assets" / "pipelines" / "webhook_reply"
ORDER = {"headers": {}, "body": {"order": "A-1", "customer": "김하나", "total": 42_000}}

KIND = """\
from flowhub.nodes import Node, NodeInput, NodeOutput, registry

@registry.register
class Mine(Node):
    '''A user's own.'''
    name = "mine-for-warm"
    class Input(NodeInput):
        pass
    class Output(NodeOutput):
        pass
    async def execute(self, input: Input) -> Output:
        return self.Output()
"""
ANSWER = "  - {id: answer, type: http-response, inputs: {body: yes}}\nedges: [{from: one, to: answer}]\n"
#: What a pipeline must not have to be answered here.
NOT_HERE = {
    "a user's Python": "nodes:\n  - {id: one, type: python, config: {script: 'result = 1'}}\n" + ANSWER,
    "a user's kind": "nodes:\n  - {id: one, type: mine-for-warm}\n" + ANSWER,
    "a pod": "nodes:\n  - {id: one, type: log, runOn: cpu, inputs: {message: hi}}\n" + ANSWER,
    "a pool": "nodes:\n  - {id: one, type: log, pool: db, inputs: {message: hi}}\n" + ANSWER,
    "a limit": "concurrency: 1\nnodes:\n  - {id: one, type: log, inputs: {message: hi}}\n" + ANSWER,
    "no answer": "nodes:\n  - {id: one, type: log, inputs: {message: hi}}\n",
    "an answer that is not the end": "nodes:\n  - {id: one, type: http-response}\n"
    "  - {id: two, type: log, inputs: {message: hi}}\nedges: [{from: one, to: two}]\n",
    "Python in a loop": "nodes:\n  - id: one\n    type: loop\n    config: {items: [1]}\n    nodes:\n"
    "      - {id: in, type: python, config: {script: 'result = 1'}}\n" + ANSWER,
}


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


def shape(name: str) -> WarmShape:
    return next(one for one in SHAPES if one.name.startswith(name))


def test_a_webhook_is_answered_and_its_run_stands_in_dagster(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
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
        assert record_answered(backend) == (0, [])


def test_what_is_not_answered_here(tmp_path: Path) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "kind.py").write_text(KIND)
    for number, text in enumerate(NOT_HERE.values()):
        head = f"apiVersion: flume/v1\nkind: Pipeline\nmetadata: {{name: not-here-{number}}}\n"
        (folder / f"{number}.yaml").write_text(head + text)
    with backend_over(folder, tmp_path) as backend:
        entries = backend.catalogue.all()
        assert backend.catalogue.invalid() == []
        assert [warm.can_answer(entry) for entry in entries] == [False] * len(NOT_HERE)


def test_a_failure_is_told_without_what_is_inside(tmp_path: Path) -> None:
    failing = shape("a failure after")
    failing.write(tmp_path / "pipelines")
    with backend_over(tmp_path / "pipelines", tmp_path, executor=hybrid_executor) as backend:
        submission = kept(backend, "shape", trigger={"body": {"n": 7}})
        reply = warm.answer(backend, submission)
        problem = json.loads(reply.body)
        assert (reply.status, problem["status"], problem["run_id"]) == (502, 502, submission.run_id)
        assert reply.headers["Content-Type"] == "application/problem+json"
        assert problem["url"] == f"http://dagster.test/runs/{submission.run_id}"
        assert "not today" not in reply.body.decode()
        assert record_answered(backend) == (1, [])
        run = backend.instance.get_run_by_id(submission.run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.FAILURE
        log = backend.instance.all_logs(submission.run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
        assert "not today" in str(log[0].get_dagster_event().step_failure_data.error)


def test_what_is_kept_with_the_record_is_kept_with_it_or_not_at_all(tmp_path: Path) -> None:
    shape("fused").write(tmp_path / "pipelines")
    with backend_over(tmp_path / "pipelines", tmp_path, executor=hybrid_executor) as backend:
        seen: list[int] = []
        submission = kept(backend, "shape", trigger={"body": {"n": 7}})
        warm.answer(backend, submission, lambda _, reply: seen.append(reply.status))
        assert seen == [200]
        # Somebody launched it meanwhile: the answer of this process counts no longer, and its run is Dagster's.
        submission = kept(backend, "shape", trigger={"body": {"n": 7}})
        backend.runs.hand_over(submission)
        reply = warm.answer(backend, submission, lambda _, reply: seen.append(reply.status))
        assert (reply.status, seen) == (202, [200])
        assert record_answered(backend)[0] == 1
