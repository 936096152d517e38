"""Schedules: cron, presets, timezones; an interval is even in cron or becomes a sensor."""

from __future__ import annotations

from datetime import datetime, timedelta
from functools import cache
from itertools import pairwise
from zoneinfo import ZoneInfo

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    RunRequest,
    build_schedule_context,
    build_sensor_context,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.to_dagster.triggers import cron_of_interval
from flowhub_assets_tests.workflows import Workflows

SCHEDULED = """
    from datetime import timedelta

    @task
    def one(args):
        return args

    @flow(name="scheduled", {words})
    def main(args):
        return one(args)
"""


@pytest.mark.parametrize(
    ("words", "cron", "zone"),
    [
        ("schedule='0 6 * * *'", "0 6 * * *", "UTC"),
        ("schedule='*/5 * * * 1-5', timezone='Asia/Seoul'", "*/5 * * * 1-5", "Asia/Seoul"),
        ("schedule='@daily'", "@daily", "UTC"),
        ("schedule='@hourly', timezone='Europe/Berlin'", "@hourly", "Europe/Berlin"),
        ("schedule='@weekly'", "@weekly", "UTC"),
        ("schedule='@monthly'", "@monthly", "UTC"),
        ("schedule='@yearly'", "@yearly", "UTC"),
        ("schedule=timedelta(hours=6)", "0 */6 * * *", "UTC"),
        ("schedule=timedelta(minutes=15), timezone='Asia/Seoul'", "*/15 * * * *", "Asia/Seoul"),
        ("schedule=timedelta(days=1), timezone='Asia/Seoul'", "0 0 * * *", "Asia/Seoul"),
    ],
)
def test_a_schedule_gives_a_run_request(workflows: Workflows, words: str, cron: str, zone: str) -> None:
    workflows.write("scheduled.py", SCHEDULED.format(words=words))
    repository = workflows.repository()
    schedule = repository.get_schedule_def("scheduled_schedule")
    assert schedule.cron_schedule == cron
    assert schedule.execution_timezone == zone
    assert schedule.job_name == "scheduled"
    assert schedule.default_status.value == "STOPPED", "its user switches it on"
    moment = datetime(2026, 1, 2, 6, tzinfo=ZoneInfo(zone))
    context = build_schedule_context(scheduled_execution_time=moment, repository_def=repository)
    (request,) = schedule.evaluate_tick(context).run_requests or ()
    assert isinstance(request, RunRequest)
    assert request.tags["dagster/schedule_name"] == "scheduled_schedule"
    assert [sensor.name for sensor in repository.sensor_defs] == []


def test_an_uneven_interval_is_a_sensor(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("scheduled.py", SCHEDULED.format(words="schedule=timedelta(hours=7)"))
    repository = workflows.repository()
    assert list(repository.schedule_defs) == []
    sensor = repository.get_sensor_def("scheduled_interval")
    assert sensor.minimum_interval_seconds == 7 * 3600
    assert sensor.default_status.value == "STOPPED"
    with build_sensor_context(instance, repository_def=repository) as context:
        (request,) = sensor.evaluate_tick(context).run_requests or ()
    assert isinstance(request, RunRequest)


ON_ASSETS = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: after-both}
trigger: {type: asset, assets: [wines/table, orders]}
nodes:
- {id: note, type: log, inputs: {message: both are new}}
"""


def test_a_pipeline_starts_once_all_its_assets_were_made_anew(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("after_both.yaml", ON_ASSETS, head="")
    repository = workflows.repository()
    sensor = repository.get_sensor_def("after_both_assets")
    assert sensor.default_status.value == "STOPPED"
    cursor: str | None = None

    def starts() -> int:
        nonlocal cursor
        with build_sensor_context(instance, cursor=cursor, repository_def=repository) as context:
            data = sensor.evaluate_tick(context)
        cursor = data.cursor
        return len(data.run_requests or ())

    def make(*key: str) -> None:
        instance.report_runless_asset_event(AssetMaterialization(AssetKey(key)))

    assert starts() == 0
    make("orders")
    assert starts() == 0
    make("wines", "table")
    assert starts() == 1
    assert starts() == 0
    make("wines", "table")
    assert starts() == 0
    make("orders")
    assert starts() == 1


def test_a_flow_without_a_schedule_has_neither(workflows: Workflows) -> None:
    workflows.write("scheduled.py", SCHEDULED.format(words=""))
    repository = workflows.repository()
    assert list(repository.schedule_defs) == []
    assert list(repository.sensor_defs) == []


def test_every_interval_of_whole_minutes_up_to_a_fortnight() -> None:
    found = {}
    for minutes in range(1, 14 * 24 * 60 + 1):
        cron = cron_of_interval(minutes * 60)
        if cron is not None:
            found[minutes] = cron
            assert_even(cron, timedelta(minutes=minutes))
    even = [1, 2, 3, 4, 5, 6, 10, 12, 15, 20, 30, *(60 * hours for hours in (1, 2, 3, 4, 6, 8, 12, 24, 168))]
    assert sorted(found) == even, "all that cron can say evenly, and nothing else"


@cache
def assert_even(cron: str, interval: timedelta) -> None:
    """Each start lies exactly ``interval`` after the one before, over the end of a month and of a year."""
    first = datetime(2025, 12, 20, 13, 7)
    times = [moment for n in range(30 * 24 * 60) if starts_at(cron, moment := first + timedelta(minutes=n))]
    assert len(times) > 3
    assert {after - before for before, after in pairwise(times)} == {interval}, cron


def starts_at(cron: str, moment: datetime) -> bool:
    """The expression as its manual reads: each field is *, */step from its least value on, or one number."""
    values = (moment.minute, moment.hour, moment.day, moment.month, moment.isoweekday() % 7)
    for field, value, least in zip(cron.split(), values, (0, 0, 1, 1, 0), strict=True):
        if field.startswith("*/"):
            if (value - least) % int(field[2:]):
                return False
        elif field != "*" and int(field) != value:
            return False
    return True


@settings(max_examples=300, deadline=None)
@given(st.floats(min_value=0.001, max_value=40 * 86_400, allow_nan=False) | st.integers(1, 40 * 86_400))
def test_any_interval_is_even_or_not_cron_at_all(seconds: float) -> None:
    cron = cron_of_interval(seconds)
    if cron is not None:
        assert_even(cron, timedelta(seconds=seconds))
