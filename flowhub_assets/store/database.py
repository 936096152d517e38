"""The database: SQLite in a file by default, PostgreSQL by a URL; its tables are brought up to date when it is opened.

FLOWHUB_DATABASE holds the URL (``sqlite:////var/flowhub.db``, ``postgresql://user@host/db``).
"""

from __future__ import annotations

import logging
import sqlite3
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

from flowhub_assets.errors import InputError, Unavailable

logger = logging.getLogger("flowhub.store")

#: Seconds for which a writer waits for another one, and a request for a connection.
_BUSY_SECONDS, _POOL_SECONDS = 15.0, 5.0
#: Any number that nobody else locks: one server makes the tables, the others wait.
_LOCK = 7_364_011
#: The execution option of an engine whose transactions only read.
_READS = "flowhub_reads"


class Database:
    """An engine whose tables are up to date."""

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self._reading = engine.execution_options(**{_READS: True})

    def begin(self) -> AbstractContextManager[Connection]:
        """A transaction, committed at its end. Raises Unavailable where the database does not answer."""
        return self._transaction(self.engine)

    def read(self) -> AbstractContextManager[Connection]:
        """A transaction that only reads: it waits for no writer. Raises Unavailable."""
        return self._transaction(self._reading)

    @contextmanager
    def _transaction(self, engine: Engine) -> Iterator[Connection]:
        try:
            with engine.begin() as connection:
                yield connection
        except NoConnectionLeft as error:
            raise _away(error) from error
        except DBAPIError as error:
            if is_away(error):
                raise _away(error) from error
            raise

    def close(self) -> None:
        """Closes all connections."""
        self.engine.dispose()


def is_away(error: BaseException) -> bool:
    """Whether a database did not answer, or was busy for too long: to ask again may help."""
    if isinstance(error, NoConnectionLeft):
        return True
    if not isinstance(error, DBAPIError):
        return False
    return error.connection_invalidated or type(error.orig).__name__ in ("OperationalError", "InterfaceError")


def _away(error: BaseException) -> Unavailable:
    # Where the database is and what it says is for the server's own people.
    logger.warning("the database does not answer: %s", getattr(error, "orig", None) or error)
    return Unavailable(
        "the database does not answer",
        effect="Nothing was accepted.",
        remedy="Send the same request again; with an Idempotency-Key nothing starts twice.",
    )


def default_url(home: str) -> str:
    """The URL of the file beside Dagster's own storage; ``home`` is DAGSTER_HOME."""
    return f"sqlite:///{Path(home).absolute() / 'flowhub.db'}"


def open_database(url: str) -> Database:
    """Connects and brings the tables up to date. Raises InputError for a URL that is none, Unavailable."""
    engine = _engine(url)
    database = Database(engine)
    with database.begin() as connection:
        _upgrade(connection)
    return database


def look_into(url: str) -> Database | None:
    """For whoever only reads: nothing is made, and the tables stay as they are. None for a file that is not there.

    Raises InputError for a URL that is none.
    """
    engine = _engine(url)
    file = engine.url.database if engine.dialect.name == "sqlite" else None
    return Database(engine) if engine.dialect.name != "sqlite" or (file and Path(file).is_file()) else None


def _engine(url: str) -> Engine:
    try:
        parsed = make_url(url)
        if parsed.drivername in ("postgres", "postgresql"):
            parsed = parsed.set(drivername="postgresql+psycopg2")
        if parsed.get_backend_name() == "sqlite":
            return _sqlite(parsed.render_as_string(hide_password=False))
        # A connection that the server has closed meanwhile is noticed before it is used.
        more = {"connect_timeout": 5} if parsed.get_backend_name() == "postgresql" else {}
        return create_engine(
            parsed, pool_pre_ping=True, pool_size=10, max_overflow=10, pool_timeout=_POOL_SECONDS, connect_args=more
        )
    except (ArgumentError, NoSuchModuleError, ModuleNotFoundError) as error:
        raise InputError(
            f"the database's URL cannot be used: {type(error).__name__}",
            where="FLOWHUB_DATABASE",
            effect="The server does not start.",
            remedy="Write sqlite:////folder/flowhub.db or postgresql://user@host/database; the latter needs psycopg2.",
        ) from None


def _sqlite(url: str) -> Engine:
    engine = create_engine(url, pool_timeout=_POOL_SECONDS, connect_args={"timeout": _BUSY_SECONDS})

    @event.listens_for(engine, "connect")
    def configure(connection: sqlite3.Connection, _record: Any) -> None:
        # A request that was answered survives a power cut: FULL waits for the disk at each commit.
        connection.isolation_level = None
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")

    @event.listens_for(engine, "begin")
    def begin(connection: Connection) -> None:
        # At once, not at the first write: two that read first and write then would lock each other out.
        reads = connection.get_execution_options().get(_READS, False)
        connection.exec_driver_sql("BEGIN" if reads else "BEGIN IMMEDIATE")

    return engine


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _LOCK})
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
