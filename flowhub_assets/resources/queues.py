"""Queues that runs wait in, from [tool.flowhub.queues] of the user's pyproject.toml, as tags for Dagster's queue.

[tool.flowhub.queues.priority]
priority = 10      # a higher number goes first
limit = 1          # at most one run of it at a time
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from flowhub_assets.errors import NotFound
from flowhub_assets.ir.spelling import did_you_mean

QUEUE_TAG, PRIORITY_TAG = "flowhub/queue", "dagster/priority"


@dataclass(frozen=True)
class Queue:
    """``limit`` is the most runs of it at a time, None if it has none of its own."""

    name: str
    priority: int = 0
    limit: int | None = None


@dataclass(frozen=True)
class Queues:
    """The queues of a code location by name; where there are none, a pipeline's own name of a queue is a mere tag."""

    queues: Mapping[str, Queue] = field(default_factory=dict)
    profiles: frozenset[str] = frozenset()

    def tags(self, name: str | None, priority: int | None) -> dict[str, str]:
        """The tags of a run in that queue; ``priority`` beats the queue's. Raises NotFound."""
        tags: dict[str, str] = {}
        if name is not None:
            queue = self.queues.get(name)
            if queue is None and self.queues:
                remedy = did_you_mean(name, self.queues) or f"The queues are {', '.join(self.queues)}."
                raise NotFound(f"there is no queue {name[:100]!r}", effect="Nothing was started.", remedy=remedy)
            tags[QUEUE_TAG] = name
            if queue is not None and queue.priority:
                tags[PRIORITY_TAG] = str(queue.priority)
        if priority is not None:
            tags[PRIORITY_TAG] = str(priority)
        return tags
