"""The database: tables by migrations on SQLite and PostgreSQL, many openers at once, what is told when it is away."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import insert, inspect, select

from flowhub_assets.errors import InputError, Unavailable
from flowhub_assets.store.database import Database, default_url, open_database
from flowhub_assets.store.tables import metadata, seen
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres

__all__ = ["shared_postgres"]


@pytest.fixture(params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], str]:
    if request.param == "sqlite":
        return lambda: default_url(str(tmp_path))
    server: PostgresServer = request.getfixturevalue("shared_postgres")
    return server.new_database


def test_the_migrations_make_the_tables_that_the_code_knows(new_url: Callable[[], str]) -> None:
    database = open_database(new_url())
    found = inspect(database.engine)
    for table in metadata.sorted_tables:
        columns = {column["name"]: column["nullable"] for column in found.get_columns(table.name)}
        assert columns == {column.name: bool(column.nullable) for column in table.columns}
        indexes = {
            index["name"] for index in found.get_indexes(table.name) if (index["name"] or "").startswith("flowhub")
        }
        assert indexes >= {index.name for index in table.indexes}
        assert found.get_pk_constraint(table.name)["constrained_columns"] == [c.name for c in table.primary_key]
    database.close()


def test_many_open_it_at_once_and_none_fails(new_url: Callable[[], str]) -> None:
    url = new_url()
    with ThreadPoolExecutor(6) as pool:
        databases = list(pool.map(lambda _: open_database(url), range(6)))
    for database in databases:
        with database.read() as connection:
            assert connection.execute(select(seen)).all() == []
        database.close()


def test_a_transaction_that_fails_leaves_nothing(new_url: Callable[[], str]) -> None:
    database = open_database(new_url())
    with pytest.raises(KeyError), database.begin() as connection:
        connection.execute(insert(seen).values(topic="t", key="k", time=0.0, expires=1.0, detail=""))
        raise KeyError
    with database.read() as connection:
        assert connection.execute(select(seen)).all() == []
    database.close()


def test_many_writers_wait_for_each_other(new_url: Callable[[], str]) -> None:
    database = open_database(new_url())

    def write(number: int) -> None:
        with database.begin() as connection:
            connection.execute(select(seen)).all()
            connection.execute(insert(seen).values(topic="t", key=str(number), time=0.0, expires=1.0, detail=""))

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(write, range(40)))
    with database.read() as connection:
        assert len(connection.execute(select(seen)).all()) == 40
    database.close()


@pytest.mark.parametrize("url", ["", "no url", "oracle+none://x", "sqlite+nothing:///x"])
def test_a_url_that_is_none_is_told_without_its_words(url: str) -> None:
    with pytest.raises(InputError, match="FLOWHUB_DATABASE"):
        open_database(url)


def test_a_server_that_is_away_is_told_as_unavailable(shared_postgres: PostgresServer) -> None:
    url = shared_postgres.new_database().replace(f":{shared_postgres.port}/", ":1/")
    with pytest.raises(Unavailable, match="does not answer") as away:
        open_database(url)
    assert shared_postgres.password not in str(away.value)


def test_it_is_there_again_when_the_server_is(shared_postgres: PostgresServer) -> None:
    database: Database = open_database(shared_postgres.new_database())
    with pytest.raises(Unavailable), database.begin() as connection:
        connection.exec_driver_sql("SELECT pg_terminate_backend(pg_backend_pid())")
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT 1").scalar() == 1
    database.close()
