"""Dagster's SQLite storages in a process that serves: their connections are kept, and a run's file is made quickly.

For each query Dagster makes an engine, a connection and the statement's text anew, and for each run's file it runs
Alembic: 60 ms a run. A server makes many runs.
"""

from __future__ import annotations

import contextlib
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

from dagster import DagsterInstance

from flowhub_assets.executor.dagster_storages import SqliteEventLogStorage, SqliteRunStorage
from flowhub_assets.executor.kept_engines import KeptEngines


@contextlib.contextmanager
def keeping_connections(instance: DagsterInstance) -> Iterator[None]:
    """While inside, for all threads of this process. Other storages stay as they are."""
    runs, events = instance.run_storage, instance.event_log_storage
    engines = KeptEngines()
    if type(runs) is SqliteRunStorage:
        vars(runs)["connect"] = lambda: engines.transaction(runs._conn_string)
    if type(events) is SqliteEventLogStorage:
        make = events._initdb
        vars(events)["_initdb"] = lambda engine, for_index_shard=False: (
            None if not for_index_shard and _copied(engine) else make(engine, for_index_shard)
        )
    try:
        yield
    finally:
        vars(runs).pop("connect", None)
        vars(events).pop("_initdb", None)
        engines.close()


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
