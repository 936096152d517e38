"""Dagster's SQLite storages in a process that serves: their connections are kept, and a run's file is made quickly.

For each query Dagster makes an engine, a connection and the statement's text anew, and for each run's file it runs
Alembic: 60 ms a run. A server makes many runs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from flowhub_assets.executor.dagster_storages import SqliteEventLogStorage, SqliteRunStorage, SqlRunStorage
from flowhub_assets.executor.kept_engines import KeptEngines, once_true


@contextlib.contextmanager
def keeping_connections(instance: DagsterInstance) -> Iterator[None]:
    """While inside, for all threads of this process. Other storages than Dagster's own stay as they are."""
    engines = KeptEngines()
    runs, events = instance.run_storage, instance.event_log_storage
    patched = ((runs, _of_runs(runs, engines)), (events, _of_events(events)))
    for storage, methods in patched:
        vars(storage).update(methods)
    try:
        yield
    finally:
        for storage, methods in patched:
            for name in methods:
                vars(storage).pop(name, None)
        engines.close()


def _of_runs(storage: Any, engines: KeptEngines) -> dict[str, Callable[..., Any]]:
    if not isinstance(storage, SqlRunStorage):
        return {}
    has_columns = once_true(lambda _: storage.__class__.has_run_stats_index_cols(storage))
    methods: dict[str, Callable[..., Any]] = {
        # Dagster reads and builds the whole plan to see whether there is one.
        "has_execution_plan_snapshot": storage._has_snapshot_id,
        "has_run_stats_index_cols": lambda: has_columns("runs"),
    }
    if type(storage) is SqliteRunStorage:
        methods["connect"] = lambda: engines.transaction(storage._conn_string)
    return methods


def _of_events(storage: Any) -> dict[str, Callable[..., Any]]:
    if type(storage) is not SqliteEventLogStorage:
        return {}
    make = storage._initdb

    def make_quickly(engine: Any, for_index_shard: bool = False) -> None:
        if for_index_shard or not _copied(engine):
            make(engine, for_index_shard)

    return {"_initdb": make_quickly}


def _copied(engine: Any) -> bool:
    """Makes the file of a run as a copy of an empty one, whole or not at all. False if there is one."""
    path = Path(str(engine.url.database))
    if path.exists():
        return False
    handle, part = tempfile.mkstemp(prefix=f"{path.stem}.", suffix=".part", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(_empty_file())
            file.flush()
            os.fsync(file.fileno())
        os.chmod(part, 0o666 & ~_umask())
        os.link(part, path)
    except FileExistsError:
        return False
    finally:
        os.unlink(part)
    return True


@cache
def _umask() -> int:
    # There is no way to ask for it but to set it; that for a moment, once.
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


@cache
def _empty_file() -> bytes:
    with tempfile.TemporaryDirectory() as folder:
        storage = SqliteEventLogStorage(folder)
        with storage.run_connection("empty"):
            pass
        path = storage.path_for_shard("empty")
        with contextlib.closing(sqlite3.connect(path)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
        return Path(path).read_bytes()
