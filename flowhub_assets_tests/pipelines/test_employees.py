"""Employees: judged row by row, loaded twice without a change, in SQLite and in a real PostgreSQL."""

from __future__ import annotations

import csv
import json
import shutil
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance

from flowhub_assets.definitions import load, location
from flowhub_assets_tests.pipelines.conftest import PIPELINES
from flowhub_assets_tests.postgres_server import PostgresServer
from flowhub_assets_tests.postgres_server import shared_postgres as shared_postgres  # a fixture

Run = Callable[..., Any]
HERE = PIPELINES / "employees"
COUNTS = ("rows", "inserted", "updated", "unchanged", "stale", "gone", "returned")


def counts(done: Any) -> dict[str, int]:
    assert done.ok, done.error
    return {name: done.tasks["table"].value[name] for name in COUNTS if done.tasks["table"].value[name]}


@pytest.fixture
def faulty(tmp_path: Path) -> str:
    """The key of the file with faults, in the storage."""
    (tmp_path / "tmp").mkdir()
    shutil.copy(HERE / "employees_faulty.csv", tmp_path / "tmp" / "next-day.csv")
    return "next-day.csv"


def test_a_second_run_changes_nothing_and_the_next_day_only_what_changed(
    run_here: Run, faulty: str, tmp_path: Path
) -> None:
    assert counts(run_here("employees")) == {"rows": 48, "inserted": 48}
    assert counts(run_here("employees")) == {"rows": 48, "unchanged": 48}
    done = run_here("employees", file=faulty)
    # A rise and a change of title; one row of an older state; one new; one no longer in the file.
    assert counts(done) == {"rows": 49, "inserted": 1, "updated": 2, "unchanged": 40, "stale": 1, "gone": 1}
    assert done.value["employees"] == 48
    checks = {one.name: one.data for task in done.tasks.values() for one in task.shown if one.kind == "check"}
    assert {name: check["passed"] for name, check in checks.items()} == {
        "nulls": False,
        "ranges": False,
        "duplicates": False,
        "rejects": True,
        "freshness": True,
    }
    assert checks["nulls"]["description"] == "line 12: name has no value"
    assert "line 14: hired_on: '2019-02-30' is no date" in checks["ranges"]["description"]
    kept = [*csv.DictReader((tmp_path / "tmp/employees/rejects").joinpath(reject_file(done)).open(encoding="utf-8"))]
    assert [(one["line"], one["kind"], one["employee_id"]) for one in kept] == [
        ("12", "null", "1011"),
        ("13", "range", "1012"),
        ("14", "type", "1013"),
        ("15", "value", "1014"),
        ("16", "duplicate", "1015"),
        ("51", "cells", "1050"),
    ]
    assert kept[1]["salary_eur"] == "-4200", "what stood there is kept"


def reject_file(done: Any) -> str:
    return str(done.tasks["rows"].value["rejects_url"]).rpartition("/")[2]


def test_names_and_salaries_stand_in_no_check_and_in_nothing_that_is_shown(run_here: Run, faulty: str) -> None:
    done = run_here("employees", file=faulty)
    with (HERE / "employees_faulty.csv").open(encoding="utf-8") as file:
        private = {row[name] for row in csv.DictReader(file) for name in ("name", "email") if row.get(name)}
    private.add("-4200")
    told = json.dumps([(one.name, str(one.data)) for task in done.tasks.values() for one in task.shown])
    values = json.dumps([task.value for task in done.tasks.values()])
    assert [one for one in private if one in told or one in values] == []


def test_a_file_that_is_mostly_wrong_stops_before_the_table(run_here: Run, tmp_path: Path) -> None:
    (tmp_path / "tmp").mkdir()
    lines = (HERE / "employees.csv").read_text("utf-8").splitlines()
    wrong = [line.replace("2026-", "2026/") for line in lines]
    (tmp_path / "tmp/wrong.csv").write_text("\n".join(wrong))
    done = run_here("employees", file="wrong.csv")
    assert not done.ok
    assert "rejects" in str(done.error)
    assert done.tasks["table"].state != "succeeded"
    assert not (tmp_path / "tmp/database.sqlite").exists()


def test_an_old_file_fails_the_check_of_freshness_and_undoes_nothing(run_here: Run, faulty: str) -> None:
    run_here("employees", file=faulty)
    done = run_here("employees")
    check = next(one.data for one in done.tasks["table"].shown if one.kind == "check")
    assert not check["passed"]
    assert "newest row of the file is of 2026-10-30, that of the table of 2026-11-03" in check["description"]
    assert counts(done)["stale"] == 2
    assert "gone" not in counts(done), "who came with the newer file is not gone"


def run_in_dagster(folder: Path, instance: DagsterInstance) -> Any:
    (runnable,) = load(HERE / "workflow.py").runnables
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {
            "profile": {"config": {"name": "postgres"}},
            "storage": {"config": {"workspace": str(folder)}},
        },
    }
    return location.flow(runnable).job.execute_in_process(run_config=config, raise_on_error=False, instance=instance)


def test_in_dagster_the_table_is_in_postgresql_with_its_columns_and_rows(
    shared_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, instance: DagsterInstance
) -> None:
    import psycopg2

    url = shared_postgres.new_database()
    monkeypatch.setenv("DATABASE_URL", url)
    for inserted in (48, 0):
        result = run_in_dagster(tmp_path, instance)
        assert result.success
        made = {one.asset_key.path[-1]: one.materialization for one in result.get_asset_materialization_events()}
        metadata: Any = made["table"].metadata
        assert metadata["dagster/row_count"].value == 48
        assert metadata["dagster/table_name"].value == "employees"
        columns = {one.name: one for one in metadata["dagster/column_schema"].value.columns}
        assert columns["employee_id"].constraints.unique
        assert list(columns)[-1] == "gone_since"
        assert metadata["what changed"].records[0].data["inserted"] == inserted
        checks = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
        assert checks == dict.fromkeys(("nulls", "ranges", "duplicates", "rejects", "freshness"), True)
    (runnable,) = load(HERE / "workflow.py").runnables
    graph = location.flow(runnable).job.asset_layer.asset_graph
    lineage = {key.path[-1]: [one.path[-1] for one in graph.get(key).parent_keys] for key in graph.get_all_asset_keys()}
    assert lineage == {"file": [], "rows": ["file"], "table": ["rows"], "by_department": ["table"]}
    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute("SELECT count(*), max(salary_eur), min(hired_on)::text FROM employees WHERE gone_since IS NULL")
        with (HERE / "employees.csv").open(encoding="utf-8") as file:
            rows = [*csv.DictReader(file)]
        wanted = (48, max(float(row["salary_eur"]) for row in rows), min(row["hired_on"] for row in rows))
        assert cursor.fetchone() == wanted
    password = shared_postgres.password
    events = [str(event) for event in instance.all_logs(result.run_id)]
    assert [event for event in events if password in event] == []
    assert password not in "".join(file.read_text("utf-8") for file in tmp_path.rglob("*.json"))


def test_without_the_variable_of_the_database_the_error_names_it(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, instance: DagsterInstance
) -> None:
    monkeypatch.delenv("DATABASE_URL", raising=False)
    result = run_in_dagster(tmp_path, instance)
    assert not result.success
    assert any("DATABASE_URL" in str(event) for event in instance.all_logs(result.run_id))
