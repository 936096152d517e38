"""A table of a database that follows a file: only what changed is written, and nothing is deleted."""

from __future__ import annotations

import datetime
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, TypeVar

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.ml.schema import Column
from flowhub_assets.nodes.databases.sql_engine import in_transaction
from flowhub_assets.nodes.databases.sql_tables import split_table_name
from flowhub_assets.nodes.event_loops import run_in_loop
from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.runtime.profile_references import resolved

if TYPE_CHECKING:
    from sqlalchemy import Connection, Table

Result = TypeVar("Result")

#: The profile's key, and the file that is taken without it.
_KEY, _FILE = "DATABASE_URL", "database.sqlite"

#: The column of a row that its file no longer has: since which day.
GONE_SINCE = "gone_since"

_SECONDS = 300.0


def database_url(env: Mapping[str, Any]) -> str:
    """DATABASE_URL of the profile, or a SQLite file in its WORKSPACE. Raises ProfileError if it has neither."""
    given = resolved({_KEY: env[_KEY]}, os.environ)[_KEY] if env.get(_KEY) else ""
    if given:
        if not isinstance(given, str):
            raise ProfileError(f"{_KEY} is {type(given).__name__}, not text", remedy=f"Write {_KEY} as a URL.")
        return given
    if not env.get("WORKSPACE"):
        raise ProfileError(
            "the profile names no database",
            effect="There is nowhere to put a table.",
            remedy=f"Give it {_KEY}, {{'env': '{_KEY}'}} say, or WORKSPACE for a SQLite file in there.",
        )
    folder = os.path.abspath(os.path.expanduser(os.fspath(env["WORKSPACE"])))
    os.makedirs(folder, exist_ok=True)
    return f"sqlite:///{os.path.join(folder, _FILE)}"


def update_table(
    name: str,
    columns: Sequence[Column],
    key: str,
    rows: Sequence[Mapping[str, Any]],
    env: Mapping[str, Any],
    *,
    newest: str = "",
    present: Iterable[Any] = (),
) -> dict[str, Any]:
    """Brings the table up to ``rows``, which are typed by ``columns``, in one transaction; made if it is not there.

    A row whose ``key`` is new is inserted, one that differs is updated, an equal one is not touched, so a second run
    changes nothing. Where the column ``newest`` says that the table's row is newer, that one stays (``stale``). A
    row of the table that neither ``rows`` nor ``present`` (keys) have is kept, and its column ``gone_since`` says since
    which day (UTC); it is cleared when the row comes back. Where all of ``rows`` are older than the table's newest
    row, they say nothing of who is gone or back. Two loads at once wait for one another.

    Returns {table, database, rows, inserted, updated, unchanged, stale, gone, returned, newest}. Raises InputError
    for what the database refuses, without a password, and ProfileError.
    """
    today = datetime.datetime.now(datetime.UTC).date()

    def work(connection: Connection) -> dict[str, Any]:
        table = _locked_table(connection, name, columns, key)
        plan = _Plan(table, columns, key, newest)
        return plan.bring_up(connection, rows, {*present}, today)

    return _done(env, work, f"the load into {name}")


