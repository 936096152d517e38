"""Which waiting run Dagster's queue starts next, and what each of the others waits for: its own rules, in words.

The rules are those of Dagster's QueuedRunCoordinatorDaemon, which says nothing of them: by priority, the oldest of
equals first; a run is passed over while a limit on one of its tags is reached, or while no slot is left in the pools of
all its first steps; no more runs than max_concurrent_runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from flowhub_assets.resources.queues import QUEUE_LIMIT_TAG
from flowhub_assets.to_dagster.run_tags import CONCURRENCY_TAG

#: As many of those in the way are named.
_MOST_NAMED = 3


@dataclass(frozen=True)
class Limit:
    """At most ``most`` runs with the tag ``key``: of this ``value``, or else of each of its values, or of all."""

    key: str
    most: int
    value: str | None = None
    for_each_value: bool = False

    def bucket(self, tags: Mapping[str, str]) -> str | None:
        """What a run with these tags is counted with; None if the limit does not touch it."""
        value = tags.get(self.key)
        if value is None or (self.value is not None and value != self.value):
            return None
        return value if self.for_each_value or self.value is not None else ""


@dataclass(frozen=True)
class Pool:
    """``taken`` are the slots that cannot be had: held, promised, or waited for already. ``held_by`` says by whom."""

    slots: int
    taken: int
    held_by: Sequence[str] = ()


@dataclass(frozen=True)
class Place:
    """One run of the queue. ``pools`` are those of its first steps, if none of these can do without."""

    run_id: str
    tags: Mapping[str, str]
    pools: Mapping[str, int] = field(default_factory=dict)


def waiting_for(
    waiting: Sequence[Place], active: Sequence[Place], limits: Sequence[Limit], pools: Mapping[str, Pool], most: int
) -> dict[str, str]:
    """Run id → what it waits for, "" if it starts next; ``waiting`` in its order, ``most`` -1 for no bound.

    ``active`` are the runs that have a place.
    """
    counted = _Counted(limits)
    for run in active:
        counted.add(run.run_id, run.tags)
    running = [run.run_id for run in active]
    promised: dict[str, list[str]] = {name: [] for name in pools}
    told = {}
    ahead: list[str] = []
    for run in waiting:
        reason = counted.reason(run.tags, set(running))
        if not reason:
            counted.add(run.run_id, run.tags)
            reason = _pools_reason(run, pools, promised)
        if not reason and most >= 0 and len(running) + len(ahead) >= most:
            reason = (
                f"{len(running)} of {most} runs go on: {_named(running)}"
                if len(running) >= most
                else (f"{most} runs may go on, and those before it come first: {_named([*running, *ahead])}")
            )
        elif not reason:
            ahead.append(run.run_id)
            for name, slots in run.pools.items():
                promised.setdefault(name, []).extend([run.run_id] * slots)
        told[run.run_id] = reason
    return told


class _Counted:
    """The runs that each limit counts."""

    def __init__(self, limits: Sequence[Limit]) -> None:
        self._limits = limits
        self._runs: dict[tuple[Limit, str], list[str]] = defaultdict(list)

    def add(self, run_id: str, tags: Mapping[str, str]) -> None:
        for limit in self._limits:
            bucket = limit.bucket(tags)
            if bucket is not None:
                self._runs[limit, bucket].append(run_id)

    def reason(self, tags: Mapping[str, str], running: set[str]) -> str:
        for limit in self._limits:
            bucket = limit.bucket(tags)
            if bucket is not None and len(self._runs[limit, bucket]) >= limit.most:
                runs = self._runs[limit, bucket]
                verb = "holds it" if len(runs) == 1 else "hold it"
                if not running.issuperset(runs):
                    verb = "comes first" if len(runs) == 1 else "come first"
                return f"{_in_words(limit, bucket)}: {_named(runs)} {verb}"
        return ""


def _in_words(limit: Limit, bucket: str) -> str:
    if limit.key.startswith(QUEUE_LIMIT_TAG):
        return f"queue {bucket} takes {_runs(limit.most)} at a time"
    if limit.key.startswith(CONCURRENCY_TAG):
        return f"pipeline {bucket} takes {_runs(limit.most)} at a time"
    return f"tag {limit.key}{'=' + bucket if bucket else ''} takes {_runs(limit.most)} at a time"


def _runs(number: int) -> str:
    return "1 run" if number == 1 else f"{number} runs"


def _pools_reason(run: Place, pools: Mapping[str, Pool], promised: Mapping[str, Sequence[str]]) -> str:
    # A pool without a limit, or with a slot left, lets one of the first steps begin.
    if not run.pools or any(
        name not in pools or pools[name].taken + len(promised[name]) < pools[name].slots for name in run.pools
    ):
        return ""
    return "; ".join(pool_reason(name, pools[name], promised[name]) for name in run.pools)


def pool_reason(name: str, pool: Pool, promised: Sequence[str] = ()) -> str:
    """Why no slot of a pool is to be had, in words; ``promised`` are the runs that come first."""
    slots = "no slot" if pool.slots == 0 else "1 slot" if pool.slots == 1 else f"{pool.slots} slots"
    held = [f"{_named(pool.held_by)} {'holds' if len(set(pool.held_by)) == 1 else 'hold'} it"] if pool.held_by else []
    first = [f"{_named(promised)} {'comes' if len(set(promised)) == 1 else 'come'} first"] if promised else []
    return ": ".join([f"pool {name} has {slots}", *([", ".join([*held, *first])] if held or first else [])])


def _named(run_ids: Sequence[str]) -> str:
    there = list(dict.fromkeys(run_ids))
    more = len(there) - _MOST_NAMED
    word = "run" if len(there) == 1 else "runs"
    return f"{word} {', '.join(there[:_MOST_NAMED])}" + (f" and {more} more" if more > 0 else "")
