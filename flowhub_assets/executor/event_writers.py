"""Writes many events in one transaction, into the tables and rows that Dagster's own storages write one by one."""

from __future__ import annotations

import contextlib
import sqlite3
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, Protocol

from flowhub_assets.executor.dagster_private import ASSET_EVENTS, EventLogEntry
from flowhub_assets.executor.dagster_storages import (
    SQLITE_BUSY_TIMEOUT_SECONDS,
    ConsolidatedSqliteEventLogStorage,
    EventLogStorage,
    SqlEventLogStorage,
    SqliteEventLogStorage,
)
from flowhub_assets.executor.kept_engines import KeptEngines, once_true

_COLUMNS = ("run_id", "event", "dagster_event_type", "timestamp", "step_key", "asset_key", "partition")
#: Seconds after which an idle connection to PostgreSQL is not trusted any more: what lies between may have cut it.
_RECYCLE = 60


class EventWriter(Protocol):
    """One storage's way to write many events."""

    def write(self, events: Sequence[EventLogEntry]) -> None:
        """Returns when all of them are durable, in this order."""

    def patches(self) -> dict[str, Callable[..., Any]]:
        """Methods for the storage to have meanwhile; ``_connect`` is one of them."""

    def close(self) -> None:
        """Gives back what was kept open."""


def writer_for(storage: EventLogStorage) -> EventWriter | None:
    """The writer of a storage of Dagster's own; None for any other, which is written to event by event."""
    kind = type(storage)
    if kind is SqliteEventLogStorage:
        return _ShardedSqlite(storage)
    if kind is ConsolidatedSqliteEventLogStorage:
        return _ConsolidatedSqlite(storage)
    postgres = sys.modules.get("dagster_postgres.event_log.event_log")
    if postgres is not None and kind is postgres.PostgresEventLogStorage:
        return _Postgres(storage)
    return None


class _ShardedSqlite:
    """A database for each run, and the index: events of assets across all runs."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._files: dict[str, _SqliteFile] = {}
        self._engines = KeptEngines()
        self._connect_first = storage._connect

    def patches(self) -> dict[str, Callable[..., Any]]:
        return {"_connect": self._connect, **_known_once(self._storage)}

    @contextlib.contextmanager
    def _connect(self, shard: str) -> Iterator[Any]:
        if shard not in self._storage._initialized_dbs:
            with self._connect_first(shard):
                pass  # makes the tables
        with self._storage._db_lock, self._engines.transaction(self._storage.conn_string_for_shard(shard)) as opened:
            yield opened

    def write(self, events: Sequence[EventLogEntry]) -> None:
        # The index first: if the process dies in between, the asset is known, and the step is tried again.
        asset_events = _of_assets(events)
        if asset_events:
            with self._storage.index_transaction() as connection:
                for event in asset_events:
                    _insert_asset_event(self._storage, connection, event)
        runs: dict[str, list[EventLogEntry]] = {}
        for event in events:
            runs.setdefault(event.run_id, []).append(event)
        for run_id, own in runs.items():
            self._file_of(run_id).insert(_row(self._storage, event) for event in own)

    def close(self) -> None:
        for file in self._files.values():
            file.close()
        self._files.clear()
        self._engines.close()

    def _file_of(self, run_id: str) -> _SqliteFile:
        if run_id not in self._files:
            with self._storage.run_connection(run_id):
                pass  # makes the tables, if this is the run's first event
            self._files[run_id] = _SqliteFile(self._storage.path_for_shard(run_id))
        return self._files[run_id]


class _ConsolidatedSqlite:
    """One database for all runs."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._file = _SqliteFile(storage.get_db_path())
        self._engines = KeptEngines()

    def patches(self) -> dict[str, Callable[..., Any]]:
        return {
            "_connect": lambda: self._engines.transaction(self._storage._conn_string),
            **_known_once(self._storage),
        }

    def write(self, events: Sequence[EventLogEntry]) -> None:
        if not _of_assets(events):
            self._file.insert(_row(self._storage, event) for event in events)
            return
        with self._storage.index_transaction() as connection:
            for event in events:
                if _of_assets([event]):
                    _insert_asset_event(self._storage, connection, event)
                else:
                    connection.execute(self._storage.prepare_insert_event(event))

    def close(self) -> None:
        self._file.close()
        self._engines.close()


