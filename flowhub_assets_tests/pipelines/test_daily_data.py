"""From a new object to what follows from it, in a real S3: producer, path watcher, consumer, by Dagster's own looks."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, build_sensor_context, evaluate_automation_conditions

from flowhub_assets.ml import published
from flowhub_assets_tests.pipelines.conftest import PIPELINES
from flowhub_assets_tests.s3_server import S3Server, put_by_boto3
from flowhub_assets_tests.s3_server import s3 as s3  # a fixture
from flowhub_assets_tests.workflows import Workflows

Run = Callable[..., Any]
OBJECT = "incoming/iris.csv"


class Dagster:
    """A code location of the three pipelines alone, over a bucket: what the daemon would do, one look at a time."""

    def __init__(self, workflows: Workflows, instance: DagsterInstance, env: dict[str, Any]) -> None:
        for name in ("daily_data", "data_sets", "data_changes"):
            shutil.copytree(PIPELINES / name, workflows.folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        lines = ["[tool.flowhub.env.default]", *(f"{name} = {json.dumps(value)}" for name, value in env.items())]
        (workflows.folder.parent / "pyproject.toml").write_text("\n".join(lines))
        self.repository, self.instance = workflows.repository(), instance
        self.cursor: str | None = None
        self.looked: Any = None

    def run(self, job: str, run_config: Any = None) -> Any:
        """The result of a run."""
        config = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}, **(run_config or {})}
        wanted = self.repository.get_job(job)
        return wanted.execute_in_process(run_config=config, instance=self.instance, raise_on_error=False)

    def arrived(self) -> list[Any]:
        """What the path watcher starts runs of data-sets with."""
        sensor = self.repository.get_sensor_def("data_sets_objects")
        with build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository) as context:
            data = sensor.evaluate_tick(context)
        self.cursor = data.cursor
        return [request.run_config for request in data.run_requests or ()]

    def asked(self) -> set[str]:
        """The assets that the automation sensor asks to be made."""
        assets = list(self.repository.assets_defs_by_key.values())
        self.looked = evaluate_automation_conditions(
            defs=assets, instance=self.instance, cursor=self.looked.cursor if self.looked else None
        )
        return {one.key.to_user_string() for one in self.looked.results if self.looked.get_num_requested(one.key)}


def made(result: Any, task: str) -> Any:
    assert result.success
    return result.output_for_node(task)


def test_a_day_s_flowers_become_a_version_and_what_comes_after_runs_by_itself(
    workflows: Workflows, instance: DagsterInstance, s3: S3Server
) -> None:
    dagster = Dagster(workflows, instance, s3.env())
    day = {"resources": {"daily_data_params": {"config": {"day": "2026-03-04"}}}}
    assert dagster.asked() == set()
    assert dagster.arrived() == []

    assert made(dagster.run("daily_data", day), "daily_data__update")["rows"] == 162
    (config,) = dagster.arrived()
    first = made(dagster.run("data_sets", config), "data_sets__iris")
    assert (first["rows"], first["source"]) == (162, f"s3://bucket/{OBJECT}")
    assert dagster.asked() == {"data_changes/compare"}
    assert made(dagster.run("data_changes"), "data_changes__compare")["added"] == 162
    assert dagster.asked() == set(), "it is made once for each change"

    assert made(dagster.run("daily_data", day), "daily_data__update")["added"] == 0
    assert dagster.arrived() == [], "the same day again writes nothing"
    day["resources"]["daily_data_params"]["config"]["day"] = "2026-03-05"
    made(dagster.run("daily_data", day), "daily_data__update")
    (config,) = dagster.arrived()
    second = made(dagster.run("data_sets", config), "data_sets__iris")
    assert dagster.asked() == {"data_changes/compare"}
    compared = made(dagster.run("data_changes"), "data_changes__compare")
    assert compared == {
        "version": second["version"],
        "before": first["version"],
        "rows": 174,
        "added": 12,
        "removed": 0,
        "shifts": compared["shifts"],
    }


def test_a_bad_object_starts_nothing_after_it(workflows: Workflows, instance: DagsterInstance, s3: S3Server) -> None:
    dagster = Dagster(workflows, instance, s3.env())
    assert dagster.run("data_sets").success
    assert dagster.asked() == set()
    before = published("iris", s3.env())[2]
    put_by_boto3(s3, OBJECT, b"sepal_length,sepal_width,petal_length,petal_width,species\n1,1,1,1,rose\n")
    (config,) = dagster.arrived()
    assert not dagster.run("data_sets", config).success
    assert published("iris", s3.env())[2] == before
    assert dagster.asked() == set(), "nothing has changed"
    assert dagster.arrived() == []


def test_a_day_has_always_the_same_flowers_and_is_added_once(run_here: Run, tmp_path: Path) -> None:
    done = run_here("daily_data", day="2026-03-04")
    again = run_here("daily_data", day="2026-03-04")
    other = run_here("daily_data", day="2026-03-05")
    flowers = [one.tasks["flowers"].value["flowers"] for one in (done, again, other)]
    assert flowers[0] == flowers[1] != flowers[2]
    assert [(one.value["rows"], one.value["added"]) for one in (done, again, other)] == [(162, 12), (162, 0), (174, 12)]
    assert len((tmp_path / "tmp" / OBJECT).read_text().splitlines()) == 175


def test_a_day_that_is_none_is_told(run_here: Run) -> None:
    done = run_here("daily_data", day="the 4th")
    assert not done.ok
    assert "the 4th" in str(done.error)


def test_a_look_without_a_change_gives_the_same_answer(run_here: Run, tmp_path: Path) -> None:
    assert run_here("data_sets").ok
    first, second = run_here("data_changes"), run_here("data_changes")
    assert first.ok, first.error
    assert first.value == second.value
    assert first.value["before"] is None
    folder = tmp_path / "tmp/data_changes/iris"
    assert {file.name for file in folder.iterdir()} == {"latest.json", f"{first.value['version']}.json"}


@pytest.mark.parametrize("pipeline", ["data_changes"])
def test_without_a_version_the_error_says_what_to_make_first(run_here: Run, pipeline: str) -> None:
    done = run_here(pipeline)
    assert not done.ok
    assert "Materialise the asset data_sets/iris first" in str(done.error)
