"""A run that the server carried out itself stands in Dagster as one that Dagster carried out."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.execution.api import execute_run_iterator

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.server import warm
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.recording import record_answered
from flowhub_assets.store import answers
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.test_warm import kept
from flowhub_assets_tests.server.warm_shapes import SHAPES, WarmShape

TRIGGER = {"headers": {}, "body": {"n": 7}}
_VARIES = re.compile(
    r"\d+(\.\d+)?(e-\d+)?(ms|s)\b|pid: \d+|[0-9a-f]{8}-[0-9a-f-]{27}|Process for run exited.*|line \d+"
)


def told(instance: dg.DagsterInstance, run_id: str) -> dict[str | None, list[tuple[Any, ...]]]:
    """What a run's log says, step by step: beside each other, steps tell in any order."""
    steps: dict[str | None, list[tuple[Any, ...]]] = defaultdict(list)
    for entry in instance.all_logs(run_id):
        event = entry.dagster_event
        kind = event.event_type_value if event is not None else "LOG"
        metadata = sorted(getattr(event and event.event_specific_data, "metadata", None) or {})
        steps[entry.step_key].append((kind, entry.level, _VARIES.sub("…", entry.message), tuple(metadata)))
    return steps


def begin_and_end(instance: dg.DagsterInstance, run_id: str) -> list[float]:
    ends = (dg.DagsterEventType.RUN_START, dg.DagsterEventType.RUN_SUCCESS, dg.DagsterEventType.RUN_FAILURE)
    return [entry.timestamp for entry in instance.all_logs(run_id, of_type=set(ends))]


def by_dagster(backend: Backend, **asked: Any) -> str:
    """A run of the same job by Dagster's own loop over its own storage."""
    submission = kept(backend, "shape", **asked)
    with backend.database.begin() as connection:
        answers.release(connection, [submission.run_id], submission.accepted)
    assert backend.launcher.create(submission)
    run = backend.instance.get_run_by_id(submission.run_id)
    assert run is not None
    for _ in execute_run_iterator(InMemoryJob(backend.catalogue.get("shape").flow.job), run, backend.instance):
        pass
    return submission.run_id


def by_server(backend: Backend, **asked: Any) -> tuple[str, warm.Reply]:
    submission = kept(backend, "shape", **asked)
    reply = warm.answer(backend, submission)
    assert record_answered(backend) == (1, [])
    return submission.run_id, reply


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.name)
def test_the_run_is_the_same_as_by_dagster(shape: WarmShape, tmp_path: Path) -> None:
    shape.write(tmp_path / "pipelines")
    with backend_over(tmp_path / "pipelines", tmp_path, executor=hybrid_executor) as backend:
        assert warm.can_answer(backend.catalogue.get("shape"))
        theirs = by_dagster(backend, trigger=TRIGGER)
        ours, reply = by_server(backend, trigger=TRIGGER)
        assert reply.status == shape.status
        if shape.answer is not None:
            text = reply.body.decode()
            assert (text if isinstance(shape.answer, str) else json.loads(text)) == shape.answer
        one, other = (backend.instance.get_run_record_by_id(run_id) for run_id in (ours, theirs))
        assert one is not None
        assert other is not None
        assert told(backend.instance, ours) == told(backend.instance, theirs)
        assert one.dagster_run.status is other.dagster_run.status
        assert one.dagster_run.run_config == other.dagster_run.run_config
        assert one.dagster_run.tags == other.dagster_run.tags
        assert one.dagster_run.execution_plan_snapshot_id == other.dagster_run.execution_plan_snapshot_id
        assert [one.start_time, one.end_time] == pytest.approx(begin_and_end(backend.instance, ours), abs=1e-3)
