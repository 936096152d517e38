"""What a run is about: of partitions by time which span a key stands for, of those by keys (matrix.py) which cell.

Keys and spans are Dagster's own for the same partitions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import date, datetime, time, timedelta, timezone, tzinfo
from typing import Any, Optional

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.runtime import matrix

#: Under which name a task finds its run's partition in args['env']: an object with key, start and end, or a cell.
PARTITION = "partition"

Window = dict[str, str]

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_HOURLY_KEY = re.compile(r"(\d{4}-\d{2}-\d{2})-(\d{2}):00([+-]\d{4})?", re.ASCII)


def window_of(partitions: Partitions, key: str) -> Window:
    """``{"key", "start", "end"}`` of a partition; start and end, which is not in it, as ISO 8601 with their offset.

    Of partitions by keys it is the cell. Raises InputError for a key that is none of these partitions.
    """
    if partitions.dimensions:
        return matrix.cell_of(partitions, key)
    try:
        begin = _begin(partitions, key)
    except ValueError:
        begin = None
    if begin is None or begin.timestamp() < _first(partitions).timestamp() or not _is_one(partitions, begin, key):
        example = _told(partitions, _first(partitions))["key"]
        raise InputError(
            f"{key[:60]!r} is no partition of a pipeline whose partitions are {partitions.every}",
            effect="Nothing was run.",
            remedy=f"The first is {example}.",
        )
    return _told(partitions, begin)


def last_ended(partitions: Partitions, now: datetime) -> Optional[Window]:
    """The partition by time that ended last at ``now``, or ended at that moment; None if none has."""
    if partitions.dimensions:
        return None
    begin = _floor(partitions, now.astimezone(_zone(partitions)))
    while _end(partitions, begin).timestamp() > now.timestamp():
        begin = _floor(partitions, _later(begin, -timedelta(seconds=1)))
    return _told(partitions, begin) if begin.timestamp() >= _first(partitions).timestamp() else None


def about(pipeline: Pipeline, profile: Mapping[str, Any]) -> dict[str, Window]:
    """What a run beside Dagster adds to its ``profile`` where that names no partition: the one that has ended last.

    Raises InputError where partitions are keys: none of them is the last.
    """
    if pipeline.partitions is None or PARTITION in profile:
        return {}
    if pipeline.partitions.dimensions:
        raise matrix.none_named(pipeline.partitions)
    window = last_ended(pipeline.partitions, datetime.now(timezone.utc))
    return {PARTITION: window} if window is not None else {}


def _is_one(partitions: Partitions, begin: datetime, key: str) -> bool:
    """Whether a partition begins there, and ``key`` is how it is written."""
    floor = _floor(partitions, begin)
    return floor.timestamp() == begin.timestamp() and _told(partitions, begin)["key"] == key


def _told(partitions: Partitions, begin: datetime) -> Window:
    key = begin.strftime("%Y-%m-%d-%H:%M" if partitions.every == "hourly" else "%Y-%m-%d")
    if partitions.every == "hourly" and begin.fold:
        key += begin.strftime("%z")  # the second of the two hours of this name
    return {"key": key, "start": begin.isoformat(), "end": _end(partitions, begin).isoformat()}


def _begin(partitions: Partitions, key: str) -> Optional[datetime]:
    """Where the partition would begin. Raises ValueError for a key that is no time."""
    if partitions.every != "hourly":
        return _midnight(partitions, date.fromisoformat(key)) if len(key) == len("2026-01-01") else None
    match = _HOURLY_KEY.fullmatch(key)
    if match is None:
        return None
    day, hour, offset = match.groups()
    naive = datetime.combine(date.fromisoformat(day), time(int(hour)))
    return _real(naive.replace(tzinfo=_zone(partitions), fold=1 if offset else 0))


def _first(partitions: Partitions) -> datetime:
    start = _midnight(partitions, date.fromisoformat(partitions.start))
    begin = _floor(partitions, start)
    return begin if begin.timestamp() >= start.timestamp() else _end(partitions, begin)


def _floor(partitions: Partitions, moment: datetime) -> datetime:
    """The beginning of the span that ``moment``, a time of the partitions' zone, lies in."""
    if partitions.every == "hourly":
        whole = timedelta(minutes=moment.minute, seconds=moment.second, microseconds=moment.microsecond)
        return _later(moment, -whole)
    day = moment.date()
    if partitions.every == "weekly":
        day -= _DAY * (day.isoweekday() % 7)
    elif partitions.every == "monthly":
        day = day.replace(day=1)
    begin = _midnight(partitions, day)
    # Where clocks go back over midnight, the day has begun once before.
    return (
        begin if begin.timestamp() <= moment.timestamp() else _floor(partitions, _later(begin, -timedelta(seconds=1)))
    )


def _end(partitions: Partitions, begin: datetime) -> datetime:
    if partitions.every == "hourly":
        return _later(begin, _HOUR)
    day = begin.date()
    if partitions.every == "monthly":
        return _midnight(partitions, (day.replace(day=28) + 4 * _DAY).replace(day=1))
    return _midnight(partitions, day + (7 * _DAY if partitions.every == "weekly" else _DAY))


def _midnight(partitions: Partitions, day: date) -> datetime:
    return _real(datetime.combine(day, time(), tzinfo=_zone(partitions)))


def _zone(partitions: Partitions) -> tzinfo:
    import zoneinfo  # only who has partitions pays for it

    return zoneinfo.ZoneInfo(partitions.timezone)


def _real(moment: datetime) -> datetime:
    """The same moment as clocks there show it: a time that clocks skip is one hour later."""
    return moment.astimezone(timezone.utc).astimezone(moment.tzinfo)


def _later(moment: datetime, by: timedelta) -> datetime:
    """That much real time later."""
    return (moment.astimezone(timezone.utc) + by).astimezone(moment.tzinfo)
