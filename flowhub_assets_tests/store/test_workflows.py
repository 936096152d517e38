"""Stored workflows: versions that count up and stay, on SQLite and PostgreSQL; many writers at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from flowhub_assets.store import workflows
from flowhub_assets.store.database import Database
from flowhub_assets.store.workflows import Workflow
from flowhub_assets_tests.store.databases import database, shared_postgres

__all__ = ["database", "shared_postgres"]


def test_a_change_is_a_new_version_and_the_old_one_stays(database: Database) -> None:
    with database.begin() as connection:
        assert workflows.all_workflows(connection) == []
        first = workflows.write(connection, "greet", "one: 서울", "ann", 1.0)
        second = workflows.write(connection, "greet", "two", "bo", 2.0)
        other = workflows.write(connection, "again", "text", "ann", 3.0)
    assert first == Workflow("greet", 1, "one: 서울", 1.0, 1.0, "ann")
    assert second == Workflow("greet", 2, "two", 1.0, 2.0, "bo")
    with database.read() as connection:
        assert workflows.all_workflows(connection) == [other, second]
        assert workflows.find(connection, "greet") == second
        assert workflows.find(connection, "greet", 1) == first
        assert workflows.find(connection, "greet", 3) is None
        assert workflows.find(connection, "nobody") is None


def test_a_deleted_one_is_gone_and_nothing_of_it_is_lost(database: Database) -> None:
    with database.begin() as connection:
        first = workflows.write(connection, "greet", "one", "ann", 1.0)
        workflows.delete(connection, "greet", "bo", 2.0)
        assert workflows.find(connection, "greet") is None
        assert workflows.all_workflows(connection) == []
        assert workflows.find(connection, "greet", 1) == first
        back = workflows.write(connection, "greet", "three", "bo", 3.0)
    assert back.version == 3, "no version comes twice, so that an ETag means one text"


def test_every_change_shows_in_the_count(database: Database) -> None:
    seen = []
    with database.begin() as connection:
        seen.append(workflows.count(connection))
        workflows.write(connection, "greet", "one", "ann", 1.0)
        seen.append(workflows.count(connection))
        workflows.delete(connection, "greet", "ann", 1.0)
        seen.append(workflows.count(connection))
    assert seen == [0, 1, 2]


def test_many_writers_lose_nothing(database: Database) -> None:
    def write(number: int) -> int:
        with database.begin() as connection:
            workflows.lock(connection)
            known = workflows.find(connection, "greet")
            written = workflows.write(connection, "greet", str(number), "ann", 1.0)
            assert written.version == (known.version if known else 0) + 1
            return written.version

    with ThreadPoolExecutor(8) as pool:
        assert sorted(pool.map(write, range(24))) == list(range(1, 25))
