"""The bounds of the runs that the server carries out itself: too slow, too many, the database away."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.errors import Unavailable
from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.server import warm
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.recording import record_answered, recording_in_background
from flowhub_assets.server.warm_engine import Bounds
from flowhub_assets.store import answers, submissions
from flowhub_assets.store.submissions import ANSWERED, ANSWERING, LAUNCHED, RECORDED
from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.test_warm import kept, state

SLOW = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: slow}
trigger: {type: webhook}
profiles: {default: {WORKSPACE: FOLDER}}
nodes:
  - {id: wait, type: delay, config: {seconds: "{{trigger.body.seconds}}"}}
  - {id: answer, type: http-response, inputs: {body: "done"}}
edges: [{from: wait, to: answer}]
"""


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "slow.yaml").write_text(SLOW.replace("FOLDER", str(tmp_path / "work")))
    with backend_over(folder, tmp_path, executor=hybrid_executor) as backend:
        yield backend


def trigger(seconds: float) -> dict[str, Any]:
    return {"body": {"seconds": seconds}}


def wait_until(holds: Callable[[], bool], what: str) -> None:
    last = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < last, what
        time.sleep(0.02)


def due(backend: Backend, run_id: str) -> float:
    """When its lease is over."""
    with backend.database.read() as connection:
        found = submissions.find(connection, run_id)
    assert found is not None
    return found.due


def test_what_takes_too_long_is_answered_202_and_goes_on(backend: Backend) -> None:
    backend.warm.bounds = Bounds(seconds=0.05)
    submission = kept(backend, "slow", trigger=trigger(5))
    reply = warm.answer(backend, submission)
    assert (reply.status, reply.is_final) == (202, False)
    assert reply.headers["Location"] == f"/api/v1/runs/{submission.run_id}"
    assert state(backend, submission.run_id) == ANSWERING
    wait_until(lambda: state(backend, submission.run_id) == ANSWERED, "its record")
    assert record_answered(backend) == (1, [])
    assert [run.status for run in backend.instance.get_runs()] == [dg.DagsterRunStatus.SUCCESS]


def test_what_finds_no_place_is_launched_in_dagster(backend: Backend) -> None:
    backend.warm.bounds = Bounds(seconds_for_place=0.05)
    for _ in range(backend.warm.bounds.at_once):
        assert backend.warm._places.acquire(blocking=False)
    submission = kept(backend, "slow", trigger=trigger(0))
    assert warm.answer(backend, submission).status == 202
    assert state(backend, submission.run_id) == LAUNCHED
    assert [run.status for run in backend.instance.get_runs()] == [dg.DagsterRunStatus.QUEUED]


def test_many_at_once_are_all_answered_and_recorded_once(backend: Backend) -> None:
    backend.warm.bounds = Bounds(seconds=60, seconds_for_place=60)
    waiting = [kept(backend, "slow", trigger=trigger(0.01)) for _ in range(30)]
    with recording_in_background(backend):
        with ThreadPoolExecutor(30) as threads:
            replies = list(threads.map(lambda one: warm.answer(backend, one), waiting))
        assert [reply.status for reply in replies] == [200] * 30
        wait_until(lambda: all(state(backend, one.run_id) == RECORDED for one in waiting), "all records")
    runs = backend.instance.get_runs()
    assert sorted(run.run_id for run in runs) == sorted(one.run_id for one in waiting)
    assert {run.status for run in runs} == {dg.DagsterRunStatus.SUCCESS}
    for run in runs:
        assert len(backend.instance.all_logs(run.run_id, of_type=dg.DagsterEventType.RUN_SUCCESS)) == 1


def test_a_record_waits_for_the_database(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    keep, away = answers.keep_answer, [True, True]

    def keep_later(*given: Any) -> bool:
        if away.pop() if away else False:
            raise Unavailable("the database does not answer")
        return keep(*given)

    monkeypatch.setattr(answers, "keep_answer", keep_later)
    submission = kept(backend, "slow", trigger=trigger(0))
    assert warm.answer(backend, submission).status == 200
    assert (away, state(backend, submission.run_id)) == ([], ANSWERED)


def test_what_cannot_be_run_here_is_handed_over(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> Any:
        raise RuntimeError("Dagster has changed")

    monkeypatch.setattr(backend.warm._instance, "run", broken)
    submission = kept(backend, "slow", trigger=trigger(0))
    assert warm.answer(backend, submission).status == 202
    assert state(backend, submission.run_id) == LAUNCHED


def test_a_lease_is_renewed_while_the_run_goes_on_and_given_back_at_the_end(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(answers, "LEASE", 9.0)
    backend.warm.bounds = Bounds(seconds=0.01)
    submission = kept(backend, "slow", trigger=trigger(60))
    assert warm.answer(backend, submission).status == 202
    wait_until(lambda: due(backend, submission.run_id) > submission.due, "its lease anew")
    with backend.database.begin() as connection:
        answers.take_back(connection, submission.due)
    assert state(backend, submission.run_id) == ANSWERING
    backend.warm.close()
    assert backend.runs.launch_due(all_accepted=True) == []
    assert state(backend, submission.run_id) == LAUNCHED


def test_no_logger_of_the_process_is_touched(backend: Backend) -> None:
    import logging

    handler = logging.NullHandler()
    logging.getLogger().addHandler(handler)
    try:
        before = list(logging.getLogger().handlers), logging.getLogger("dagster").handlers[:]
        assert warm.answer(backend, kept(backend, "slow", trigger=trigger(0))).status == 200
        assert (list(logging.getLogger().handlers), logging.getLogger("dagster").handlers[:]) == before
        assert handler in [reference() for reference in logging._handlerList]  # type: ignore[attr-defined]
    finally:
        logging.getLogger().removeHandler(handler)
