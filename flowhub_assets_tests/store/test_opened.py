"""Which database is a Dagster's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from dagster import DagsterInstance
from sqlalchemy import text

from flowhub_assets.store import workflows
from flowhub_assets.store.database import default_url, open_database
from flowhub_assets.store.opened import database_of, stored_workflows, url_of
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres

__all__ = ["shared_postgres"]


def test_a_process_opens_it_once_however_many_threads_ask(instance_on_disk: DagsterInstance) -> None:
    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(lambda _: database_of(instance_on_disk, {}), range(16)))
    assert len(set(map(id, found))) == 1
    assert (Path(instance_on_disk.root_directory) / "flowhub.db").exists()


def test_where_it_lies(tmp_path: Path, instance_on_disk: DagsterInstance) -> None:
    (tmp_path / "other").mkdir()
    home = {"DAGSTER_HOME": str(tmp_path / "other")}
    beside = database_of(instance_on_disk, home)
    assert (tmp_path / "other" / "flowhub.db").exists()
    assert not (Path(instance_on_disk.root_directory) / "flowhub.db").exists()
    named = database_of(instance_on_disk, {**home, "FLOWHUB_DATABASE": f"sqlite:///{tmp_path}/own.db"})
    assert (tmp_path / "own.db").exists()
    assert named is not beside


def test_the_postgresql_of_dagsters_runs_is_ours_too(tmp_path: Path, shared_postgres: PostgresServer) -> None:
    url = shared_postgres.new_database()
    (tmp_path / "dagster.yaml").write_text(
        f"storage: {{postgres: {{postgres_url: '{url}'}}}}\ntelemetry: {{enabled: false}}\n"
    )
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert url_of(instance, {"DAGSTER_HOME": str(tmp_path)}) == url
        with database_of(instance, {}).read() as connection:
            assert connection.dialect.name == "postgresql"


def keep_one(url: str) -> None:
    database = open_database(url)
    with database.begin() as connection:
        workflows.write(connection, "greet", "text", "ann", 1.0)
    database.close()


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The DAGSTER_HOME of this process, in which nothing has been made yet."""
    folder = tmp_path / "home"
    folder.mkdir()
    monkeypatch.setenv("DAGSTER_HOME", str(folder))
    monkeypatch.delenv("FLOWHUB_DATABASE", raising=False)
    return folder


def test_who_loads_code_finds_what_is_stored(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    keep_one(default_url(str(home)))
    assert stored_workflows() == {"greet": "text"}
    monkeypatch.setenv("FLOWHUB_DATABASE", f"sqlite:///{home}/other.db")
    assert stored_workflows() == {}
    monkeypatch.delenv("FLOWHUB_DATABASE")
    monkeypatch.delenv("DAGSTER_HOME")
    assert stored_workflows() == {}


def test_so_it_does_in_the_postgresql_of_dagsters_runs(home: Path, shared_postgres: PostgresServer) -> None:
    url = shared_postgres.new_database()
    settings = f"storage: {{postgres: {{postgres_url: '{url}'}}}}\ntelemetry: {{enabled: false}}\n"
    (home / "dagster.yaml").write_text(settings)
    keep_one(url)
    assert stored_workflows() == {"greet": "text"}


def test_who_loads_code_makes_nothing(home: Path) -> None:
    assert stored_workflows() == {}
    assert list(home.iterdir()) == []


def test_what_cannot_be_read_is_told_in_a_line_without_its_url(
    home: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    database = open_database(default_url(str(home)))
    with database.begin() as connection:
        connection.execute(text("DROP TABLE flowhub_workflows"))
    database.close()
    assert stored_workflows() == {}
    (home / "flowhub.db").write_bytes(b"no database at all, but long enough to look at" * 100)
    assert stored_workflows() == {}
    for url in ("postgresql://me:opensesame@127.0.0.1:1/none", "opensesame"):
        monkeypatch.setenv("FLOWHUB_DATABASE", url)
        assert stored_workflows() == {}
    told = [record.getMessage() for record in caplog.records if "no stored workflow" in record.getMessage()]
    assert len(told) == 4
    assert "earlier version" in told[0]
    assert "opensesame" not in caplog.text
