"""Databases that SQLAlchemy speaks to: one engine for each connection, a transaction with a bound that can be ended."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

from flowhub_assets.nodes.databases.client_cache import ClientCache
from flowhub_assets.nodes.databases.drivers import driver, missing_driver
from flowhub_assets.nodes.databases.sql_errors import sql_error
from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.nodes.timed_call import timed_call

if TYPE_CHECKING:
    from sqlalchemy import Connection, Engine

Result = TypeVar("Result")

_CONNECT_SECONDS = 10
#: Milliseconds until a server that no longer answers on the wire counts as gone.
_SILENT_MS = 60_000
#: How much longer than the server, in seconds, a node waits for the server's own word that it took too long.
_GRACE = 1.0


async def in_transaction(
    url: str, work: Callable[[Connection], Result], *, seconds: float, doing: str, read_only: bool = False
) -> Result:
    """What ``work(connection)`` returns, in one transaction: all of it is committed or nothing is.

    With ``read_only`` nothing is committed, and PostgreSQL and SQLite refuse statements that write. The server
    ends what takes longer than ``seconds``; so it does, at once, where the step is cancelled. Raises NodeError.
    """
    running = _Running(url, seconds, read_only, doing)
    return await timed_call(
        lambda: running.call(work), seconds=seconds + _GRACE, system="the database", stop=running.stop
    )


class _Running:
    """One transaction, and how another thread stops it."""

    def __init__(self, url: str, seconds: float, read_only: bool, doing: str) -> None:
        self._url = url
        self._seconds = seconds
        self._read_only = read_only
        self._doing = doing
        self._lock = threading.Lock()
        self._stopped = False
        self._driver_connection: Any = None

    def call(self, work: Callable[[Connection], Result]) -> Result:
        """Does the work; the thread that calls it waits."""
        import sqlalchemy.exc

        engine = _engine(self._url)
        try:
            with (
                engine.connect() as connection,
                self._stoppable(connection),
                _bounded(connection, self._seconds),
                _transaction(connection, self._read_only),
            ):
                return work(connection)
        except sqlalchemy.exc.SQLAlchemyError as error:
            raise sql_error(error, engine.url, self._doing) from None
        except (ValueError, OverflowError) as error:
            # A NUL in text, a number of more than 64 bits: the driver does not even send them.
            raise NodeError(f"{self._doing} has a value that cannot be sent: {error}", retry=False) from None

    def stop(self) -> None:
        """Asks the database to end the statement that runs."""
        with self._lock:
            self._stopped = True
            # Under the lock: the connection must not be somebody else's by the time the server hears of it.
            if self._driver_connection is not None:
                _interrupt(self._driver_connection)

    @contextlib.contextmanager
    def _stoppable(self, connection: Connection) -> Iterator[None]:
        with self._lock:
            if self._stopped:
                raise NodeError(f"{self._doing} was stopped before it began")
            self._driver_connection = connection.connection.driver_connection
        try:
            yield
        finally:
            with self._lock:
                self._driver_connection = None


def _interrupt(driver_connection: Any) -> None:
    """psycopg2's and sqlite3's word for it; other drivers have none."""
    for verb in ("cancel", "interrupt"):
        if hasattr(driver_connection, verb):
            getattr(driver_connection, verb)()
            return


@contextlib.contextmanager
def _transaction(connection: Connection, read_only: bool) -> Iterator[None]:
    dialect = connection.dialect.name
    if dialect == "sqlite":
        connection.exec_driver_sql(f"PRAGMA query_only = {'ON' if read_only else 'OFF'}")
        # Python's sqlite3 begins none for CREATE TABLE, nor for a SELECT.
        connection.exec_driver_sql("BEGIN" if read_only else "BEGIN IMMEDIATE")
    elif read_only and dialect == "postgresql":
        connection.exec_driver_sql("SET TRANSACTION READ ONLY")
    try:
        yield
    except BaseException:
        connection.rollback()
        raise
    if read_only:
        connection.rollback()
    else:
        connection.commit()


@contextlib.contextmanager
def _bounded(connection: Connection, seconds: float) -> Iterator[None]:
    """Has the database itself end statements that take longer."""
    dialect = connection.dialect.name
    if dialect == "sqlite":
        timer = threading.Timer(seconds, _interrupt, (connection.connection.driver_connection,))
        timer.daemon = True
        timer.start()
        try:
            yield
        finally:
            timer.cancel()
        return
    if dialect == "postgresql":
        # LOCAL: it ends with the transaction, so the next user of the connection has a bound of its own.
        connection.exec_driver_sql(f"SET LOCAL statement_timeout = {max(1, int(seconds * 1000))}")
    yield


def _engine(url: str) -> Engine:
    engine: Engine = _engines.get(url)
    return engine


def _make_engine(url: str) -> Engine:
    driver("sqlalchemy")
    import sqlalchemy.exc

    try:
        address = sqlalchemy.make_url(url)
    except (sqlalchemy.exc.ArgumentError, ValueError):
        raise NodeError(
            "the connection's URL is not one that SQLAlchemy understands",
            remedy="Give it the form postgresql://user:password@host:5432/database or sqlite:///path/to/file.db.",
            retry=False,
        ) from None
    options: dict[str, Any] = {}
    if address.drivername in ("postgres", "postgresql"):
        address = address.set(drivername="postgresql+psycopg2")
    if address.drivername == "postgresql+psycopg2":
        options = {"connect_timeout": _CONNECT_SECONDS, "tcp_user_timeout": _SILENT_MS, "application_name": "flowhub"}
        # What the URL itself says, in its query, is meant.
        options = {name: value for name, value in options.items() if name not in address.query}
    try:
        return sqlalchemy.create_engine(
            address, connect_args=options, pool_pre_ping=True, pool_recycle=1800, hide_parameters=True
        )
    except sqlalchemy.exc.NoSuchModuleError:
        raise NodeError(
            f"SQLAlchemy knows no database {address.drivername!r}",
            remedy="Write postgresql:// or sqlite:/// in the connection's URL, or install the database's dialect.",
            retry=False,
        ) from None
    except ModuleNotFoundError as error:
        raise missing_driver(error.name or address.drivername) from None


_engines: ClientCache[Any] = ClientCache(_make_engine, lambda engine: engine.dispose())
