"""Keys with a lifetime: kept once, told, changed, given back and forgotten; on SQLite and PostgreSQL."""

from __future__ import annotations

from flowhub_assets.store import seen
from flowhub_assets.store.database import Database
from flowhub_assets.store.seen import Seen
from flowhub_assets_tests.store.databases import database, shared_postgres

__all__ = ["database", "shared_postgres"]

FIRST, SECOND = Seen("alerts", "run-1", 100.0, 200.0, "{}"), Seen("alerts", "run-2", 101.0, 300.0)


def test_a_key_is_kept_once_in_its_lifetime(database: Database) -> None:
    with database.begin() as connection:
        assert seen.keep_first(connection, FIRST)
        assert not seen.keep_first(connection, Seen("alerts", "run-1", 199.0, 900.0))
        assert seen.keep_first(connection, Seen("other", "run-1", 100.0, 200.0)), "each topic has its own keys"
    with database.begin() as connection:
        assert seen.find(connection, "alerts", "run-1", 199.0) == FIRST
        assert seen.find(connection, "alerts", "run-1", 200.0) is None, "its lifetime is over"
        later = Seen("alerts", "run-1", 200.0, 400.0, "later")
        assert seen.keep_first(connection, later)
        assert seen.find(connection, "alerts", "run-1", 201.0) == later


def test_all_of_a_topic_the_oldest_first(database: Database) -> None:
    with database.begin() as connection:
        for one in (SECOND, FIRST, Seen("other", "x", 1.0, 999.0)):
            seen.keep(connection, one)
        assert seen.all_of(connection, "alerts", 150.0) == [FIRST, SECOND]
        assert seen.all_of(connection, "alerts", 150.0, most=1) == [FIRST]
        assert seen.all_of(connection, "alerts", 250.0) == [SECOND]


def test_what_is_known_of_a_key_changes_and_keys_are_given_back(database: Database) -> None:
    with database.begin() as connection:
        seen.keep(connection, FIRST)
        seen.set_detail(connection, "alerts", "run-1", "told")
        found = seen.find(connection, "alerts", "run-1", 150.0)
        assert found is not None
        assert found.detail == "told"
        assert seen.drop(connection, "alerts", "run-1")
        assert not seen.drop(connection, "alerts", "run-1")


def test_only_what_has_outlived_its_lifetime_is_forgotten(database: Database) -> None:
    with database.begin() as connection:
        seen.keep(connection, FIRST)
        seen.keep(connection, SECOND)
        seen.forget(connection, 200.0)
        assert seen.all_of(connection, "alerts", 0.0) == [SECOND]
