"""Spans of time by their keys: Dagster's own, over a year with both changes of the clocks."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from dagster import (
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)
from dagster._core.definitions.partitions.context import partition_loading_context

from flowhub_assets.errors import InputError
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.runtime.partitions import last_ended, window_of

DAGSTER: dict[str, Callable[..., TimeWindowPartitionsDefinition]] = {
    "hourly": HourlyPartitionsDefinition,
    "daily": DailyPartitionsDefinition,
    "weekly": WeeklyPartitionsDefinition,
    "monthly": MonthlyPartitionsDefinition,
}
#: In Havana and Cairo clocks change at midnight; Kathmandu is 5:45 before UTC.
ZONES = ("UTC", "America/New_York", "Europe/Berlin", "Asia/Seoul", "America/Havana", "Africa/Cairo", "Asia/Kathmandu")
CASES = [(every, zone) for zone in ZONES for every in DAGSTER]


def dagsters(every: str, zone: str) -> TimeWindowPartitionsDefinition:
    return DAGSTER[every](start_date=datetime(2025, 1, 15), timezone=zone)


@pytest.mark.parametrize(("every", "zone"), CASES)
def test_each_key_stands_for_the_span_that_it_stands_for_in_dagster(every: str, zone: str) -> None:
    asked, dagster = Partitions(every, "2025-01-15", zone), dagsters(every, zone)
    keys = dagster.get_partition_keys(current_time=datetime(2026, 2, 1, tzinfo=UTC))
    windows = [window_of(asked, key) for key in keys]
    for key, window in zip(keys, windows, strict=True):
        theirs = dagster.time_window_for_partition_key(key)
        assert window["key"] == key
        assert datetime.fromisoformat(window["start"]).timestamp() == theirs.start.timestamp(), key
        assert datetime.fromisoformat(window["end"]).timestamp() == theirs.end.timestamp(), key
    assert all(before["end"] == after["start"] for before, after in pairwise(windows)), "no gap, and no overlap"


@pytest.mark.parametrize(("every", "zone"), CASES)
def test_the_partition_that_ended_last_is_dagsters_last_one(every: str, zone: str) -> None:
    asked, dagster = Partitions(every, "2025-01-15", zone), dagsters(every, zone)
    for day in ("2025-01-14", "2025-03-08", "2025-03-29", "2025-10-25", "2025-11-01", "2026-01-01"):
        for half_hours in range(96):
            now = datetime.fromisoformat(day).replace(tzinfo=UTC) + timedelta(minutes=30 * half_hours)
            found = last_ended(asked, now)
            with partition_loading_context(effective_dt=now):
                assert (found["key"] if found else None) == dagster.get_last_partition_key(), now


@pytest.mark.parametrize(
    ("every", "key"),
    [
        ("daily", "2025-01-14"),
        ("daily", "2025-02-30"),
        ("daily", "20250201"),
        ("daily", ""),
        ("daily", "2025-02-01-00:00"),
        ("hourly", "2025-02-01"),
        ("hourly", "2025-02-01-24:00"),
        ("hourly", "2025-02-01-01:30"),
        ("hourly", "2025-03-09-02:00"),  # the clocks skip it
        ("weekly", "2025-02-03"),
        ("weekly", "2025-01-12"),
        ("monthly", "2025-02-02"),
        ("monthly", "2025-01-01"),
    ],
)
def test_what_is_no_key_is_refused(every: str, key: str) -> None:
    with pytest.raises(InputError, match="is no partition of a pipeline whose partitions are") as raised:
        window_of(Partitions(every, "2025-01-15", "America/New_York"), key)
    first = {"daily": "2025-01-15", "hourly": "2025-01-15-00:00", "weekly": "2025-01-19", "monthly": "2025-02-01"}
    assert first[every] in raised.value.remedy
