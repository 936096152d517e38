"""The one function behind every door: what it refuses, keeps, launches, and what survives when it dies in between."""

from __future__ import annotations

import threading
import time
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import Conflict, NotFound, ParamsRefused, Unavailable
from flowhub_assets.executor import dagster_runs
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.launching import Launcher
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import submissions
from flowhub_assets_tests.server.backends import GREET, backend_over


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pipelines")
    (found / "greet.yaml").write_text(GREET)
    return found


@pytest.fixture(scope="module")
def backend(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


def run_of(backend: Backend, run_id: str) -> dg.DagsterRun:
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    return run


def state_of(backend: Backend, run_id: str) -> str:
    with backend.database.read() as connection:
        found = submissions.find(connection, run_id)
    assert found is not None
    return found.state


def test_a_run_waits_in_dagsters_queue_once_it_is_answered(backend: Backend) -> None:
    started = backend.runs.start(
        StartRequest("greet", {"city": "Busan"}, queue="night", priority=7, door="http", caller="shop")
    )
    run = run_of(backend, started.run_id)
    assert run.status is dg.DagsterRunStatus.QUEUED
    assert run.job_name == "greet"
    assert run.run_config == {"resources": {"params": {"config": {"city": "Busan"}}}}
    told = {key: run.tags[key] for key in ("flowhub/queue", "dagster/priority", "flowhub/door", "flowhub/by")}
    assert told == {
        "flowhub/queue": "night",
        "dagster/priority": "7",
        "flowhub/door": "http",
        "flowhub/by": "shop",
    }
    assert run.tags[".dagster/repository"] == "__repository__@flowhub_assets"
    assert state_of(backend, started.run_id) == submissions.LAUNCHED


@pytest.mark.parametrize(
    ("request_", "kind", "fields"),
    [
        (StartRequest("gret"), NotFound, None),
        (StartRequest("greet", {"town": "Busan"}), ParamsRefused, ["town"]),
        (StartRequest("greet", {"city": 3, "times": 0}), ParamsRefused, ["city", "times"]),
        (StartRequest("greet", profile="production"), ParamsRefused, ["env"]),
    ],
)
def test_what_cannot_run_is_refused_before_a_run_exists(
    backend: Backend, request_: StartRequest, kind: type[Exception], fields: list[str] | None
) -> None:
    before = backend.instance.get_runs_count()
    with pytest.raises(kind) as refused:
        backend.runs.start(request_)
    if isinstance(refused.value, ParamsRefused):
        assert [field for field, _, _ in refused.value.fields] == fields
    assert backend.instance.get_runs_count() == before


def test_a_key_answers_with_its_run(backend: Backend) -> None:
    first = backend.runs.start(StartRequest("greet", {"city": "Jeju"}, key="order-1"))
    again = backend.runs.start(StartRequest("greet", {"city": "Jeju"}, key="order-1"))
    assert (first.is_new, again.is_new, again.run_id) == (True, False, first.run_id)
    assert "order-1" in again.reason
    with pytest.raises(Conflict, match=first.run_id):
        backend.runs.start(StartRequest("greet", {"city": "Ulsan"}, key="order-1"))
    forced = backend.runs.start(StartRequest("greet", {"city": "Ulsan"}, key="order-1", force=True))
    assert forced.is_new
    assert backend.runs.start(StartRequest("greet", {"city": "Ulsan"}, key="order-1")).run_id == forced.run_id


def test_a_key_whose_lifetime_is_over_starts_anew(backend: Backend) -> None:
    first = backend.runs.start(StartRequest("greet", key="short", key_lifetime=1e-9))
    assert backend.runs.start(StartRequest("greet", key="short")).run_id != first.run_id


def test_many_at_once_with_one_key_start_one_run(backend: Backend) -> None:
    together = threading.Barrier(8)

    def start(_: int) -> Any:
        together.wait(30)
        return backend.runs.start(StartRequest("greet", {"city": "Daegu"}, key="storm"))

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(start, range(8)))
    assert len({answer.run_id for answer in answers}) == 1
    assert sum(answer.is_new for answer in answers) == 1


