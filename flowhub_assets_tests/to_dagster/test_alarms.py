"""What Dagster's storage says is wrong: runs, pipelines, ticks, daemons; each cause has one key."""

from __future__ import annotations

import time
from dataclasses import replace

import pytest
from dagster import DagsterEvent, DagsterEventType, DagsterInstance
from dagster._core.remote_origin import InProcessCodeLocationOrigin, RemoteInstigatorOrigin, RemoteRepositoryOrigin
from dagster._core.scheduler.instigation import (
    InstigatorState,
    InstigatorStatus,
    InstigatorType,
    SensorInstigatorData,
    TickData,
    TickStatus,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._daemon.types import DaemonHeartbeat
from dagster_shared.error import SerializableErrorInfo

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.to_dagster import alarms
from flowhub_assets_tests.workflows import Workflows

FLOW = """
    @task
    def one(args):
        if args.get("fails"):
            raise ValueError("no such city")
        return {}

    @flow(name="watched-flow", params={"fails": False}, deadline=60, freshness=3600)
    def main(args):
        return one(args)
"""


@pytest.fixture
def pipelines(workflows: Workflows) -> dict[str, Pipeline]:
    workflows.write("watched.py", FLOW)
    return {"watched_flow": workflows.flow("watched_flow").pipeline}


def begun(workflows: Workflows, instance: DagsterInstance) -> str:
    """A run that goes on."""
    job = workflows.repository().get_job("watched_flow")
    run = instance.create_run_for_job(job)
    event = DagsterEvent(DagsterEventType.RUN_START.value, "watched_flow")
    instance.report_dagster_event(event, run.run_id)
    return run.run_id


def test_a_run_that_has_failed(workflows: Workflows, instance: DagsterInstance, pipelines: dict[str, Pipeline]) -> None:
    before = time.time()
    assert alarms.failures(instance, pipelines, before - 60) == ([], before - 60)
    run_id = workflows.run("watched_flow", instance, fails=True).run_id
    (cause,), _ = alarms.failures(instance, pipelines, before - 60, "https://dagster.example.com")
    assert (cause.event, cause.key, cause.pipeline) == ("failure", f"failure/{run_id}", "watched-flow")
    assert cause.title == "watched-flow: a run has failed"
    assert "no such city" in cause.text
    assert cause.text.endswith(f"\nhttps://dagster.example.com/runs/{run_id}")
    assert alarms.failures(instance, pipelines, time.time() + 60)[0] == []


def test_a_run_that_dagster_starts_again_has_not_failed_yet(
    workflows: Workflows, instance: DagsterInstance, pipelines: dict[str, Pipeline]
) -> None:
    before = time.time() - 60
    run_id = workflows.run("watched_flow", instance, fails=True).run_id
    instance.add_run_tags(run_id, {"dagster/will_retry": "true"})
    assert alarms.failures(instance, pipelines, before)[0] == []


def test_a_run_that_takes_too_long(
    workflows: Workflows, instance: DagsterInstance, pipelines: dict[str, Pipeline]
) -> None:
    run_id, now = begun(workflows, instance), time.time()
    assert list(alarms.missed_deadlines(instance, pipelines, now + 30, now)) == []
    (cause,) = alarms.missed_deadlines(instance, pipelines, now + 90, now)
    assert (cause.event, cause.key, cause.pipeline) == ("deadline", f"deadline/{run_id}", "watched-flow")
    assert cause.text.startswith("It goes on for 1 min")
    assert "its deadline is 1 min" in cause.text
    alarms.mark_late(instance, [cause, cause])
    run = instance.get_run_by_id(run_id)
    assert run is not None
    assert run.tags[alarms.LATE_TAG] == "true"


def test_a_run_that_took_too_long_and_ended_between_two_looks(
    workflows: Workflows, instance: DagsterInstance, pipelines: dict[str, Pipeline]
) -> None:
    began = time.time()
    run_id = workflows.run("watched_flow", instance).run_id
    short = {"watched_flow": replace(pipelines["watched_flow"], deadline=0.000_001)}
    (cause,) = alarms.missed_deadlines(instance, short, time.time(), began - 60)
    assert cause.key == f"deadline/{run_id}"
    assert "It took" in cause.text
    assert list(alarms.missed_deadlines(instance, short, time.time(), time.time() + 60)) == [], "that was told before"


def test_a_pipeline_that_has_not_succeeded_for_too_long(
    workflows: Workflows, instance: DagsterInstance, pipelines: dict[str, Pipeline]
) -> None:
    now = time.time()
    since = {"watched_flow": now}
    assert list(alarms.stale_pipelines(instance, pipelines, now + 3_600, since)) == []
    (never,) = alarms.stale_pipelines(instance, pipelines, now + 3_601, since)
    assert never.text == "It has never succeeded; it should succeed every 1 h."
    run_id = workflows.run("watched_flow", instance).run_id
    workflows.run("watched_flow", instance, fails=True)
    assert list(alarms.stale_pipelines(instance, pipelines, now + 3_590, since)) == []
    (old,) = alarms.stale_pipelines(instance, pipelines, now + 7_300, since)
    assert (old.event, old.key) == ("freshness", f"freshness/watched_flow/{run_id}")
    assert old.title == "watched-flow is out of date"
    assert "2 h" in old.text


def instigator(instance: DagsterInstance, name: str, status: InstigatorStatus) -> InstigatorState:
    repository = RemoteRepositoryOrigin(InProcessCodeLocationOrigin(LoadableTargetOrigin(module_name="m")), "r")
    origin = RemoteInstigatorOrigin(repository, name)
    state = InstigatorState(origin, InstigatorType.SENSOR, status, SensorInstigatorData())
    return instance.add_instigator_state(state)


def ticks(instance: DagsterInstance, state: InstigatorState, first: float, *statuses: TickStatus) -> None:
    cause = SerializableErrorInfo("ConnectionError: the shop is away\n", [], "ConnectionError", None)
    wrong = SerializableErrorInfo("SensorExecutionError: Error occurred\n", [], "SensorExecutionError", cause)
    for number, status in enumerate(statuses):
        error = wrong if status is TickStatus.FAILURE else None
        of = state.instigator_origin_id, state.instigator_name, InstigatorType.SENSOR
        instance.create_tick(TickData(*of, status, first + number, error=error, selector_id=state.selector_id))


def test_ticks_that_fail_in_a_row(instance_on_disk: DagsterInstance, pipelines: dict[str, Pipeline]) -> None:
    instance = instance_on_disk
    bad, good = TickStatus.FAILURE, TickStatus.SKIPPED
    failing = instigator(instance, "watched_flow_interval", InstigatorStatus.RUNNING)
    off = instigator(instance, "switched_off", InstigatorStatus.STOPPED)
    ticks(instance, off, 100.0, bad, bad, bad)
    ticks(instance, failing, 100.0, bad, good, bad, bad)
    assert list(alarms.failing_ticks(instance, pipelines)) == []
    ticks(instance, failing, 104.0, bad, TickStatus.STARTED)
    (cause,) = alarms.failing_ticks(instance, pipelines)
    assert (cause.event, cause.pipeline) == ("ticks", "watched-flow")
    assert cause.title == "the sensor watched_flow_interval fails"
    assert cause.text == "Its last 3 ticks have failed: ConnectionError: the shop is away"
    ticks(instance, failing, 106.0, bad, bad)
    assert [one.key for one in alarms.failing_ticks(instance, pipelines)] == [cause.key], "it is the same cause"
    ticks(instance, failing, 108.0, good)
    assert list(alarms.failing_ticks(instance, pipelines)) == []
    ticks(instance, failing, 109.0, bad, bad, bad)
    assert [one.key for one in alarms.failing_ticks(instance, pipelines)] != [cause.key], "it is another one"


CHECKED = """
    from flowhub import check

    @task(checks={"rows": "warn", "schema": "blocking"})
    def table(args):
        check("rows", args["rows"] > 0, f"there are {args['rows']} rows")
        check("schema", args["rows"] >= 0)
        return {}

    @flow(name="checked-flow", params={"rows": 1})
    def main(args):
        return table(args)
"""


def test_a_check_that_does_not_hold_is_one_cause_until_it_holds_again(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("checked.py", CHECKED)
    pipelines = {"checked_flow": workflows.flow("checked_flow").pipeline}

    def causes(rows: int) -> list[alarms.Cause]:
        workflows.run("checked_flow", instance, rows=rows)
        return list(alarms.failing_checks(instance, pipelines, "https://dagster.example.com"))

    assert list(alarms.failing_checks(instance, pipelines)) == []
    assert causes(rows=1) == []
    (first,) = causes(rows=0)
    assert (first.event, first.pipeline) == ("check", "checked-flow")
    assert first.title == "checked-flow: the check rows of checked_flow/table does not hold"
    assert first.text.startswith("there are 0 rows\nhttps://dagster.example.com/runs/")
    assert [one.key for one in causes(rows=0)] == [first.key], "it is the same cause"
    assert causes(rows=2) == []
    assert [one.key for one in causes(rows=0)] != [first.key], "it is another one"
    # The check that blocks fails the run, and that is what is told; what was told last stays the same.
    assert all("schema" not in one.title for one in causes(rows=-1))


def test_a_daemon_that_has_not_been_heard_of(instance_on_disk: DagsterInstance) -> None:
    instance = instance_on_disk
    now = time.time()
    for kind, age in (("SENSOR", 10), ("SCHEDULER", 301), ("NO_SUCH_DAEMON", 9_999)):
        instance.add_daemon_heartbeat(DaemonHeartbeat(now - age, kind, "daemon-1"))
    (cause,) = alarms.stopped_daemons(instance, now)
    assert (cause.event, cause.pipeline) == ("daemon", "")
    assert cause.title == "Dagster's daemon SCHEDULER has stopped"
    assert "last heard of 5 min 1 s ago" in cause.text
    assert [one.key for one in alarms.stopped_daemons(instance, now + 9)] == [cause.key]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.25, "0.25 s"), (1, "1 s"), (90, "1 min 30 s"), (3_600, "1 h"), (5_400, "1 h 30 min"), (90_061, "1 d 1 h")],
)
def test_times_are_told_as_people_say_them(seconds: float, told: str) -> None:
    assert alarms.duration(seconds) == told
