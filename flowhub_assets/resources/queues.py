"""Queues that runs wait in and pools that steps share, from the user's pyproject.toml, as tags for Dagster's queue.

    [tool.flowhub]
    patience = 300     # seconds after which a waiting run goes up to the next priority in use; 0: it never does

    [tool.flowhub.queues.priority]
    priority = 10      # a higher number goes first
    limit = 1          # at most one run of it at a time, 10 at most; none if it is left out

    [tool.flowhub.pools]
    db-lock = 1        # at most one step with pool="db-lock" at a time, over all runs

A queue's limit is a tag of its own, ``flowhub/queue_of_<limit>``, the queue's name being its value. deploy/dagster.yaml
limits each value of each of these keys, so that a new queue needs no change there.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowhub_assets.errors import NotFound, ParamsRefused, ProfileError
from flowhub_assets.ir.setting_checks import MOST_CONCURRENT_RUNS, QUEUE_NAME
from flowhub_assets.ir.spelling import did_you_mean, listed

QUEUE_TAG, PRIORITY_TAG = "flowhub/queue", "dagster/priority"
#: The tag that limits a queue's runs, its limit at the end and its name the value.
QUEUE_LIMIT_TAG = "flowhub/queue_of_"
#: The tag of runs of which only the latest waits, its key being the value.
LATEST_TAG = "flowhub/latest_of"
#: All tags by which a run belongs to a queue.
QUEUE_TAGS = frozenset(
    {QUEUE_TAG, PRIORITY_TAG, *(f"{QUEUE_LIMIT_TAG}{number}" for number in range(1, MOST_CONCURRENT_RUNS + 1))}
)
#: A run's priority and that of its step are added, as 32 bits.
HIGHEST_PRIORITY = 1_000_000
#: Seconds that a run waits before it goes up to the next priority in use, where nobody says otherwise.
PATIENCE = 300.0
#: Dagster's own bound for the slots of a pool.
_MOST_SLOTS = 1_000

_POOL_NAME = re.compile(r"\S{1,255}")
_WORDS = ("priority", "limit")


@dataclass(frozen=True)
class Queue:
    """``limit`` is the most runs of it at a time, None if it has none of its own."""

    name: str
    priority: int = 0
    limit: int | None = None

    @property
    def tags(self) -> dict[str, str]:
        """What its runs are tagged with."""
        limit = {f"{QUEUE_LIMIT_TAG}{self.limit}": self.name} if self.limit is not None else {}
        return {QUEUE_TAG: self.name, **limit, PRIORITY_TAG: str(self.priority)}


@dataclass(frozen=True)
class Queues:
    """The queues of a code location by name; where there are none, a pipeline's own name of a queue is a mere tag.

    ``pools`` are the slots of each pool, ``patience`` is in seconds. ``profiles`` are the names of the profiles that
    serve all pipelines.
    """

    queues: Mapping[str, Queue] = field(default_factory=dict)
    profiles: frozenset[str] = frozenset()
    pools: Mapping[str, int] = field(default_factory=dict)
    patience: float = PATIENCE

    def tags(self, name: str | None, priority: int | None) -> dict[str, str]:
        """The tags of a run in that queue; ``priority`` beats the queue's. Raises NotFound, ParamsRefused."""
        if priority is not None and abs(priority) > HIGHEST_PRIORITY:
            raise ParamsRefused(
                f"priority {priority} is out of bounds",
                effect="Nothing was started.",
                remedy=f"Take a number from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}.",
                fields=(("priority", "is out of bounds", f"from -{HIGHEST_PRIORITY} to {HIGHEST_PRIORITY}"),),
            )
        own = {PRIORITY_TAG: str(priority)} if priority is not None else {}
        return {**self._of_queue(name), **own} if name is not None else own

    def _of_queue(self, name: str) -> dict[str, str]:
        if name in self.queues:
            return self.queues[name].tags
        if self.queues or not QUEUE_NAME.fullmatch(name):
            there = f"The queues are {', '.join(self.queues)}." if self.queues else "[tool.flowhub.queues] has none."
            remedy = did_you_mean(name, self.queues) or there
            raise NotFound(f"there is no queue {name[:100]!r}", effect="Nothing was started.", remedy=remedy)
        return {QUEUE_TAG: name}


def queues_of(table: Mapping[str, Any], project: Path) -> dict[str, Queue]:
    """The queues of [tool.flowhub.queues] in ``project``. Raises ProfileError."""
    return {name: _queue(name, values, project) for name, values in _table(table, "queues", project).items()}


def _queue(name: str, values: Any, project: Path) -> Queue:
    where = f"[tool.flowhub.queues.{name}]"
    if not QUEUE_NAME.fullmatch(name):
        raise ProfileError(
            f"[tool.flowhub.queues] {name!r} is not a word",
            where=project,
            remedy="name it by at most 63 letters, digits, '_', '-' and '.': nightly",
        )
    if not isinstance(values, dict):
        raise ProfileError(f"{where} is {values!r}, not a table", where=project, remedy=f"write {where} and limit = 1")
    for word in values:
        if word not in _WORDS:
            remedy = did_you_mean(word, _WORDS) or f"it has {listed(_WORDS)}"
            raise ProfileError(f"{where} has no setting {word!r}", where=project, remedy=remedy)
    priority = _whole(values.get("priority", 0), -HIGHEST_PRIORITY, HIGHEST_PRIORITY, f"{where} priority", project)
    if "limit" not in values:
        return Queue(name, priority)
    return Queue(name, priority, _whole(values["limit"], 1, MOST_CONCURRENT_RUNS, f"{where} limit", project))


def pools_of(table: Mapping[str, Any], project: Path) -> dict[str, int]:
    """The slots of each pool in [tool.flowhub.pools]. Raises ProfileError."""
    pools = _table(table, "pools", project)
    for name in pools:
        if not _POOL_NAME.fullmatch(name):
            raise ProfileError(
                f"[tool.flowhub.pools] {name!r} is empty or holds a blank", where=project, remedy="write db-lock = 1"
            )
    return {name: _whole(one, 0, _MOST_SLOTS, f"[tool.flowhub.pools] {name}", project) for name, one in pools.items()}


def patience_of(table: Mapping[str, Any], project: Path) -> float:
    """[tool.flowhub] patience, in seconds. Raises ProfileError."""
    patience = table.get("patience", PATIENCE)
    if isinstance(patience, bool) or not isinstance(patience, (int, float)) or not 0 <= patience < float("inf"):
        raise ProfileError(
            f"[tool.flowhub] patience is {patience!r}",
            where=project,
            remedy="write seconds, patience = 300; 0 lets no run go up, however long it has waited",
        )
    return float(patience)


def _table(table: Mapping[str, Any], name: str, project: Path) -> dict[str, Any]:
    found = table.get(name, {})
    if isinstance(found, dict):
        return found
    example = (
        "[tool.flowhub.queues.nightly] and limit = 1" if name == "queues" else "[tool.flowhub.pools] and db-lock = 1"
    )
    raise ProfileError(f"[tool.flowhub.{name}] is {found!r}, not a table", where=project, remedy=f"write {example}")


def _whole(value: Any, least: int, most: int, name: str, project: Path) -> int:
    if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
        return value
    raise ProfileError(f"{name} is {value!r}", where=project, remedy=f"write a whole number from {least} to {most}")