def test_what_was_accepted_and_not_launched_is_launched_by_the_next_process(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def dies(*_: object) -> None:
        raise Killed

    with backend_over(folder, tmp_path) as backend:
        monkeypatch.setattr(Launcher, "launch", dies)
        with pytest.raises(Killed):
            backend.runs.start(StartRequest("greet", {"city": "Jeju"}, key="once"))
        monkeypatch.undo()
    with backend_over(folder, tmp_path) as backend:
        assert backend.runs.launch_due(all_accepted=True) == []
        (run,) = backend.instance.get_runs()
        assert run.status is dg.DagsterRunStatus.QUEUED
        answer = backend.runs.start(StartRequest("greet", {"city": "Jeju"}, key="once"))
        assert (answer.run_id, answer.is_new) == (run.run_id, False)
        assert backend.runs.launch_due(all_accepted=True) == []
        assert backend.instance.get_runs_count() == 1


def test_a_run_that_was_made_and_not_queued_is_queued_by_the_next_process(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def dies(*_: object) -> None:
        raise KeyboardInterrupt

    with backend_over(folder, tmp_path) as backend:
        monkeypatch.setattr("flowhub_assets.server.launching.enqueue", dies)
        with pytest.raises(KeyboardInterrupt):
            backend.runs.start(StartRequest("greet"))
        assert [run.status.value for run in backend.instance.get_runs()] == ["NOT_STARTED"]
        monkeypatch.setattr("flowhub_assets.server.launching.enqueue", dagster_runs.enqueue)
        backend.runs.launch_due(all_accepted=True)
        assert [run.status.value for run in backend.instance.get_runs()] == ["QUEUED"]


def test_dagster_away_is_no_refusal_of_what_is_kept(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object, **__: object) -> None:
        raise ConnectionError("Dagster's storage is away")

    with backend_over(folder, tmp_path) as backend:
        monkeypatch.setattr("flowhub_assets.server.launching.create_run", away)
        started = backend.runs.start(StartRequest("greet"))
        assert state_of(backend, started.run_id) == submissions.ACCEPTED
        (told,) = backend.runs.launch_due(all_accepted=True)
        assert started.run_id in told
        assert "Dagster's storage is away" in told
        monkeypatch.undo()
        # Some seconds lie between two tries.
        backend.runs._clock = lambda: time.time() + submissions.LONGEST_PAUSE
        backend.runs.launch_due(all_accepted=True)
        assert run_of(backend, started.run_id).status is dg.DagsterRunStatus.QUEUED


def test_the_database_away_refuses_and_keeps_nothing(folder: Path, tmp_path: Path) -> None:
    with backend_over(folder, tmp_path) as backend:
        backend.database.close()
        (tmp_path / "home" / "flowhub.db").rename(tmp_path / "away")
        (tmp_path / "home" / "flowhub.db").mkdir()
        with pytest.raises(Unavailable, match="does not answer"):
            backend.runs.start(StartRequest("greet"))
        assert backend.instance.get_runs_count() == 0


def test_the_pipeline_gone_is_told_where_its_run_would_be(folder: Path, tmp_path: Path) -> None:
    pipelines = tmp_path / "pipelines"
    pipelines.mkdir()
    (pipelines / "greet.yaml").write_text(GREET)
    with backend_over(pipelines, tmp_path) as backend:
        started = backend.runs.start(StartRequest("greet", delay=1e-6))
        (pipelines / "greet.yaml").unlink()
    with backend_over(pipelines, tmp_path) as backend:
        (told,) = backend.runs.launch_due()
        assert "no pipeline 'greet'" in told
        assert state_of(backend, started.run_id) == submissions.FAILED


def test_a_delayed_run_is_launched_when_it_is_due(folder: Path, tmp_path: Path) -> None:
    with backend_over(folder, tmp_path) as backend:
        later = backend.runs.start(StartRequest("greet", delay=3_600))
        due = backend.runs.start(StartRequest("greet", delay=1e-6))
        assert state_of(backend, later.run_id) == submissions.DELAYED
        backend.runs.launch_due()
        assert [run.run_id for run in backend.instance.get_runs()] == [due.run_id]


def test_the_latest_of_a_key_drops_those_that_wait(folder: Path, tmp_path: Path) -> None:
    with backend_over(folder, tmp_path) as backend:
        delayed = backend.runs.start(StartRequest("greet", delay=3_600, latest_of="page-1"))
        waiting = backend.runs.start(StartRequest("greet", latest_of="page-1"))
        other = backend.runs.start(StartRequest("greet", latest_of="page-2"))
        newest = backend.runs.start(StartRequest("greet", latest_of="page-1"))
        assert state_of(backend, delayed.run_id) == submissions.SUPERSEDED
        assert run_of(backend, waiting.run_id).status is dg.DagsterRunStatus.CANCELED
        for started in (other, newest):
            assert run_of(backend, started.run_id).status is dg.DagsterRunStatus.QUEUED


@pytest.mark.parametrize("jump", [-7_200.0, -30.0, 30.0, 7_200.0])
def test_a_clock_that_jumps_keeps_no_accepted_run_from_its_launch(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, jump: float
) -> None:
    now = 1_000_000.0

    def away(*_: object) -> None:
        raise ConnectionError

    with backend_over(folder, tmp_path) as backend:
        backend.runs._clock = lambda: now
        monkeypatch.setattr(Launcher, "launch", away)
        started = backend.runs.start(StartRequest("greet", key="k"))
        monkeypatch.undo()
        now += jump
        assert backend.runs.start(StartRequest("greet", key="k")).run_id == started.run_id
        # Within what a pause between two tries may be at most.
        for _ in range(2):
            backend.runs.launch_due()
            now += submissions.LONGEST_PAUSE
        assert run_of(backend, started.run_id).status is dg.DagsterRunStatus.QUEUED
        assert backend.instance.get_runs_count() == 1


def test_many_that_cannot_be_launched_keep_no_other_from_it(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    launch = Launcher.launch

    def some(self: Launcher, submission: submissions.Submission) -> None:
        if submission.order.params["city"] == "nowhere":
            raise ConnectionError("away")
        launch(self, submission)

    with backend_over(folder, tmp_path) as backend:
        monkeypatch.setattr(Launcher, "launch", some)
        monkeypatch.setattr(submissions.due, "__defaults__", (3,))  # it looks at a few at a time
        for _ in range(4):
            backend.runs.start(StartRequest("greet", {"city": "nowhere"}, delay=1e-6))
        other = backend.runs.start(StartRequest("greet", {"city": "Jeju"}, delay=1e-6))
        for _ in range(2):
            backend.runs.launch_due()
        assert run_of(backend, other.run_id).status is dg.DagsterRunStatus.QUEUED


KEYS = st.sampled_from(["a", "b", None])
ORDERS = st.builds(StartRequest, st.just("greet"), st.fixed_dictionaries({"times": st.integers(1, 2)}), key=KEYS)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(orders=st.lists(ORDERS, min_size=1, max_size=6))
def test_any_requests_start_one_run_for_each_key_and_order(backend: Backend, orders: list[StartRequest]) -> None:
    example = uuid.uuid4().hex
    by_key: dict[str, tuple[Any, str]] = {}
    before, new = backend.instance.get_runs_count(), 0
    for order in orders:
        if order.key is not None:
            order = replace(order, key=f"{example}-{order.key}")
        if order.key in by_key and by_key[order.key][0] != order.params:
            with pytest.raises(Conflict):
                backend.runs.start(order)
            continue
        started = backend.runs.start(order)
        new += started.is_new
        if order.key is not None:
            assert started.run_id == by_key.setdefault(order.key, (order.params, started.run_id))[1]
    assert backend.instance.get_runs_count() == before + new
