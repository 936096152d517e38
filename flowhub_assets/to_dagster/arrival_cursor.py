"""Which objects are new: what a sensor remembers from one tick to the next, and how a tick goes on with it.

S3 lists by key, not by time, and an object can come late: it is listed only after others with a later time, for a
multipart upload has the time of its start, several servers share a bucket, and clocks jump. So there are three kinds:

    modified ≤ since           done: whatever comes late by less than ``lateness`` is not among them
    since < modified ≤ until   settled: none is added any more, so the place in the list, ``at``, tells which are done
    until < modified           fresh: more may be added before and behind; those taken are remembered one by one

A pass goes through the list once, over as many ticks as that takes. At its end ``until`` becomes ``since``. Of the
fresh ones at most MOST_REMEMBERED are taken; the others wait for a pass in which they are settled. So the cursor is
bounded, and each version of an object (key, time, content) that stays until it is listed is taken exactly once.

A tick in which the pass does not end looks at the end of the list, too. Of what it sees there it takes fresh ones
alone, which the pass will know again; settled ones are left to the pass. So a look there changes when an object is
taken and nothing else, and may be left out, or begin anywhere behind ``at``.

Times are in microseconds since 1970.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass, field
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.resources.object_pages import EVER, ObjectPage, StoredObject
from flowhub_assets.to_dagster.arrival_extent import TAIL_PAGES, Extent, Walked

#: The most fresh objects that a cursor remembers, of eight bytes each.
MOST_REMEMBERED = 10_000
_SIZE = 8
#: The end of the list is looked at until the tick has taken so many times as long as the pass alone may.
_WITH_TAIL = 2


@dataclass(frozen=True)
class Cursor:
    """See the module. ``before`` are the fresh ones of earlier passes, ``taken`` those of this one: seen, or taken now.

    ``since`` is None until the first pass has ended; ``until`` is None, and ``at`` is "", where a pass begins.
    ``extent`` is a matter of speed alone; cursors of earlier versions have none.
    """

    since: int | None = None
    until: int | None = None
    at: str = ""
    before: frozenset[bytes] = frozenset()
    taken: frozenset[bytes] = frozenset()
    extent: Extent = field(default_factory=Extent)

    def text(self) -> str:
        """As the sensor keeps it; less than 150 kB."""
        written = {"since": self.since, "until": self.until, "at": self.at, "before": _packed(self.before)}
        marks = {**written, "taken": _packed(self.taken)}
        return json.dumps({**marks, "extent": asdict(self.extent)}, ensure_ascii=False)

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
            extent = Extent.of(read["extent"]) if "extent" in read else Extent()
            return cls(since, until, at, _unpacked(read["before"]), _unpacked(read["taken"]), extent)
        except (ValueError, LookupError, TypeError, RecursionError, binascii.Error):
            raise InputError(
                f"{text[:60]!r} is no cursor of this sensor",
                effect="Nothing is taken: which objects are new is not known.",
                remedy="Reset the sensor's cursor; it begins anew then.",
            ) from None


@dataclass
class Taken:
    """What a tick takes, in the order of the list, and the cursor for the next one.

    ``seen`` counts the objects of all pages that it looked at, ``tail`` those at the end of the list, where the pass
    has not come yet, ``waiting`` fresh ones beyond what can be remembered. ``more`` says that the pass goes on at the
    next tick.
    """

    objects: list[StoredObject] = field(default_factory=list)
    cursor: Cursor = field(default_factory=Cursor)
    seen: int = 0
    tail: int = 0
    waiting: int = 0
    more: bool = False


@dataclass(frozen=True)
class Bounds:
    """Bounds of a tick: how late an object may come (microseconds), how many are taken, how many are remembered.

    A tick goes on with the pass for ``short`` seconds, and longer if the pass would else take more than ``looks``
    ticks, or is the first one; but not longer than ``long`` seconds. Then it looks at the end of the list.
    """

    lateness: int
    most: int
    remembered: int = MOST_REMEMBERED
    looks: int = 10
    short: float = 2.0
    long: float = 20.0


def take(
    cursor: Cursor,
    pages: Callable[[str], Iterable[ObjectPage]],
    bounds: Bounds,
    *,
    now: int,
    wanted: Callable[[str], bool] = lambda _: True,
    existing: bool = True,
    seconds: Callable[[], float] = lambda: 0.0,
) -> Taken:
    """Goes on with the pass through the list, and takes what is new and ``wanted``.

    ``pages`` gives the list behind a key. ``now`` is this machine's clock. Neither it nor the storage's alone can make
    objects old: the earlier one counts. Without ``existing`` a first pass takes nothing, so that only what comes later
    is new. ``seconds`` tells since when the tick runs.
    """
    tick = _Tick(cursor, bounds, wanted, quiet=cursor.since is None and not existing)
    for page in pages(cursor.at):
        tick.begin(min(page.clock, now))
        if not tick.walk(page):
            break
        if page.seen and tick.is_enough(seconds()):
            tick.at = page.last
            break
    else:
        return tick.ended()
    if tick.may_peek(seconds()):
        tick.peek(pages, seconds)
    return tick.paused()


class _Tick:
    def __init__(self, cursor: Cursor, bounds: Bounds, wanted: Callable[[str], bool], *, quiet: bool) -> None:
        self._cursor, self._bounds, self._wanted, self._quiet = cursor, bounds, wanted, quiet
        self._since = EVER if cursor.since is None else cursor.since
        self._until = cursor.until
        self._before, self._taken = set(cursor.before), set(cursor.taken)
        self._extent, self._walked = cursor.extent, Walked()
        self._found: list[StoredObject] = []
        self._seen = self._tail = self._waiting = 0
        self.at = cursor.at

    def begin(self, clock: int) -> None:
        """Where a pass begins, what is older than the lateness is settled."""
        if self._until is None:
            self._until = max(self._since, clock - self._bounds.lateness)

    def walk(self, page: ObjectPage) -> bool:
        """Takes what is new on the page; False if that is the most of a tick, and then ``at`` is where it ended."""
        self._seen += page.seen
        for number, one in enumerate(page.objects, 1):
            if self._is_new(one):
                self._look_at(one)
                if len(self._found) == self._bounds.most:
                    self._walked.add(one.key, number)
                    self.at = one.key
                    return False
        self._walked.add(page.last, page.seen)
        return True

    def is_enough(self, seconds: float) -> bool:
        """Whether the pass has gone on for long enough."""
        if seconds >= self._bounds.long:
            return True
        is_first = self._cursor.since is None
        return not is_first and seconds >= self._bounds.short and self._extent.is_share(self._seen, self._bounds.looks)

    def may_peek(self, seconds: float) -> bool:
        """Whether an end of the list is known, and there is time and room for what is new there."""
        is_late = seconds >= _WITH_TAIL * self._bounds.long
        return bool(self._extent.tail) and not is_late and len(self._found) < self._bounds.most

    def peek(self, pages: Callable[[str], Iterable[ObjectPage]], seconds: Callable[[], float]) -> None:
        """Takes what is fresh at the end of the list, behind ``at``."""
        start, walked = max(self._extent.tail, self.at), Walked()
        for number, page in enumerate(pages(start), 1):
            self._tail += page.seen
            if not self._take_fresh(page):
                break
            walked.add(page.last, page.seen)
            if number == TAIL_PAGES or not self.may_peek(seconds()):
                break
        self._extent = self._extent.peeked(start, walked)

    def _take_fresh(self, page: ObjectPage) -> bool:
        for one in page.objects:
            if not self._is_settled(one) and self._is_new(one):
                self._look_at(one)
                if len(self._found) == self._bounds.most:
                    return False
        return True

    def _is_new(self, one: StoredObject) -> bool:
        return one.modified > self._since and self._wanted(one.key)

    def _is_settled(self, one: StoredObject) -> bool:
        return self._until is not None and one.modified <= self._until

    def _look_at(self, one: StoredObject) -> None:
        mark, settled = fingerprint(one), self._is_settled(one)
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
            self._found.append(one)

    def paused(self) -> Taken:
        marks = frozenset(self._before), frozenset(self._taken)
        extent = self._extent.paused(self._cursor.at, self._walked)
        return self._told(Cursor(self._cursor.since, self._until, self.at, *marks, extent), more=True)

    def ended(self) -> Taken:
        extent = self._extent.ended(self._cursor.at, self._walked)
        return self._told(Cursor(since=self._until, before=frozenset(self._taken), extent=extent), more=False)

    def _told(self, cursor: Cursor, *, more: bool) -> Taken:
        return Taken(self._found, cursor, self._seen, self._tail, self._waiting, more)


def fingerprint(one: StoredObject) -> bytes:
    """Eight bytes that tell this version of the object from all others."""
    told: list[Any] = [one.key, one.modified, one.size, one.etag]
    return hashlib.blake2b(json.dumps(told).encode(), digest_size=_SIZE).digest()


def _packed(marks: frozenset[bytes]) -> str:
    return base64.b64encode(b"".join(sorted(marks))).decode()


def _unpacked(text: str) -> frozenset[bytes]:
    data = base64.b64decode(text, validate=True)
    return frozenset(data[at : at + _SIZE] for at in range(0, len(data), _SIZE))
