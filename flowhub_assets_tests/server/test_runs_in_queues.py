"""What the door does with queues and with keys of which the latest wins, in a real instance."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.resources.queues import Queue, Queues
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.launching import Launcher
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import submissions
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.to_dagster.queued_runs import move, run_of

QUEUES = Queues({"priority": Queue("priority", 10, 1), "minority": Queue("minority", -2)}, pools={"db-lock": 1})


@pytest.fixture
def backend(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Backend]:
    pyproject = "[tool.flowhub.queues]\npriority = {priority = 10, limit = 1}\nminority = {priority = -2}\n"
    (tmp_path / "pyproject.toml").write_text(pyproject)
    monkeypatch.chdir(tmp_path)
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "greet.yaml").write_text(GREET)
    (folder / "locked.yaml").write_text(GREET.replace("name: greet", "name: locked") + "queue: priority\npriority: 5\n")
    with backend_over(folder, tmp_path, queues=QUEUES) as backend:
        yield backend


def start(backend: Backend, pipeline: str = "greet", **more: Any) -> str:
    return backend.runs.start(StartRequest(pipeline, **more)).run_id


def state_of(backend: Backend, run_id: str) -> str:
    with backend.database.begin() as connection:
        found = submissions.find(connection, run_id)
    assert found is not None
    return found.state


def queue_tags(backend: Backend, run_id: str) -> dict[str, str]:
    tags = run_of(backend.instance, run_id).tags
    return {key: value for key, value in tags.items() if "queue" in key or "priority" in key}


def test_a_run_waits_in_its_pipelines_queue_unless_another_is_asked_for(backend: Backend) -> None:
    own = {"flowhub/queue": "priority", "flowhub/queue_of_1": "priority", "dagster/priority": "5"}
    assert queue_tags(backend, start(backend, "locked")) == own
    assert queue_tags(backend, start(backend, "locked", priority=7)) == {**own, "dagster/priority": "7"}
    other = {"flowhub/queue": "minority", "dagster/priority": "-2"}
    assert queue_tags(backend, start(backend, "locked", queue="minority")) == other, "and is limited by it no more"
    assert queue_tags(backend, start(backend)) == {}


def test_the_pools_are_there_before_a_first_run(backend: Backend) -> None:
    assert {pool.name: pool.limit for pool in backend.instance.event_log_storage.get_pool_limits()} == {"db-lock": 1}


def test_a_later_run_takes_the_place_of_one_that_waits(backend: Backend) -> None:
    first = start(backend, latest_of="page")
    second = start(backend, latest_of="page")
    dropped = run_of(backend.instance, first)
    assert dropped.status is dg.DagsterRunStatus.CANCELED
    assert dropped.tags["flowhub/superseded_by"] == second
    assert any(f"Run {second} came later" in event.message for event in backend.instance.all_logs(first))
    assert [state_of(backend, one) for one in (first, second)] == ["superseded", "launched"]


def test_a_run_that_has_started_goes_on(backend: Backend) -> None:
    first = start(backend, latest_of="page")
    move(backend.instance, first, "PIPELINE_STARTING", "PIPELINE_START")
    second, third = (start(backend, latest_of="page") for _ in range(2))
    statuses = [run_of(backend.instance, one).status.value for one in (first, second, third)]
    assert statuses == ["STARTED", "CANCELED", "QUEUED"]
    assert [state_of(backend, one) for one in (first, second, third)] == ["launched", "superseded", "launched"]


def test_one_that_is_being_launched_when_a_later_one_comes_does_not_wait_beside_it(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch, later = Launcher.launch, []

    def slowly(self: Launcher, submission: submissions.Submission) -> None:
        monkeypatch.setattr(Launcher, "launch", launch)
        later.append(start(backend, latest_of="page"))
        launch(self, submission)

    monkeypatch.setattr(Launcher, "launch", slowly)
    first = start(backend, latest_of="page")
    assert run_of(backend.instance, first).status is dg.DagsterRunStatus.CANCELED
    assert run_of(backend.instance, later[0]).status is dg.DagsterRunStatus.QUEUED
    assert [state_of(backend, one) for one in (first, later[0])] == ["superseded", "launched"]


def test_many_at_once_leave_one_waiting(backend: Backend) -> None:
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(lambda _: start(backend, latest_of="page"), range(16)))
    waiting = backend.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED]))
    assert len(waiting) == 1
    assert sorted(state_of(backend, one) for one in runs) == ["launched", *["superseded"] * 15]
    assert state_of(backend, waiting[0].run_id) == "launched"


def test_what_could_not_be_dropped_is_when_the_next_one_comes(
    backend: Backend, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError("Dagster's database is away")

    first = start(backend, latest_of="page")
    with monkeypatch.context() as patch:
        patch.setattr(dg.DagsterInstance, "report_run_canceled", away)
        second = start(backend, latest_of="page")
    third = start(backend, latest_of="page")
    statuses = [run_of(backend.instance, one).status.value for one in (first, second, third)]
    assert statuses == ["CANCELED", "CANCELED", "QUEUED"]
