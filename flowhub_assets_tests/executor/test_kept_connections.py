"""Dagster's SQLite storages with kept connections: the same files, the same rows, and as before when it ends."""

from __future__ import annotations

import sqlite3
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.executor.kept_connections import keeping_connections


@dg.op
def one() -> None:
    """Nothing."""


@dg.job
def plain() -> None:
    one()


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.local_temp(str(tmp_path)) as instance:
        yield instance


def path_of(instance: dg.DagsterInstance, run_id: str) -> Path:
    storage: Any = instance.event_log_storage
    return Path(storage.path_for_shard(run_id))


def schema(path: Path) -> tuple[object, ...]:
    with closing(sqlite3.connect(path)) as connection:
        tables = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY name").fetchall()
        version = connection.execute("SELECT version_num FROM alembic_version").fetchall()
        return tables, version, connection.execute("PRAGMA journal_mode").fetchone()


def test_a_run_leaves_the_same_files_and_rows(instance: dg.DagsterInstance) -> None:
    before = plain.execute_in_process(instance=instance).run_id
    with keeping_connections(instance):
        inside = plain.execute_in_process(instance=instance).run_id
    assert schema(path_of(instance, inside)) == schema(path_of(instance, before))
    assert path_of(instance, inside).stat().st_mode == path_of(instance, before).stat().st_mode
    told = [[entry.dagster_event_type for entry in instance.all_logs(run_id)] for run_id in (before, inside)]
    assert told[0] == told[1]
    assert {run.run_id: run.status for run in instance.get_runs()} == dict.fromkeys(
        (before, inside), dg.DagsterRunStatus.SUCCESS
    )
    assert not [path for path in path_of(instance, inside).parent.iterdir() if path.suffix == ".part"]


def test_all_is_as_before_when_it_ends(instance: dg.DagsterInstance) -> None:
    storages = (instance.run_storage, instance.event_log_storage)
    names = {*vars(storages[0]), *vars(storages[1])}
    with keeping_connections(instance):
        assert "connect" in vars(storages[0])
        assert "_initdb" in vars(storages[1])
    assert {*vars(storages[0]), *vars(storages[1])} <= names | {"_initialized_dbs"}


def test_a_snapshot_is_found_by_its_id_alone(instance: dg.DagsterInstance) -> None:
    with keeping_connections(instance):
        run = instance.create_run_for_job(plain)
        assert run.execution_plan_snapshot_id is not None
        assert instance.run_storage.has_execution_plan_snapshot(run.execution_plan_snapshot_id)
        assert not instance.run_storage.has_execution_plan_snapshot("0" * 40)


def test_many_threads_make_one_file(instance: dg.DagsterInstance) -> None:
    run_id = str(uuid.uuid4())
    with keeping_connections(instance), ThreadPoolExecutor(8) as threads:

        def tell(number: int) -> None:
            instance.report_engine_event(f"number {number}", job_name="plain", run_id=run_id)

        list(threads.map(tell, range(40)))
    assert sorted(entry.message for entry in instance.all_logs(run_id)) == sorted(f"number {n}" for n in range(40))
