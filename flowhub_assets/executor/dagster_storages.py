"""What the executor takes from Dagster's event log storages, which are private: written against Dagster 1.13.

They bring SQLAlchemy and alembic: imported when a run starts, not by a process that lists what there is.
"""

from __future__ import annotations

from typing import Any

from dagster._core.storage.event_log.base import EventLogStorage
from dagster._core.storage.event_log.sql_event_log import SqlEventLogStorage
from dagster._core.storage.event_log.sqlite.consolidated_sqlite_event_log import ConsolidatedSqliteEventLogStorage
from dagster._core.storage.event_log.sqlite.sqlite_event_log import SqliteEventLogStorage
from dagster._core.storage.runs.sql_run_storage import SqlRunStorage
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS


def sqlite_engine(url: str) -> Any:
    """A SQLAlchemy engine as Dagster's SQLite storages make them, but with a pool."""
    return create_engine(url, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})


__all__ = [
    "SQLITE_BUSY_TIMEOUT_SECONDS",
    "ConsolidatedSqliteEventLogStorage",
    "EventLogStorage",
    "SqlEventLogStorage",
    "SqlRunStorage",
    "SqliteEventLogStorage",
    "SqliteRunStorage",
    "sqlite_engine",
]
