"""What a database says of a statement, told with what to do; never with a password, never with bound values."""

from __future__ import annotations

import re
from typing import Any

from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.nodes.url_passwords import without_password

_SQLSTATE = re.compile(r"\d[0-9A-Z]([0-9A-Z]{3})?")

#: SQLSTATE (or its class, the first two characters) of PostgreSQL, or words of a message → what to do.
#: The first that fits is told.
_REMEDIES: tuple[tuple[tuple[str, ...], str], ...] = (
    (("57014", "interrupted"), "See why it takes so long, or raise timeout in the node's config."),
    (("25006", "readonly database"), "Set readOnly: false in the node's config if it is meant to change data."),
    (("42P01", "no such table"), "Check the table's name and schema; sql-load makes one with createTable: true."),
    (("42703", "no such column"), "Check the column's name; text stands in single quotes in SQL."),
    (("42P10", "ON CONFLICT clause does not match"), "Give the table a unique index over exactly the columns of keys."),
    (("42601", "syntax error"), "Mend the query."),
    (("42501", "28", "authentication failed"), "Check the user and the password of the connection, and their rights."),
    (("3D000", "does not exist"), "Check the name in the connection's URL or in the query."),
    (("23",), "Look at the rows that it was given; mode: upsert replaces those that are there."),
    (("QueuePool limit",), "Run fewer of these nodes at a time: maxConcurrency of the loop, or a pool."),
    (("unable to open database file",), "Check the file's path in the connection's URL."),
)
#: Connection lost, conflict of transactions, too few resources, the server ended, a lock: gone at the next try.
_PASSING = ("08", "40", "53", "55P03", "57", "database is locked", "interrupted")
_LASTING = ("authentication failed", "does not exist", "no pg_hba.conf entry", "unable to open database file")


def sql_error(error: Any, url: Any, doing: str) -> NodeError:
    """The error for SQLAlchemy's ``error``; ``url`` is the engine's, ``doing`` what failed: ``the query``."""
    cause = getattr(error, "orig", None) or error
    state = str(getattr(cause, "pgcode", None) or "")
    text = without_password(_said(cause), url.render_as_string(hide_password=False))
    return NodeError(
        f"{doing} failed on {_told(url)}: {text}",
        remedy=next((remedy for signs, remedy in _REMEDIES if _fits(signs, state, text)), ""),
        retry=_may_pass(error, state, text),
    )


def _may_pass(error: Any, state: str, text: str) -> bool:
    import sqlalchemy.exc

    if state or _fits(_PASSING, state, text):
        return _fits(_PASSING, state, text)
    # What never reached the server has no SQLSTATE. SQLite calls every mistake in a statement operational.
    lost = isinstance(
        error, (sqlalchemy.exc.OperationalError, sqlalchemy.exc.InterfaceError, sqlalchemy.exc.TimeoutError)
    )
    return lost and not _fits(_LASTING, state, text) and "sqlite3" not in type(getattr(error, "orig", None)).__module__


def _fits(signs: tuple[str, ...], state: str, text: str) -> bool:
    return any(state.startswith(sign) if _SQLSTATE.fullmatch(sign) else sign in text for sign in signs)


def _said(cause: Any) -> str:
    """The server's own words without the statement, which psycopg2 quotes in a form that nobody has written."""
    diagnosis: Any = getattr(cause, "diag", None)
    primary = getattr(diagnosis, "message_primary", None)
    if not primary:
        return str(cause).strip() or type(cause).__name__
    return f"{primary} ({diagnosis.message_detail})" if diagnosis.message_detail else str(primary)


def _told(url: Any) -> str:
    """``postgresql shop at db.internal:5432``, without a user, a password and options."""
    name = url.get_backend_name()
    host = f" at {url.host}{f':{url.port}' if url.port else ''}" if url.host else ""
    return f"{name} {url.database}{host}" if url.database else f"{name}{host}"
