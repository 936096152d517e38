"""Which database is a Dagster's."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dagster import DagsterInstance

from flowhub_assets.store.opened import database_of, url_of
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
