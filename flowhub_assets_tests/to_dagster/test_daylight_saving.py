"""Schedules through both changes of the clocks, by Dagster's own iterator of their moments and its own evaluation.

As Dagster defines it: a time that clocks skip starts at the moment after the gap; of one that they show twice, the
first counts; what repeats every hour starts in every real hour.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import pairwise, takewhile
from zoneinfo import ZoneInfo

import pytest
from dagster import RepositoryDefinition, ScheduleDefinition, build_schedule_context
from dagster._utils.schedules import schedule_execution_time_iterator

from flowhub_assets_tests.workflows import Workflows

#: New York: 8 March and 1 November 2026; Berlin: 29 March and 25 October; Seoul changes nothing.
ZONES = ("America/New_York", "Europe/Berlin", "Asia/Seoul")
FIRST, LAST = datetime(2026, 2, 20, tzinfo=UTC), datetime(2026, 11, 20, tzinfo=UTC)

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: by-time}
trigger: {type: cron, schedule: '%s', timezone: %s}
%s
nodes:
- {id: note, type: log, inputs: {message: "{{$now}}"}}
"""


def repository_of(workflows: Workflows, cron: str, zone: str, more: str = "") -> RepositoryDefinition:
    workflows.write("by_time.yaml", PIPELINE % (cron, zone, more), head="")
    return workflows.repository()


def moments(schedule: ScheduleDefinition) -> list[datetime]:
    """When Dagster's daemon starts it."""
    found: Iterator[datetime] = schedule_execution_time_iterator(
        FIRST.timestamp(), schedule.cron_schedule, schedule.execution_timezone
    )
    return list(takewhile(lambda moment: moment < LAST, found))


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("hour", ["0", "1", "2", "3"])
def test_each_day_has_one_run(workflows: Workflows, zone: str, hour: str) -> None:
    repository = repository_of(workflows, f"30 {hour} * * *", zone)
    schedule = repository.get_schedule_def("by_time_schedule")
    days = Counter(moment.astimezone(ZoneInfo(zone)).date() for moment in moments(schedule))
    assert set(days.values()) == {1}, "none twice"
    assert len(days) == (max(days) - min(days)).days + 1, "none missing"


@pytest.mark.parametrize("zone", ZONES)
def test_a_time_that_clocks_skip_or_show_twice(workflows: Workflows, zone: str) -> None:
    schedule = repository_of(workflows, "30 2 * * *", zone).get_schedule_def("by_time_schedule")
    at = {moment.astimezone(ZoneInfo(zone)).date(): moment.astimezone(UTC) for moment in moments(schedule)}
    if zone == "America/New_York":
        assert at[date(2026, 3, 8)] == datetime(2026, 3, 8, 7, 0, tzinfo=UTC), "3:00, the first moment after the gap"
        assert at[date(2026, 11, 1)] == datetime(2026, 11, 1, 7, 30, tzinfo=UTC)
    elif zone == "Europe/Berlin":
        assert at[date(2026, 3, 29)] == datetime(2026, 3, 29, 1, 0, tzinfo=UTC), "3:00, the first moment after the gap"
        assert at[date(2026, 10, 25)] in {datetime(2026, 10, 25, hour, 30, tzinfo=UTC) for hour in (0, 1)}
    else:
        assert {moment.time() for moment in at.values()} == {datetime(2026, 1, 1, 17, 30).time()}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("cron", ["@hourly", "*/15 * * * *"])
def test_what_repeats_within_the_day_repeats_in_real_time(workflows: Workflows, zone: str, cron: str) -> None:
    schedule = repository_of(workflows, cron, zone).get_schedule_def("by_time_schedule")
    gaps = {after.timestamp() - before.timestamp() for before, after in pairwise(moments(schedule))}
    assert gaps == {3_600.0 if cron == "@hourly" else 900.0}


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize(
    ("every", "cron"),
    [
        ("hourly", "@hourly"),
        ("hourly", "10 * * * *"),
        ("daily", "@daily"),
        ("daily", "30 2 * * *"),
        ("weekly", "@weekly"),
        ("monthly", "@monthly"),
    ],
)
def test_each_partition_is_started_once(workflows: Workflows, zone: str, every: str, cron: str) -> None:
    """Evaluated around the changes, where something could go wrong, and not for each of 6,000 hours."""
    more = f"partitions: {{every: {every}, start: 2026-01-01, timezone: {zone}}}"
    repository = repository_of(workflows, cron, zone, more)
    schedule = repository.get_schedule_def("by_time_schedule")
    partitions = repository.get_job("by_time").partitions_def
    assert partitions is not None
    known = list(partitions.get_partition_keys(current_time=LAST + timedelta(days=40)))
    changes = [datetime(2026, *day, tzinfo=UTC) for day in ((3, 8), (3, 29), (10, 25), (11, 1))]
    spans = [(change - timedelta(days=1), change + timedelta(days=2)) for change in changes]
    ticks = moments(schedule)
    if every != "hourly":
        spans = [(FIRST, LAST)]
    for first, last in spans:
        started = []
        for moment in (one for one in ticks if first <= one < last):
            context = build_schedule_context(scheduled_execution_time=moment, repository_def=repository)
            (request,) = schedule.evaluate_tick(context).run_requests or ()
            assert request.run_key == request.partition_key, "the same is not started twice"
            assert request.partition_key is not None
            started.append(request.partition_key)
        begin = known.index(started[0])
        assert started == known[begin : begin + len(started)], "none missing, none twice"
