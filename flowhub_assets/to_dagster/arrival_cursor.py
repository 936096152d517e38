"""Which objects are new: what a sensor remembers from one tick to the next, and how a tick goes on with it.

S3 lists by key, not by time, and an object can come late: it is listed only after others with a later time, for a
multipart upload has the time of its start, several servers share a bucket, and clocks jump. So there are three kinds:

    modified ≤ since           done: whatever comes late by less than ``lateness`` is not among them
    since < modified ≤ until   settled: none is added any more, so the place in the list, ``at``, tells which are done
    until < modified           fresh: more may be added before and behind; those taken are remembered one by one

A pass goes through the list once, over as many ticks as that takes. At its end ``until`` becomes ``since``. Of the
fresh ones at most MOST_REMEMBERED are taken; the others wait for a pass in which they are settled. So the cursor is
bounded, and each version of an object (key, time, content) that stays until it is listed is taken exactly once.

Times are in microseconds since 1970.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.resources.object_pages import EVER, ObjectPage, StoredObject

#: The most fresh objects that a cursor remembers, of eight bytes each.
MOST_REMEMBERED = 10_000
_SIZE = 8


@dataclass(frozen=True)
class Cursor:
    """See the module. ``before`` are the fresh ones of earlier passes, ``taken`` those of this one: seen, or taken now.

    ``since`` is None until the first pass has ended; ``until`` is None, and ``at`` is "", where a pass begins.
    """

    since: int | None = None
    until: int | None = None
    at: str = ""
    before: frozenset[bytes] = frozenset()
    taken: frozenset[bytes] = frozenset()

    def text(self) -> str:
        """As the sensor keeps it; less than 150 kB."""
        written = {"since": self.since, "until": self.until, "at": self.at, "before": _packed(self.before)}
        return json.dumps({**written, "taken": _packed(self.taken)}, ensure_ascii=False)

    @classmethod
    def of(cls, text: str | None) -> Cursor:
        """Reads ``text``; none is that of a first tick. Raises InputError."""
        if not text:
            return cls()
        try:
            read = json.loads(text)
            since, until, at = read["since"], read["until"], read["at"]
            whole = [isinstance(one, int) or one is None for one in (since, until)]
            if not (all(whole) and isinstance(at, str)):
                raise ValueError
            return cls(since, until, at, _unpacked(read["before"]), _unpacked(read["taken"]))
        except (ValueError, LookupError, TypeError, RecursionError, binascii.Error):
            raise InputError(
                f"{text[:60]!r} is no cursor of this sensor",
                effect="Nothing is taken: which objects are new is not known.",
                remedy="Reset the sensor's cursor; it begins anew then.",
            ) from None


@dataclass
class Taken:
    """What a tick takes, in the order of the list, and the cursor for the next one.

    ``seen`` counts the objects of all pages that it looked at, ``waiting`` fresh ones beyond what can be remembered.
    ``more`` says that the pass goes on at the next tick.
    """

    objects: list[StoredObject] = field(default_factory=list)
    cursor: Cursor = field(default_factory=Cursor)
    seen: int = 0
    waiting: int = 0
    more: bool = False


@dataclass(frozen=True)
class Bounds:
    """Bounds of a tick: how late an object may come (microseconds), how many are taken, how many are remembered."""

    lateness: int
    most: int
    remembered: int = MOST_REMEMBERED


def take(
    cursor: Cursor,
    pages: Iterable[ObjectPage],
    bounds: Bounds,
    *,
    now: int,
    wanted: Callable[[str], bool] = lambda _: True,
    existing: bool = True,
    in_time: Callable[[], bool] = lambda: True,
) -> Taken:
    """Goes on with the pass through ``pages``, the list behind ``cursor.at``, and takes what is new and ``wanted``.

    ``now`` is this machine's clock. Neither it nor the storage's alone can make objects old: the earlier one counts.
    Without ``existing`` a first pass takes nothing, so that only what comes later is new. It ends with the page after
    which it is not ``in_time`` any more.
    """
    tick = _Tick(cursor, bounds, quiet=cursor.since is None and not existing)
    for page in pages:
        tick.begin(min(page.clock, now))
        tick.seen += page.seen
        for one in page.objects:
            if tick.is_new(one) and wanted(one.key):
                tick.look_at(one)
                if len(tick.found) == bounds.most:
                    return tick.paused(one.key)
        if page.seen and not in_time():
            return tick.paused(page.last)
    return tick.ended()


class _Tick:
    def __init__(self, cursor: Cursor, bounds: Bounds, *, quiet: bool) -> None:
        self._cursor, self._bounds, self._quiet = cursor, bounds, quiet
        self._since = EVER if cursor.since is None else cursor.since
        self._until = cursor.until
        self._before, self._taken = set(cursor.before), set(cursor.taken)
        self._waiting = 0
        self.found: list[StoredObject] = []
        self.seen = 0

    def begin(self, clock: int) -> None:
        """Where a pass begins, what is older than the lateness is settled."""
        if self._until is None:
            self._until = max(self._since, clock - self._bounds.lateness)

    def is_new(self, one: StoredObject) -> bool:
        return one.modified > self._since

    def look_at(self, one: StoredObject) -> None:
        mark = fingerprint(one)
        settled = self._until is not None and one.modified <= self._until
        if mark in self._before or mark in self._taken:
            if not settled:
                self._before.discard(mark)
                self._taken.add(mark)
            return
        if not settled:
            if len(self._before) + len(self._taken) >= self._bounds.remembered:
                self._waiting += 1
                return
            self._taken.add(mark)
        if not self._quiet:
            self.found.append(one)

    def paused(self, at: str) -> Taken:
        cursor = Cursor(self._cursor.since, self._until, at, frozenset(self._before), frozenset(self._taken))
        return Taken(self.found, cursor, self.seen, self._waiting, more=True)

    def ended(self) -> Taken:
        cursor = replace(Cursor(since=self._until), before=frozenset(self._taken))
        return Taken(self.found, cursor, self.seen, self._waiting)


def fingerprint(one: StoredObject) -> bytes:
    """Eight bytes that tell this version of the object from all others."""
    told: list[Any] = [one.key, one.modified, one.size, one.etag]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=_SIZE).digest()


def _packed(marks: frozenset[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(marks))).decode()


def _unpacked(text: str) -> frozenset[bytes]:
    data = base64.b64decode(text, validate=True)
    return frozenset(data[at : at + _SIZE] for at in range(0, len(data), _SIZE))