class _Postgres:
    """One statement for a batch, over a connection that is kept."""

    _INSERT = (
        f"WITH told AS (INSERT INTO event_logs ({', '.join(_COLUMNS)})"
        " SELECT run_id, event, type, timestamp, step_key, asset_key, partition FROM"
        " unnest(%s::text[], %s::text[], %s::text[], %s::timestamp[], %s::text[], %s::text[], %s::text[])"
        " WITH ORDINALITY AS new (run_id, event, type, timestamp, step_key, asset_key, partition, place)"
        " ORDER BY place RETURNING id, run_id)"
        # Nobody of this version listens any more, but a web server of an older one may.
        " SELECT id, pg_notify('run_events', run_id || '_' || id) FROM told ORDER BY id"
    )

    def __init__(self, storage: Any) -> None:
        self._storage = storage
        self._engine = storage._engine
        # Dagster opens a connection for each query, as its web server does not.
        storage.optimize_for_webserver(statement_timeout=0, pool_recycle=_RECYCLE, max_overflow=20)

    def patches(self) -> dict[str, Callable[..., Any]]:
        return {"_connect": self._storage._connect, "has_table": once_true(self._storage.has_table)}

    def write(self, events: Sequence[EventLogEntry]) -> None:
        columns = [list(column) for column in zip(*(_row(self._storage, event) for event in events), strict=True)]
        if not _of_assets(events):
            with self._storage._connect() as connection:
                connection.exec_driver_sql(self._INSERT, tuple(columns)).close()
            return
        with self._storage.index_transaction() as connection:
            ids = [row[0] for row in connection.exec_driver_sql(self._INSERT, tuple(columns)).fetchall()]
            told = [(event, number) for event, number in zip(events, ids, strict=True) if _of_assets([event])]
            # Always in the order of their keys: two runs that write the same assets do not lock each other out.
            for event, number in sorted(told, key=lambda pair: str(pair[0].get_dagster_event().asset_key)):
                _note_asset(self._storage, connection, event, number)

    def close(self) -> None:
        self._storage._engine.dispose()
        self._storage._engine = self._engine


class _SqliteFile:
    """A connection that is kept, to write rows of events with."""

    _INSERT = f"INSERT INTO event_logs ({', '.join(_COLUMNS)}) VALUES (?, ?, ?, ?, ?, ?, ?)"

    def __init__(self, path: str) -> None:
        # isolation_level=None: transactions begin and end where it is written here.
        self._connection = sqlite3.connect(
            path, timeout=SQLITE_BUSY_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False
        )

    def insert(self, rows: Iterable[tuple[Any, ...]]) -> None:
        connection = self._connection
        connection.execute("BEGIN IMMEDIATE")
        try:
            connection.executemany(self._INSERT, ((*row[:3], _as_text(row[3]), *row[4:]) for row in rows))
            connection.execute("COMMIT")
        except BaseException:
            if connection.in_transaction:
                connection.execute("ROLLBACK")
            raise

    def close(self) -> None:
        self._connection.close()


def _row(storage: SqlEventLogStorage, event: EventLogEntry) -> tuple[Any, ...]:
    row = storage._event_to_row(event)
    return tuple(row[column] for column in _COLUMNS)


def _as_text(moment: Any) -> str:
    """A datetime as SQLAlchemy writes it into SQLite."""
    return str(moment.strftime("%Y-%m-%d %H:%M:%S.%f"))


def _known_once(storage: Any) -> dict[str, Callable[..., Any]]:
    names = ("has_table", "has_secondary_index", "_has_asset_key_col_on_connection")
    return {name: once_true(getattr(storage, name)) for name in names}


def _of_assets(events: Iterable[EventLogEntry]) -> list[EventLogEntry]:
    return [
        event
        for event in events
        if event.dagster_event_type in ASSET_EVENTS and event.get_dagster_event().asset_key is not None
    ]


def _insert_asset_event(storage: Any, connection: Any, event: EventLogEntry) -> None:
    result = connection.execute(storage.prepare_insert_event(event))
    number = result.inserted_primary_key[0]
    result.close()
    _note_asset(storage, connection, event, number)


def _note_asset(storage: Any, connection: Any, event: EventLogEntry, number: int) -> None:
    storage._store_asset_event_tags(connection, [event], [number])
    storage._store_asset_event(connection, event, number)
