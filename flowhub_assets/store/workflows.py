"""Workflows that were written over the API: YAML by name. Each change is a new version; earlier ones stay."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy import Connection, func, insert, select

from flowhub_assets.store.tables import workflows

_LONGEST = 255
#: Any number that nobody else locks.
_LOCK = 7_364_012


@dataclass(frozen=True)
class Workflow:
    """One version of a workflow; times are seconds since 1970, ``created`` is that of its first version ever."""

    name: str
    version: int
    text: str
    created: float
    changed: float
    changed_by: str


def lock(connection: Connection) -> None:
    """Whoever changes a workflow waits here until nobody else does: what was read before a change then still holds."""
    if connection.dialect.name == "postgresql":
        connection.execute(select(func.pg_advisory_xact_lock(_LOCK)))
    # On SQLite each transaction that writes has waited at its beginning.


def count(connection: Connection) -> int:
    """How many versions there are of all: as long as it stays the same nothing has changed."""
    return connection.execute(select(func.count()).select_from(workflows)).scalar_one()


def all_workflows(connection: Connection) -> list[Workflow]:
    """The newest version of each that was not deleted, by name."""
    query = _VERSIONS.where(workflows.c.version == _NEWEST.c.newest).order_by(workflows.c.name)
    return [Workflow(*row) for row in connection.execute(query)]


def find(connection: Connection, name: str, version: int | None = None) -> Workflow | None:
    """That version of it, also of one that was deleted later; without ``version`` the newest, if it is not deleted."""
    wanted = _NEWEST.c.newest if version is None else version
    query = _VERSIONS.where(workflows.c.name == name, workflows.c.version == wanted)
    row = connection.execute(query).one_or_none()
    return None if row is None else Workflow(*row)


def write(connection: Connection, name: str, text: str, by: str, now: float) -> Workflow:
    """Adds a version, after ``lock``."""
    version = _add(connection, name, text, by, now)
    found = find(connection, name, version)
    assert found is not None
    return found


def delete(connection: Connection, name: str, by: str, now: float) -> None:
    """Notes, after ``lock``, that there is none of that name any more; versions go on from there if it comes back."""
    _add(connection, name, None, by, now)


def _add(connection: Connection, name: str, text: str | None, by: str, now: float) -> int:
    query = select(func.max(workflows.c.version)).where(workflows.c.name == name)
    version = int(connection.execute(query).scalar() or 0) + 1
    values = {"text": text, "changed": now, "changed_by": by[:_LONGEST]}
    connection.execute(insert(workflows).values(name=name, version=version, **values))
    return version


_NEWEST = (
    select(
        workflows.c.name, func.max(workflows.c.version).label("newest"), func.min(workflows.c.changed).label("created")
    )
    .group_by(workflows.c.name)
    .subquery("newest")
)
_VERSIONS = (
    select(
        *(workflows.c[name] for name in ("name", "version", "text")),
        _NEWEST.c.created,
        *(workflows.c[name] for name in ("changed", "changed_by")),
    )
    .join(_NEWEST, _NEWEST.c.name == workflows.c.name)
    .where(workflows.c.text.is_not(None))
)
