"""Every schedule and sensor that ships, evaluated as Dagster's daemon does; a new one needs an expectation here."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    DagsterInstance,
    DagsterRunStatus,
    DefaultScheduleStatus,
    DefaultSensorStatus,
    ScheduleDefinition,
    SensorDefinition,
    build_schedule_context,
    build_sensor_context,
    evaluate_automation_conditions,
)
from dagster._core.definitions.sensor_definition import SensorExecutionData

from flowhub_assets import definitions

REPOSITORY = definitions.defs
TICK = datetime(2026, 3, 4, 0, 10, tzinfo=ZoneInfo("Asia/Seoul"))

#: Schedule → when its tick of 4 March 2026 at 0:10 in Seoul starts which runs: job, partition, run key.
SCHEDULES = {
    "daily_data_schedule": [("daily_data", None, None)],
    "daily_digest_schedule": [("daily_digest", "2026-03-03", "2026-03-03")],
    "drift_schedule": [("drift", name, f"{TICK.isoformat()}/{name}") for name in ("iris", "titanic", "housing")],
    "employees_schedule": [("employees", None, None)],
    "iris_report_schedule": [("iris_report", None, None)],
    "serving_watch_schedule": [("serving_watch", None, None)],
}


def nothing_to_start(data: SensorExecutionData, told: str) -> None:
    assert not data.run_requests
    assert told in (data.skip_message or "")


#: Sensor → whether it is on from the start, and what its tick says in a Dagster in which nothing has happened.
SENSORS: dict[str, tuple[bool, str]] = {
    "on_failure": (True, "Initiating on_failure"),
    "flowhub_watch": (True, "nothing new is wrong"),
    "flowhub_queues": (True, "as they should be"),
    "data_sets_objects": (False, "nothing new among 0 objects"),
    "serving_alias": (False, "iris@champion is not set"),
    "serving_alias_2": (False, "titanic@champion is not set"),
    "serving_alias_3": (False, "housing@champion is not set"),
    "inbox_report_objects": (False, "nothing new among 0 objects"),
}

#: Dagster's own, which asks the conditions of all assets; the asset daemon evaluates it, not the sensor daemon.
AUTOMATION = "default_automation_condition_sensor"


@pytest.fixture(autouse=True)
def own_surroundings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("DAGSTER_HOME", "FLOWHUB_DATABASE", "FLOWHUB_ALERTS"):
        monkeypatch.delenv(name, raising=False)


def test_each_that_ships_has_an_expectation() -> None:
    assert {one.name for one in REPOSITORY.schedule_defs} == set(SCHEDULES)
    assert {one.name for one in REPOSITORY.sensor_defs} == {*SENSORS, AUTOMATION}


@pytest.mark.parametrize("schedule", REPOSITORY.schedule_defs, ids=lambda one: one.name)
def test_each_schedule_starts_its_runs(schedule: ScheduleDefinition, instance_on_disk: DagsterInstance) -> None:
    assert schedule.default_status is DefaultScheduleStatus.STOPPED, "its user switches it on"
    context = build_schedule_context(instance_on_disk, scheduled_execution_time=TICK, repository_def=REPOSITORY)
    requests = schedule.evaluate_tick(context).run_requests or ()
    assert [(schedule.job_name, one.partition_key, one.run_key) for one in requests] == SCHEDULES[schedule.name]
    job = REPOSITORY.get_job(schedule.job_name)
    run = instance_on_disk.create_run_for_job(job, run_config=requests[0].run_config, tags=dict(requests[0].tags))
    assert run.status is DagsterRunStatus.NOT_STARTED, "Dagster takes the run as it is asked for"


def test_automation_makes_nothing_where_nothing_has_happened(instance_on_disk: DagsterInstance) -> None:
    assert REPOSITORY.get_sensor_def(AUTOMATION).default_status is DefaultSensorStatus.STOPPED
    assets = list(REPOSITORY.assets_defs_by_key.values())
    assert evaluate_automation_conditions(defs=assets, instance=instance_on_disk).total_requested == 0


@pytest.mark.parametrize(
    "sensor", [one for one in REPOSITORY.sensor_defs if one.name != AUTOMATION], ids=lambda one: one.name
)
def test_each_sensor_ticks(sensor: SensorDefinition, instance_on_disk: DagsterInstance) -> None:
    on, told = SENSORS[sensor.name]
    assert (sensor.default_status is DefaultSensorStatus.RUNNING) is on
    with build_sensor_context(instance_on_disk, repository_def=REPOSITORY, sensor_name=sensor.name) as context:
        nothing_to_start(sensor.evaluate_tick(context), told)
