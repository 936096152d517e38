"""Cancel and retry: what waits never begins, what is taken up again does no more than it must, and once."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flowhub_assets.errors import Conflict, NotFound
from flowhub_assets.server.access import Caller
from flowhub_assets.server.run_acts import cancel_run, retry_run
from flowhub_assets.server.run_results import result_of
from flowhub_assets.server.run_views import view_run
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.store import submissions
from flowhub_assets.store.audit import newest
from flowhub_assets_tests.server.run_here import Here, runs_here

ME = Caller("ann", "runner", "10.0.0.1")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with runs_here(tmp_path_factory.mktemp("acts")) as here:
        yield here


@pytest.fixture
def failed(here: Here) -> str:
    (here.base / "mended").unlink(missing_ok=True)
    return here.run("steps", n=3)


def steps(here: Here, run_id: str) -> list[str]:
    return [step.step for step in view_run(here.backend, run_id).steps]


def test_a_run_that_waits_is_cancelled_at_once(here: Here) -> None:
    run_id = here.backend.runs.start(StartRequest("greet")).run_id
    assert cancel_run(here.backend, run_id, ME).status == "CANCELED"
    assert view_run(here.backend, run_id).error == "cancelled by ann"
    with pytest.raises(Conflict, match="so it is over"):
        cancel_run(here.backend, run_id, ME)


def test_a_request_that_is_not_launched_is_cancelled_for_good(here: Here) -> None:
    run_id = here.backend.runs.start(StartRequest("greet", delay=0.01)).run_id
    view = cancel_run(here.backend, run_id, ME)
    assert (view.status, view.error) == ("CANCELED", "cancelled by ann")
    here.backend.runs.launch_due(all_accepted=True)
    assert here.backend.instance.get_run_by_id(run_id) is None
    with pytest.raises(Conflict, match="so it is over"):
        cancel_run(here.backend, run_id, ME)


def test_a_request_that_is_cancelled_while_it_is_launched_does_not_run(here: Here) -> None:
    run_id = here.backend.runs.start(StartRequest("greet", delay=3_600)).run_id
    with here.backend.database.begin() as connection:
        submission = submissions.find(connection, run_id)
    assert submission is not None
    cancel_run(here.backend, run_id, ME)
    here.backend.runs._launch(submission)
    run = here.backend.instance.get_run_by_id(run_id)
    assert run is not None
    assert run.status.value == "CANCELED"


def test_only_a_run_that_is_there_is_cancelled_or_taken_up(here: Here) -> None:
    with pytest.raises(NotFound, match="there is no run 'x'"):
        cancel_run(here.backend, "x", ME)
    with pytest.raises(NotFound, match="there is no run 'x'"):
        retry_run(here.backend, "x", from_failure=True, steps=(), caller=ME)


def test_what_failed_or_never_ran_is_taken_up_with_the_same_params(here: Here, failed: str) -> None:
    again = retry_run(here.backend, failed, from_failure=True, steps=(), caller=ME)
    (here.base / "mended").touch()
    assert here.go_on(again.run_id) == "SUCCESS"
    assert steps(here, again.run_id) == ["second", "third"]
    assert result_of(here.backend, again.run_id) == {"result": 4}
    view = view_run(here.backend, again.run_id)
    assert (view.parent_run_id, view.door, view.caller) == (failed, "retry", "ann")
    assert view.tags["dagster/root_run_id"] == failed
    with here.backend.database.begin() as connection:
        (act, *_) = newest(connection, 1)
    assert (act.caller, act.peer, act.door, act.target) == ("ann", "10.0.0.1", "retry", "steps")


def test_what_is_taken_up_can_be_taken_up_again(here: Here, failed: str) -> None:
    second = retry_run(here.backend, failed, from_failure=True, steps=(), caller=ME).run_id
    assert here.go_on(second) == "FAILURE"
    (here.base / "mended").touch()
    third = retry_run(here.backend, second, from_failure=True, steps=(), caller=ME).run_id
    assert here.go_on(third) == "SUCCESS"
    assert steps(here, third) == ["second", "third"]
    last = retry_run(here.backend, third, from_failure=False, steps=["third"], caller=ME).run_id
    assert here.go_on(last) == "SUCCESS"
    assert steps(here, last) == ["third"]
    assert result_of(here.backend, last) == {"result": 4}


def test_all_of_a_run_is_done_again(here: Here) -> None:
    first = here.run("steps", n=5)
    again = retry_run(here.backend, first, from_failure=False, steps=(), caller=ME).run_id
    assert here.go_on(again) == "SUCCESS"
    assert steps(here, again) == ["first", "second", "third"]
    assert result_of(here.backend, again) == {"result": 6}


def test_a_step_is_taken_up_with_all_that_follows_it(here: Here) -> None:
    first = here.run("steps", n=5)
    again = retry_run(here.backend, first, from_failure=False, steps=["second"], caller=ME).run_id
    assert here.go_on(again) == "SUCCESS"
    assert steps(here, again) == ["second", "third"]


def test_a_loop_is_taken_up_whole(here: Here) -> None:
    first = here.run("round", cities=["a", "b", "c"])
    again = retry_run(here.backend, first, from_failure=False, steps=["each"], caller=ME).run_id
    assert here.go_on(again) == "SUCCESS"
    assert steps(here, again) == ["each", "each[0]", "each[1]", "each[2]"]
    assert result_of(here.backend, again) == result_of(here.backend, first)


def test_a_retry_is_kept_before_it_is_launched_and_launched_once(here: Here, failed: str, monkeypatch: Any) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(type(here.backend.launcher), "launch", lambda *_: 1 / 0)
        run_id = retry_run(here.backend, failed, from_failure=True, steps=(), caller=ME).run_id
        assert view_run(here.backend, run_id).status == "ACCEPTED"
        assert view_run(here.backend, run_id).parent_run_id == failed
    assert here.backend.runs.launch_due(all_accepted=True) == []
    with here.backend.database.begin() as connection:
        submission = submissions.find(connection, run_id)
    assert submission is not None
    here.backend.launcher.launch(submission)
    assert view_run(here.backend, run_id).status == "QUEUED"
    assert len([run for run in here.backend.instance.get_runs() if run.run_id == run_id]) == 1


def test_the_same_key_is_the_same_retry(here: Here, failed: str) -> None:
    def retry(**how: Any) -> str:
        return retry_run(here.backend, failed, caller=ME, key=f"k-{failed}", **how).run_id

    assert retry(from_failure=True, steps=()) == retry(from_failure=True, steps=())
    with pytest.raises(Conflict, match="was used for another request"):
        retry(from_failure=False, steps=["third"])


def test_what_cannot_be_taken_up_is_refused(here: Here) -> None:
    good = here.run("steps", n=1)
    with pytest.raises(Conflict, match="nothing of it has failed"):
        retry_run(here.backend, good, from_failure=True, steps=(), caller=ME)
    with pytest.raises(NotFound, match="the run has no step 'fourth'"):
        retry_run(here.backend, good, from_failure=False, steps=["fourth"], caller=ME)
    waits = here.backend.runs.start(StartRequest("greet")).run_id
    with pytest.raises(Conflict, match="is QUEUED"):
        retry_run(here.backend, waits, from_failure=True, steps=(), caller=ME)
    delayed = here.backend.runs.start(StartRequest("greet", delay=3_600)).run_id
    with pytest.raises(Conflict, match="never began"):
        retry_run(here.backend, delayed, from_failure=True, steps=(), caller=ME)
