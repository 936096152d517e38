"""When a pipeline starts by itself."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Optional


@dataclass(frozen=True)
class Schedule:
    """Starts the pipeline by ``cron`` (five fields, or a preset such as @daily) or every ``interval`` seconds.

    Exactly one of the two is set. ``timezone`` is an IANA name; cron times are read in it.
    """

    cron: Optional[str] = None
    interval: Optional[float] = None
    timezone: str = "UTC"
