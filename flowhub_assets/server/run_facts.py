"""How runs, steps and events are told, at every door: plain data, which a client has without Dagster."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The kind of an event that is one line of a task's own.
LOG = "LOG"
#: Statuses of a run that has ended, or will never begin.
OVER = frozenset({"SUCCESS", "FAILURE", "CANCELED", "SUPERSEDED", "FAILED_TO_LAUNCH"})


@dataclass(frozen=True)
class StepView:
    """One step: WAITING, IN_PROGRESS, SUCCESS, FAILURE or SKIPPED. Times are seconds since 1970."""

    step: str
    status: str
    attempt: int = 0
    started: float | None = None
    ended: float | None = None


@dataclass(frozen=True)
class RunView:
    """One run. ``status`` is Dagster's word, or one of ours where Dagster has no run; times are seconds since 1970.

    ``steps`` and ``error``, the first failure in words, are there when one run is looked at, not in a list.
    """

    run_id: str
    pipeline: str
    job: str
    status: str
    created: float
    started: float | None = None
    ended: float | None = None
    queue: str = ""
    priority: int = 0
    door: str = ""
    caller: str = ""
    tags: Mapping[str, str] = field(default_factory=dict)
    steps: tuple[StepView, ...] = ()
    error: str = ""
    url: str = ""
    parent_run_id: str = ""

    @property
    def is_over(self) -> bool:
        """Whether it has ended, or will never begin."""
        return self.status in OVER


@dataclass(frozen=True)
class RunEvent:
    """One moment of a run.

    ``kind`` is Dagster's name of an event (RUN_START, STEP_SUCCESS), or LOG for a line that a task printed or logged.
    ``time`` is seconds since 1970; a printed line has that of the event before it. What comes after ``cursor`` can be
    asked for.
    """

    cursor: str
    time: float
    kind: str
    step: str
    level: str
    message: str
    attempt: int
