"""A table that follows a file, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import sqlalchemy

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.ml.schema import Column
from flowhub_assets.ml.tables import database_url, read_table, update_table
from flowhub_assets_tests.postgres_server import PostgresServer
from flowhub_assets_tests.postgres_server import shared_postgres as shared_postgres  # a fixture

COLUMNS = (
    Column("id", "integer"),
    Column("name", "text"),
    Column("pay", "number", nullable=True),
    Column("day", "date", nullable=True),
)


def row(number: int, name: str = "Ana", pay: float | None = 1.5, day: str | None = "2026-01-02") -> dict[str, Any]:
    return {"id": number, "name": name, "pay": pay, "day": day}


@pytest.fixture(params=["sqlite", "postgresql"])
def env(request: pytest.FixtureRequest, tmp_path: Path) -> dict[str, Any]:
    if request.param == "sqlite":
        return {"WORKSPACE": str(tmp_path / "new" / "folder")}
    postgres: PostgresServer = request.getfixturevalue("shared_postgres")
    return {"DATABASE_URL": postgres.new_database()}


def load(env: Mapping[str, Any], *rows: dict[str, Any], present: tuple[int, ...] = ()) -> dict[str, Any]:
    """The counts that are not 0."""
    done = update_table("people", COLUMNS, "id", rows, env, newest="day", present=present)
    assert done["table"] == "people"
    return {name: done[name] for name in done if name not in ("table", "database", "newest") and done[name]}


def everything(env: Mapping[str, Any]) -> list[tuple[Any, ...]]:
    """All rows of the table with all columns, by SQLAlchemy alone."""
    engine = sqlalchemy.create_engine(database_url(env))
    try:
        with engine.connect() as connection:
            return [
                tuple(map(str, one)) for one in connection.execute(sqlalchemy.text("SELECT * FROM people ORDER BY id"))
            ]
    finally:
        engine.dispose()


def test_a_second_run_changes_nothing(env: dict[str, Any]) -> None:
    rows = [row(1), row(2, "Bo", None, None)]
    assert load(env, *rows) == {"rows": 2, "inserted": 2}
    before = everything(env)
    assert before == [("1", "Ana", "1.5", "2026-01-02", "None"), ("2", "Bo", "None", "None", "None")]
    assert load(env, *rows) == {"rows": 2, "unchanged": 2}
    assert everything(env) == before
    assert read_table("people", COLUMNS, env) == rows


def test_only_what_changed_is_written_and_an_old_state_undoes_nothing(env: dict[str, Any]) -> None:
    load(env, row(1), row(2), row(3))
    changed = row(2, "Bo", day="2026-02-01")
    old = row(3, "Older", day="2025-12-31")
    assert load(env, row(1), changed, old, row(4)) == {
        "rows": 4,
        "inserted": 1,
        "updated": 1,
        "unchanged": 1,
        "stale": 1,
    }
    assert read_table("people", COLUMNS, env) == [row(1), changed, row(3), row(4)]
    undated = row(2, "Cy", day=None)
    assert load(env, row(1), undated, row(3), row(4))["updated"] == 1, "a row without a date says nothing of its age"


def test_a_row_that_is_gone_is_kept_and_marked_until_it_is_back(env: dict[str, Any]) -> None:
    days = {datetime.datetime.now(datetime.UTC).date().isoformat()}
    load(env, row(1), row(2), row(3))
    assert load(env, row(1), present=(3,)) == {"rows": 3, "unchanged": 1, "gone": 1}
    days.add(datetime.datetime.now(datetime.UTC).date().isoformat())
    marked = everything(env)
    assert [one[-1] in days for one in marked] == [False, True, False]
    assert read_table("people", COLUMNS, env) == [row(1), row(3)]
    assert load(env, row(1), row(3)) == {"rows": 3, "unchanged": 2}, "it is marked once"
    assert everything(env) == marked
    assert load(env, row(1), row(2), row(3)) == {"rows": 3, "unchanged": 2, "updated": 1, "returned": 1}
    assert read_table("people", COLUMNS, env) == [row(1), row(2), row(3)]


def test_rows_that_are_all_old_say_nothing_of_who_is_gone_or_back(env: dict[str, Any]) -> None:
    load(env, row(1), row(2))
    load(env, row(1), row(3, day="2026-05-01"))
    marked = everything(env)
    assert load(env, row(1), row(2)) == {"rows": 3, "unchanged": 2}
    assert everything(env) == marked, "2 stays gone, 3 stays"
    assert load(env, row(1), row(2), row(3, day="2026-05-01"))["returned"] == 1


def test_two_loads_at_once_insert_each_row_once(env: dict[str, Any]) -> None:
    rows = [row(number) for number in range(200)]
    with ThreadPoolExecutor(4) as pool:
        done = list(pool.map(lambda _: load(env, *rows), range(4)))
    assert sum(one.get("inserted", 0) for one in done) == 200
    assert len(everything(env)) == 200


def test_what_the_database_refuses_leaves_all_as_it_was_and_tells_no_password(env: dict[str, Any]) -> None:
    load(env, row(1))
    before = everything(env)
    with pytest.raises(InputError) as caught:
        load(env, row(1, "Changed"), {**row(2), "name": None})
    assert "Nothing was written." in str(caught.value)
    assert everything(env) == before
    password = sqlalchemy.make_url(database_url(env)).password
    assert password is None or str(password) not in str(caught.value)


def test_a_profile_without_a_place_for_a_table(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(ProfileError, match="names no database"):
        database_url({"BUCKET": "bucket"})
    with pytest.raises(ProfileError, match="DATABASE_URL is int"):
        database_url({"DATABASE_URL": 7})
    monkeypatch.delenv("NO_SUCH_URL", raising=False)
    with pytest.raises(ProfileError, match="NO_SUCH_URL"):
        database_url({"DATABASE_URL": {"env": "NO_SUCH_URL"}})
    monkeypatch.setenv("NO_SUCH_URL", "postgresql://host/db")
    assert database_url({"DATABASE_URL": {"env": "NO_SUCH_URL"}}) == "postgresql://host/db"


def test_a_server_that_is_not_there_is_told_without_its_password() -> None:
    with pytest.raises(InputError) as caught:
        load({"DATABASE_URL": "postgresql://me:geheim@127.0.0.1:9/db"}, row(1))
    assert "geheim" not in str(caught.value)
