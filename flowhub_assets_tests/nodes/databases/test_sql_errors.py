"""What databases say, told without passwords and with what to do."""

from __future__ import annotations

import sqlite3

import pytest
import sqlalchemy
import sqlalchemy.exc

from flowhub_assets.nodes.databases.sql_errors import sql_error

URL = sqlalchemy.make_url("postgresql+psycopg2://me:p%40ss-word@db.internal:5432/shop?sslpassword=hidden")


class Refused(Exception):
    def __init__(self, text: str, pgcode: str = "") -> None:
        super().__init__(text)
        self.pgcode = pgcode


def operational(cause: Exception) -> sqlalchemy.exc.DBAPIError:
    return sqlalchemy.exc.OperationalError("SELECT :secret", {"secret": "bound"}, cause)


def test_neither_passwords_nor_statements_nor_values_are_told() -> None:
    error = sql_error(operational(Refused("p@ss-word p%40ss-word hidden")), URL, "the query")
    assert error.what == "the query failed on postgresql shop at db.internal:5432: *** *** ***"


@pytest.mark.parametrize(
    ("state", "text", "retry"),
    [
        ("08006", "connection lost", True),
        ("40P01", "deadlock detected", True),
        ("53300", "too many connections", True),
        ("57P01", "terminating connection", True),
        ("57014", "canceling statement", True),
        ("55P03", "lock not available", True),
        ("22P02", "invalid input syntax", False),
        ("23505", "duplicate key", False),
        ("3D000", 'database "x" does not exist', False),
        ("42501", "permission denied", False),
        ("", "connection refused", True),
        ("", "password authentication failed", False),
        ("", 'database "x" does not exist', False),
    ],
)
def test_what_may_pass_is_tried_again(state: str, text: str, retry: bool) -> None:
    assert sql_error(operational(Refused(text, state)), URL, "the query").retry is retry


def test_sqlite_calls_every_mistake_operational() -> None:
    file = sqlalchemy.make_url("sqlite:///shop.db")
    assert not sql_error(operational(sqlite3.OperationalError("no such table: a")), file, "the query").retry
    locked = sql_error(operational(sqlite3.OperationalError("database is locked")), file, "the query")
    assert (locked.what, locked.retry) == ("the query failed on sqlite shop.db: database is locked", True)


def test_a_full_pool_is_told() -> None:
    full = sqlalchemy.exc.TimeoutError("QueuePool limit of size 5 overflow 10 reached")
    error = sql_error(full, URL, "the query")
    assert error.retry
    assert "fewer of these nodes at a time" in error.remedy
