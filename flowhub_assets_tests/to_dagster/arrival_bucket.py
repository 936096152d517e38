"""A list of objects for the tests of object arrival, and ticks over it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.resources.object_pages import ObjectPage, StoredObject
from flowhub_assets.to_dagster.arrival_cursor import Bounds, Cursor, Taken, take

LATENESS = 10


@dataclass
class Bucket:
    """Objects by key, and the time of the server."""

    objects: dict[str, StoredObject] = field(default_factory=dict)
    clock: int = 1000
    page: int = 1000
    #: How many pages were asked for.
    asked: int = 0

    def put(self, key: str, late: int = 0, etag: str = "") -> StoredObject:
        """Stores an object with a time that lies ``late`` before now."""
        self.objects[key] = StoredObject(key, self.clock - late, 1, etag)
        return self.objects[key]

    def pages(self, after: str) -> Iterator[ObjectPage]:
        """The list behind a key."""
        found = [self.objects[key] for key in sorted(self.objects) if key > after]
        for at in range(0, max(1, len(found)), self.page):
            page = found[at : at + self.page]
            self.asked += 1
            yield ObjectPage(page, self.clock, len(page), page[-1].key if page else "")


def tick(bucket: Bucket, cursor: Cursor, most: int = 1000, remembered: int = 1000, **words: Any) -> Taken:
    """What a tick of the bucket's own time takes."""
    told = {"now": bucket.clock, **words}
    return take(cursor, bucket.pages, Bounds(LATENESS, most, remembered), **told)


def keys(taken: Taken) -> list[str]:
    """The keys of what was taken."""
    return [one.key for one in taken.objects]


def long_list(objects: int, page: int) -> tuple[Bucket, Cursor]:
    """A bucket whose pages are slow, and the cursor after a first pass that has taken all of it."""
    bucket = Bucket(page=page)
    for number in range(objects):
        bucket.put(f"{number:05}")
    bucket.clock += LATENESS + 1
    cursor = tick(bucket, Cursor(), most=objects + 1).cursor
    bucket.asked = 0
    return bucket, cursor


def slow(bucket: Bucket, cursor: Cursor, **words: Any) -> Taken:
    """A tick in which each list takes longer than a short one."""
    return tick(bucket, cursor, seconds=lambda: 3.0, **words)