def read_table(name: str, columns: Sequence[Column], env: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The rows of the table that its file still has, by their key (the first column), as ``columns`` type them."""
    import sqlalchemy

    def work(connection: Connection) -> list[dict[str, Any]]:
        table = _table(name, columns, columns[0].name)
        query = sqlalchemy.select(*(table.c[column.name] for column in columns)).where(table.c[GONE_SINCE].is_(None))
        found = connection.execute(query.order_by(table.c[columns[0].name])).mappings()
        return [{name: _plain(value) for name, value in row.items()} for row in found]

    return _done(env, work, f"reading {name}", read_only=True)


class _Plan:
    """What is to be written where."""

    def __init__(self, table: Table, columns: Sequence[Column], key: str, newest: str) -> None:
        self._table, self._key, self._newest = table, key, newest
        self._names = [column.name for column in columns]
        self._dates = {column.name for column in columns if column.type == "date"}

    def bring_up(
        self, connection: Connection, rows: Sequence[Mapping[str, Any]], present: set[Any], today: datetime.date
    ) -> dict[str, Any]:
        import sqlalchemy

        table, key = self._table, self._key
        there = {row[key]: dict(row) for row in connection.execute(sqlalchemy.select(table)).mappings()}
        late = self._is_late(rows, there.values())
        inserted, updated, counts = [], [], {"unchanged": 0, "stale": 0, "returned": 0}
        for given in rows:
            row = {name: self._stored(name, given[name]) for name in self._names}
            old = there.get(row[key])
            if old is None:
                inserted.append({**row, GONE_SINCE: None})
                continue
            stale, back = self._is_stale(row, old), old[GONE_SINCE] is not None and not late
            counts["stale"] += stale
            counts["returned"] += back
            wanted = {**(old if stale else row), GONE_SINCE: old[GONE_SINCE] if late else None}
            if any(old[name] != value for name, value in wanted.items()):
                updated.append(wanted)
            else:
                counts["unchanged"] += not stale
        known = {row[key] for row in rows} | present
        left = [old for one, old in there.items() if one not in known and old[GONE_SINCE] is None and not late]
        if inserted:
            connection.execute(table.insert(), inserted)
        self._update(connection, [*updated, *({**old, GONE_SINCE: today} for old in left)])
        newest = None
        if self._newest:
            newest = connection.execute(sqlalchemy.select(sqlalchemy.func.max(table.c[self._newest]))).scalar()
        return {
            "table": table.name,
            "database": connection.dialect.name,
            "rows": len(there) + len(inserted),
            "inserted": len(inserted),
            "updated": len(updated),
            **counts,
            "gone": len(left),
            "newest": _plain(newest),
        }

    def _update(self, connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
        import sqlalchemy

        if not rows:
            return
        names = [name for name in [*self._names, GONE_SINCE] if name != self._key]
        # A bound name may not be a column's own.
        changes: dict[str, Any] = {name: sqlalchemy.bindparam(f"new_{name}") for name in names}
        its = self._table.c[self._key] == sqlalchemy.bindparam("its_key")
        bound = [{"its_key": row[self._key], **{f"new_{name}": row[name] for name in names}} for row in rows]
        connection.execute(self._table.update().where(its).values(changes), bound)

    def _is_stale(self, row: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
        name = self._newest
        return bool(name) and row[name] is not None and old[name] is not None and row[name] < old[name]

    def _is_late(self, rows: Sequence[Mapping[str, Any]], there: Iterable[Mapping[str, Any]]) -> bool:
        """Whether the newest of all ``rows`` is older than what is there: then they do not say who is gone or back."""
        name = self._newest
        given = [row[name] for row in rows if name and row[name] is not None]
        known = [row[name].isoformat() if name in self._dates else row[name] for row in there if name and row[name]]
        return bool(given and known) and max(given) < max(known)

    def _stored(self, name: str, value: Any) -> Any:
        return datetime.date.fromisoformat(value) if name in self._dates and value is not None else value


def _locked_table(connection: Connection, name: str, columns: Sequence[Column], key: str) -> Table:
    import sqlalchemy

    if connection.dialect.name == "postgresql":
        # Until the transaction ends: two loads would both find a row missing and both insert it.
        lock = sqlalchemy.func.pg_advisory_xact_lock(sqlalchemy.func.hashtext(f"flowhub:{name}"))
        connection.execute(sqlalchemy.select(lock))
    table = _table(name, columns, key)
    table.create(connection, checkfirst=True)
    return table


def _table(name: str, columns: Sequence[Column], key: str) -> Table:
    import sqlalchemy

    types = {"number": sqlalchemy.Double, "integer": sqlalchemy.BigInteger, "date": sqlalchemy.Date}
    schema, table = split_table_name(name)
    return sqlalchemy.Table(
        table,
        sqlalchemy.MetaData(),
        *(
            sqlalchemy.Column(
                column.name,
                types.get(column.type, sqlalchemy.Text)(),
                primary_key=column.name == key,
                autoincrement=False,
                nullable=column.nullable,
            )
            for column in columns
        ),
        sqlalchemy.Column(GONE_SINCE, sqlalchemy.Date()),
        schema=schema,
    )


def _done(env: Mapping[str, Any], work: Callable[[Connection], Result], doing: str, read_only: bool = False) -> Result:
    try:
        return run_in_loop(in_transaction(database_url(env), work, seconds=_SECONDS, doing=doing, read_only=read_only))
    except NodeError as error:
        effect = "" if read_only else "Nothing was written."
        raise InputError(error.what, effect=effect, remedy=error.remedy) from None


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, datetime.date) else value
