"""Schedules and sensors whose ticks fail, from Dagster's own storage; Dagster has no public way to ask for ticks."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from dagster import DagsterInstance
from dagster._core.scheduler.instigation import InstigatorState, InstigatorTick, InstigatorType, TickStatus

_KINDS = {InstigatorType.SCHEDULE: "schedule", InstigatorType.SENSOR: "sensor"}


@dataclass(frozen=True)
class FailingInstigator:
    """``kind`` is schedule or sensor, ``error`` the first line of its last tick's.

    ``last_good`` is when its last tick that did not fail was, in seconds since 1970, 0 if none was.
    """

    name: str
    kind: str
    error: str
    last_good: float


def failing_instigators(instance: DagsterInstance, in_a_row: int) -> Iterator[FailingInstigator]:
    """Those that are on and whose last ``in_a_row`` ticks have failed."""
    for state in instance.all_instigator_state():
        if not state.is_running or state.instigator_type not in _KINDS:
            continue
        ends = [TickStatus.SUCCESS, TickStatus.SKIPPED, TickStatus.FAILURE]
        last = _ticks(instance, state, ends, in_a_row)
        if len(last) < in_a_row or any(tick.status is not TickStatus.FAILURE for tick in last):
            continue
        good = _ticks(instance, state, [TickStatus.SUCCESS, TickStatus.SKIPPED], 1)
        kind = _KINDS[state.instigator_type]
        yield FailingInstigator(state.instigator_name, kind, _first_words(last[0]), good[0].timestamp if good else 0.0)


def _first_words(tick: InstigatorTick) -> str:
    """What went wrong first: the error that the others were raised from."""
    error = tick.error
    while error is not None and error.cause is not None:
        error = error.cause
    lines = error.message.strip().splitlines() if error is not None else []
    return lines[0] if lines else "it does not say why"


def _ticks(
    instance: DagsterInstance, state: InstigatorState, statuses: list[TickStatus], most: int
) -> list[InstigatorTick]:
    return list(instance.get_ticks(state.instigator_origin_id, state.selector_id, limit=most, statuses=statuses))
