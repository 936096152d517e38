"""When a pipeline starts by itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Schedule:
    """Starts the pipeline by ``cron`` (five fields, or a preset such as @daily) or every ``interval`` seconds.

    Exactly one of the two is set. ``timezone`` is an IANA name; cron times are read in it.
    """

    cron: Optional[str] = None
    interval: Optional[float] = None
    timezone: str = "UTC"


@dataclass(frozen=True)
class Dimension:
    """One axis of partitions by keys: its name, and its keys in their order."""

    name: str
    keys: tuple[str, ...]


@dataclass(frozen=True)
class Partitions:
    """What each run is about: one span of time, or, where there are ``dimensions``, one key of each of them.

    By time: an hour, day, week (from its Sunday) or month of ``timezone``; ``every`` says which. ``start`` is a date
    as ISO 8601 writes it; the first partition is the first that begins then or later.
    """

    every: str = ""
    start: str = ""
    timezone: str = "UTC"
    dimensions: tuple[Dimension, ...] = ()


@dataclass(frozen=True)
class Dedupe:
    """What starts by itself starts once for each ``key`` within ``lifetime`` seconds. ``key`` is a template."""

    key: str
    lifetime: float


@dataclass(frozen=True)
class Trigger:
    """Something outside that starts the pipeline: ``type`` is one of trigger_checks.TRIGGERS.

    ``schedule`` is set for cron and interval, ``config`` holds what the others are told (a webhook's path, say).
    """

    type: str
    schedule: Optional[Schedule] = None
    config: Mapping[str, Any] = field(default_factory=dict)
