"""What sensors have started or told, each by a topic and a key, so that it happens once in its lifetime."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Connection, delete, insert, select, update

from flowhub_assets.store.tables import seen


@dataclass(frozen=True)
class Seen:
    """One key. ``time`` and ``expires`` are seconds since 1970, ``detail`` is whatever its topic wants to know."""

    topic: str
    key: str
    time: float
    expires: float
    detail: str = ""


def find(connection: Connection, topic: str, key: str, now: float) -> Seen | None:
    """The key, if it is there and its lifetime is not over."""
    where = (seen.c.topic == topic, seen.c.key == key, seen.c.expires > now)
    row = connection.execute(select(seen).where(*where)).one_or_none()
    return None if row is None else _seen(row)


def keep(connection: Connection, new: Seen) -> None:
    """Keeps a key, in place of what was kept of it. Raises IntegrityError if another one does so at this moment."""
    connection.execute(delete(seen).where(seen.c.topic == new.topic, seen.c.key == new.key))
    values = {"time": new.time, "expires": new.expires, "detail": new.detail}
    connection.execute(insert(seen).values(topic=new.topic, key=new.key, **values))


def keep_first(connection: Connection, new: Seen) -> bool:
    """Keeps a key unless it is held: whether it was kept."""
    if find(connection, new.topic, new.key, new.time) is not None:
        return False
    keep(connection, new)
    return True


def all_of(connection: Connection, topic: str, now: float, most: int = 1_000) -> Sequence[Seen]:
    """The keys of a topic whose lifetime is not over, the oldest first."""
    where = (seen.c.topic == topic, seen.c.expires > now)
    query = select(seen).where(*where).order_by(seen.c.time, seen.c.key).limit(most)
    return [_seen(row) for row in connection.execute(query)]


def set_detail(connection: Connection, topic: str, key: str, detail: str) -> None:
    """Changes what is known of a key; nothing where it is not there."""
    connection.execute(update(seen).where(seen.c.topic == topic, seen.c.key == key).values(detail=detail))


def drop(connection: Connection, topic: str, key: str) -> bool:
    """Gives a key back; whether it was there."""
    return connection.execute(delete(seen).where(seen.c.topic == topic, seen.c.key == key)).rowcount > 0


def forget(connection: Connection, now: float) -> None:
    """Drops what has outlived its lifetime."""
    connection.execute(delete(seen).where(seen.c.expires <= now))


def _seen(row: Any) -> Seen:
    return Seen(row.topic, row.key, row.time, row.expires, row.detail)
