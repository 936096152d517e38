"""How far a sensor's look goes into a long list, and from where on its end is looked at each time.

A list that is short, or listed quickly, is gone through at each look. Of a longer one a look goes through a share, so
that the whole is gone through within a number of looks; and through the end, behind all keys but some hundred, for most
keys that are new sort behind the known ones: dates, sequence numbers, ULIDs.

All this decides when an object is looked at, never whether it is taken: see arrival_cursor.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

#: The end of a list has at least so many objects, which may come somewhat out of their keys' order.
TAIL = 500
#: The most pages of a look at the end. If more have come since the last look, the next one goes on behind them.
TAIL_PAGES = 3


@dataclass(frozen=True)
class Extent:
    """What the last pass told of the list, its number of objects and where its end begins; and this pass until now.

    ``tail`` and ``behind`` are keys that at least TAIL objects followed, "" if there is none; after a pass of which
    each look took less, ``tail`` is where its last one began.
    """

    size: int = 0
    tail: str = ""
    seen: int = 0
    behind: str = ""

    @classmethod
    def of(cls, read: dict[str, Any]) -> Extent:
        """From a cursor. Raises ValueError, KeyError or TypeError for anything else."""
        size, tail, seen, behind = read["size"], read["tail"], read["seen"], read["behind"]
        if not all(type(one) is int and one >= 0 for one in (size, seen)):
            raise ValueError
        if not all(isinstance(one, str) for one in (tail, behind)):
            raise ValueError
        return cls(size, tail, seen, behind)

    def is_share(self, seen: int, looks: int) -> bool:
        """Whether ``seen`` objects of a look are enough for a pass over so many looks."""
        return seen * looks >= max(self.size, self.seen)

    def paused(self, at: str, walked: Walked) -> Extent:
        """After a look that began behind ``at``, in a pass that goes on."""
        return replace(self, seen=self.seen + walked.objects, behind=walked.tail(at) or self.behind)

    def ended(self, at: str, walked: Walked) -> Extent:
        """After a look that began behind ``at`` and reached the end of the list."""
        return Extent(self.seen + walked.objects, walked.tail(at) or self.behind or at)

    def peeked(self, at: str, walked: Walked) -> Extent:
        """After a look at the end, behind ``at``."""
        return replace(self, tail=walked.tail(at) or self.tail)


class Walked:
    """The pages of the list that were gone through, one behind the other."""

    def __init__(self) -> None:
        self.objects = 0
        self._ends: list[tuple[str, int]] = []

    def add(self, last: str, objects: int) -> None:
        """A page, or its beginning until its object ``last``."""
        if objects:
            self.objects += objects
            self._ends.append((last, objects))

    def tail(self, start: str) -> str:
        """The last of ``start`` and the pages' ends that TAIL objects follow; "" if there is none."""
        return _tail([(start, 0), *self._ends])


def _tail(ends: Sequence[tuple[str, int]]) -> str:
    following = 0
    for key, objects in reversed(ends):
        if following >= TAIL:
            return key
        following += objects
    return ""
