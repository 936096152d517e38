"""The wines in a real PostgreSQL: what is in the table, what a second run changes, and the checks in Dagster."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from sklearn.datasets import load_wine

from flowhub_assets.cli.demo_api import demo_api
from flowhub_assets.definitions import load, location
from flowhub_assets_tests.pipelines.conftest import PIPELINES
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres

Run = Callable[..., Any]
__all__ = ["shared_postgres"]

GROWERS = [
    {"cultivar": 1, "wines": 59, "alcohol": 13.74, "flavanoids": 2.98, "proline": 1115.7},
    {"cultivar": 2, "wines": 71, "alcohol": 12.28, "flavanoids": 2.08, "proline": 519.5},
    {"cultivar": 3, "wines": 48, "alcohol": 13.15, "flavanoids": 0.78, "proline": 629.9},
]


@pytest.fixture
def database(shared_postgres: PostgresServer, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    url = shared_postgres.new_database()
    with demo_api() as api:
        monkeypatch.setenv("DEMO_API_URL", api)
        monkeypatch.setenv("DEMO_WAREHOUSE_URL", url)
        yield url


def rows(url: str, query: str) -> list[Any]:
    import psycopg2

    with closing(psycopg2.connect(url)) as connection, connection.cursor() as cursor:
        cursor.execute(query)
        return list(cursor.fetchall())


def test_the_table_holds_the_wines_and_a_second_run_adds_none(run_here: Run, database: str) -> None:
    for created in (True, False):
        done = run_here("wine_warehouse")
        assert done.ok, done.error
        assert done.tasks["load-wines"].value == {"count": 178, "table": "wines", "created": created}
        assert done.tasks["compare-growers"].value["rows"] == GROWERS
    wines = load_wine()
    kept = rows(database, "SELECT alcohol, cultivar - 1 FROM wines ORDER BY wine")
    assert kept == list(zip(wines.data[:, 0].tolist(), wines.target.tolist(), strict=True))


def run_in_dagster(folder: Path) -> Any:
    (runnable,) = load(PIPELINES / "wine_warehouse" / "pipeline.yaml").runnables
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {"storage": {"config": {"workspace": str(folder)}}},
    }
    return location.flow(runnable).job.execute_in_process(run_config=config, raise_on_error=False)


def test_in_dagster_three_nodes_are_assets_and_their_checks_pass(database: str, tmp_path: Path) -> None:
    result = run_in_dagster(tmp_path)
    assert result.success
    made = {event.asset_key.to_user_string() for event in result.get_asset_materialization_events()}
    assert made == {"wines/file", "wines/table", "wines/by_grower"}
    checks = {one.check_name: one.passed for one in result.get_asset_check_evaluations()}
    assert checks == {"load_wines_check": True, "compare_growers_check": True}
    assert rows(database, "SELECT count(*) FROM wines") == [(178,)]


def test_without_a_database_the_error_names_the_variable(
    database: str, run_here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DEMO_WAREHOUSE_URL")
    done = run_here("wine_warehouse")
    assert done.tasks["type-wines"].state == "succeeded"
    assert done.tasks["load-wines"].state == "failed"
    assert "DEMO_WAREHOUSE_URL" in str(done.error)
