"""What a local run tells while it goes on, and what it comes to."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Optional

from flowhub_assets.errors import RunError
from flowhub_assets.runtime.show import Shown

STARTED, RETRYING, SUCCEEDED, FAILED, SKIPPED, KEPT = "started", "retrying", "succeeded", "failed", "skipped", "kept"
#: A line that a task printed; and nothing new, but time has passed.
OUTPUT, WAITING = "output", "waiting"


@dataclass(frozen=True)
class Event:
    """One moment of a run.

    ``kind`` is started, retrying, succeeded, failed, skipped (not chosen, or something upstream failed), kept (its
    output of an earlier run stands), output or waiting. ``attempt`` counts from 1; ``seconds`` is the task's time so
    far, or before the next attempt for retrying. ``line`` came from ``stream`` 1 (stdout) or 2 (stderr); of a skipped
    task it is the reason.
    """

    kind: str
    task: str = ""
    attempt: int = 1
    seconds: float = 0.0
    error: Optional[RunError] = None
    stream: int = 1
    line: str = ""


def event_text(event: Event) -> str:
    """The event in words."""
    if event.kind == STARTED:
        again = f" (attempt {event.attempt})" if event.attempt > 1 else ""
        return f"{event.task} started{again}"
    if event.kind == RETRYING:
        reason = event.error.what if event.error else ""
        return f"{event.task} will be tried again in {event.seconds:g} s: {reason}"
    if event.kind == SUCCEEDED and event.error is not None:
        return f"{event.task} failed in {event.seconds:.1f} s, and the run goes on: {event.error.what}"
    if event.kind in (SUCCEEDED, FAILED):
        reason = f": {event.error.what}" if event.error else ""
        return f"{event.task} {event.kind} in {event.seconds:.1f} s{reason}"
    return f"{event.task} {event.kind}: {event.line}" if event.line else f"{event.task} {event.kind}"


@dataclass(frozen=True)
class TaskOutcome:
    """How one task ended: ``state`` is succeeded, failed, skipped or kept; ``value`` is there for the good ends.

    ``reason`` says why a task was skipped; it is empty where something upstream failed. A task that failed and lets
    the run go on has succeeded with an ``error``.
    """

    task: str
    state: str
    attempts: int = 0
    seconds: float = 0.0
    value: Optional[dict[str, Any]] = None
    shown: tuple[Shown, ...] = ()
    error: Optional[RunError] = None
    reason: str = ""


@dataclass(frozen=True)
class Outcome:
    """How a run ended.

    ``tasks`` has one entry for each task of the pipeline, in its order. ``value`` is the pipeline's own output,
    None if a task failed. ``failed_task`` and ``error`` are the first failure; ``failure`` tells how
    on_failure itself went, if there is one and it was called, ``finals`` how the finally tasks went.
    """

    run_id: str
    seconds: float
    tasks: dict[str, TaskOutcome] = field(default_factory=dict)
    value: Optional[dict[str, Any]] = None
    failed_task: str = ""
    error: Optional[RunError] = None
    failure: Optional[TaskOutcome] = None
    finals: tuple[TaskOutcome, ...] = ()

    @property
    def ok(self) -> bool:
        """Whether every task succeeded."""
        return self.error is None
