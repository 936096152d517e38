"""What is known of runs: those in Dagster, and requests that have none there yet."""

from __future__ import annotations

from collections.abc import Iterator

import dagster as dg
import pytest

from flowhub_assets.errors import InputError, NotFound
from flowhub_assets.server.run_views import RunView, StepView, list_runs, view_run
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.run_here import Here, runs_here


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Here]:
    with runs_here(tmp_path_factory.mktemp("views")) as here:
        yield here


def steps(view: RunView) -> list[tuple[str, str, int]]:
    return [(step.step, step.status, step.attempt) for step in view.steps]


def test_a_run_is_told_with_its_steps_and_its_first_failure(here: Here) -> None:
    view = view_run(here.backend, here.run("steps", n=3))
    assert (view.pipeline, view.job, view.status, view.is_over) == ("steps", "steps", "FAILURE", True)
    assert steps(view) == [("first", "SUCCESS", 1), ("second", "FAILURE", 2), ("third", "WAITING", 0)]
    assert view.error == "second: ValueError: three is not mended"
    assert view.url == f"http://dagster.test/runs/{view.run_id}"
    assert view.started is not None
    assert view.ended is not None
    assert view.created <= view.started <= view.ended
    first = view.steps[0]
    assert first.started is not None
    assert first.ended is not None
    assert view.started <= first.started <= first.ended <= view.ended
    assert not [tag for tag in view.tags if tag.startswith(".dagster/")]


def test_a_run_that_waits_is_told_with_what_it_was_asked_for(here: Here) -> None:
    request = StartRequest("greet", queue="night", priority=-3, door="http", caller="ann", tags={"team": "blue"})
    view = view_run(here.backend, here.backend.runs.start(request).run_id)
    assert (view.status, view.is_over, view.started, view.ended) == ("QUEUED", False, None, None)
    assert (view.queue, view.priority, view.door, view.caller, view.tags["team"]) == (
        "night",
        -3,
        "http",
        "ann",
        "blue",
    )
    assert view.steps == (StepView("say", "WAITING"),)


def test_loops_and_steps_of_several_tasks_are_told_by_their_tasks(here: Here) -> None:
    view = view_run(here.backend, here.run("round"))
    assert steps(view) == [(name, "SUCCESS", 1) for name in ("one", "each", "each[0]", "each[1]")]
    assert all(step.ended is not None for step in view.steps)


def test_a_request_that_is_not_launched_is_told(here: Here) -> None:
    run_id = here.backend.runs.start(StartRequest("greet", delay=3_600, latest_of="one")).run_id
    assert view_run(here.backend, run_id).status == "DELAYED"
    assert [view.run_id for view in list_runs(here.backend, statuses=["DELAYED"])] == [run_id]
    later = here.backend.runs.start(StartRequest("greet", latest_of="one")).run_id
    view = view_run(here.backend, run_id)
    assert (view.status, view.is_over, view.error) == ("SUPERSEDED", True, f"run {later} came later")
    assert run_id in [view.run_id for view in list_runs(here.backend, pipeline="greet")]
    assert run_id not in [view.run_id for view in list_runs(here.backend, pipeline="steps")]


def test_the_newest_runs_come_first_and_a_list_goes_on_where_it_ended(here: Here) -> None:
    made = []
    for number in range(6):
        delay = 3_600 if number % 2 else 0
        made.append(here.backend.runs.start(StartRequest("greet", delay=delay)).run_id)
    whole = [view.run_id for view in list_runs(here.backend, limit=500)]
    assert whole[:6] == made[::-1]
    pages: list[str] = []
    before: str | None = None
    while page := list_runs(here.backend, limit=2, before=before):
        pages += [view.run_id for view in page]
        before = page[-1].run_id
    assert pages == whole


def test_lists_are_of_a_pipeline_and_of_statuses(here: Here) -> None:
    here.run("steps", n=1)
    found = list_runs(here.backend, pipeline="steps", statuses=["SUCCESS"])
    assert {(view.pipeline, view.status) for view in found} == {("steps", "SUCCESS")}
    assert list_runs(here.backend, statuses=["FAILED_TO_LAUNCH"]) == []
    with pytest.raises(InputError, match="there is no status 'gone'"):
        list_runs(here.backend, statuses=["gone"])
    with pytest.raises(NotFound, match="there is no pipeline 'stesp'"):
        list_runs(here.backend, pipeline="stesp")
    with pytest.raises(NotFound, match="there is no run 'x'"):
        list_runs(here.backend, before="x")


def test_a_run_of_what_is_no_pipeline_of_ours_is_told_as_dagster_has_it(here: Here) -> None:
    @dg.op
    def alone() -> None:
        """Does nothing."""

    @dg.job
    def other() -> None:
        alone()

    done = other.execute_in_process(instance=here.backend.instance, tags={"dagster/schedule_name": "daily"})
    view = view_run(here.backend, done.run_id)
    assert (view.pipeline, view.job, view.status, view.door) == ("other", "other", "SUCCESS", "schedule")
    assert steps(view) == [("alone", "SUCCESS", 1)]


def test_no_run_is_told(here: Here) -> None:
    with pytest.raises(NotFound, match="there is no run 'nothing'"):
        view_run(here.backend, "nothing")
