"""A real Airflow reads what we export: no error, no warning, and the tasks, edges, rules and params of the data."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
from hypothesis import HealthCheck, Phase, given, settings

from flowhub_assets.cli.export import known_pipelines
from flowhub_assets.ir.gpu_presets import with_gpu_presets
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dag_id
from flowhub_assets.pods.pod_manifest import PodSettings
from flowhub_assets.to_airflow.dag_data import dag_data
from flowhub_assets.to_airflow.dag_file import dag_file
from flowhub_assets.to_airflow.export import export
from flowhub_assets.to_airflow.unsupported import refused
from flowhub_assets_tests.airflow.drive import read_dags
from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.airflow.fixtures import airflow  # noqa: F401 - a fixture
from flowhub_assets_tests.conformance.runners import load
from flowhub_assets_tests.conformance.shapes import MANY, Shape
from flowhub_assets_tests.from_yaml.random_pipelines import pipelines

GENERATED = 30
SETTINGS = PodSettings(["code"], "python:3.11-slim", "ours:1", namespace="team", secrets=[("K", "s", "k")])


@dataclass(frozen=True)
class Read:
    """What was written, by DAG id, and what Airflow made of all of it."""

    written: Mapping[str, dict[str, Any]]
    report: Mapping[str, Any]


@pytest.fixture(scope="module")
def dags(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """The texts of all DAG files: of the shipped pipelines, of long and wide ones, and of generated ones."""
    texts = {}
    many = [_written(shape, tmp_path_factory.mktemp("many")) for shape in MANY]
    for pipeline in (*(one.pipeline for one in known_pipelines()), *many):
        exported = export(pipeline, "default")
        texts[exported.dag_id] = exported.dag
    for number, pipeline in enumerate(_generated()):
        data = dag_data(replace(pipeline, name=f"generated-{number}"), SETTINGS)
        texts[data["dag"]["dag_id"]] = dag_file(data, "pipeline.yaml")
    return texts


def _written(shape: Shape, folder: Path) -> Pipeline:
    file = folder / shape.file
    file.write_text(shape.text, "utf-8")
    return replace(load(file).pipeline, name=shape.name)


def _generated() -> list[Pipeline]:
    found: list[Pipeline] = []

    @settings(
        max_examples=10 * GENERATED,
        derandomize=True,
        database=None,
        deadline=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(pipelines())
    def collect(pipeline: Pipeline) -> None:
        resolved = with_gpu_presets(pipeline, "cluster", {"GPU": {"a100": {"node_selector": {"gpu": "a100"}}}})
        if len(found) < GENERATED and not refused(resolved):
            found.append(resolved)

    collect()
    assert len(found) == GENERATED
    return found


@pytest.fixture(scope="module")
def read(airflow: Environment, dags: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> Read:  # noqa: F811
    """The DAGs as Airflow has read them."""
    folder = tmp_path_factory.mktemp("dags")
    for name, text in dags.items():
        (folder / f"{name}_dag.py").write_text(text, "utf-8")
    return Read({name: _pipeline_of(text) for name, text in dags.items()}, read_dags(airflow, folder, 300))


def _pipeline_of(text: str) -> dict[str, Any]:
    (assigned,) = [one for one in ast.parse(text).body if isinstance(one, ast.Assign) and _is_pipeline(one)]
    data: dict[str, Any] = ast.literal_eval(assigned.value)
    return data


def _is_pipeline(statement: ast.Assign) -> bool:
    return isinstance(statement.targets[0], ast.Name) and statement.targets[0].id == "PIPELINE"


def test_all_load_without_an_error_or_a_warning(read: Read) -> None:
    assert read.report["import_errors"] == {}
    assert set(read.report["dags"]) == set(read.written)
    assert len(read.written) >= GENERATED + 8
    assert [len(read.report["dags"][dag_id(shape.name)]["tasks"]) for shape in MANY] == [52, 100]
    assert [told for told in read.report["warnings"] if told["file"].endswith("_dag.py")] == []


def test_the_words_of_the_dags_are_those_that_were_written(read: Read) -> None:
    for name, data in read.written.items():
        dag, words = read.report["dags"][name], data["dag"]
        assert dag["catchup"] is False
        assert dag["tags"] == sorted(words["tags"])
        assert dag["doc"] == words.get("doc_md")
        assert dag["owner"] == words["default_args"]["owner"]
        assert dag["max_active_runs"] == words.get("max_active_runs", 16)
        assert dag["timezone"] == data["schedule"].get("timezone", "UTC")
        if "cron" in data["schedule"] and not data["schedule"]["cron"].startswith("@"):
            assert data["schedule"]["cron"] in str(dag["timetable_data"])
        if not data["schedule"]:
            assert dag["timetable"] == "NullTimetable"


def test_params_have_the_schemas_and_defaults_that_were_written(read: Read) -> None:
    for name, data in read.written.items():
        found = read.report["dags"][name]["params"]
        assert set(found) == set(data["params"])
        for param, words in data["params"].items():
            schema = {key: value for key, value in words.items() if key not in ("default", "description")}
            assert found[param]["schema"] == schema
            assert found[param].get("default") == words.get("default")
            assert found[param].get("description") == words.get("description")


def test_tasks_have_the_edges_and_rules_that_were_written(read: Read) -> None:
    for name, data in read.written.items():
        found = read.report["dags"][name]["tasks"]
        assert set(found) == set(data["tasks"])
        for task_id, entry in data["tasks"].items():
            words = entry.get("words", {})
            task = found[task_id]
            assert sorted(task["upstream"]) == sorted(entry["upstream"]), task_id
            assert task["trigger_rule"] == words.get("trigger_rule", "all_success")
            assert task["retries"] == words.get("retries", 0)
            assert task["pool"] == words.get("pool", "default_pool")
            assert task["priority_weight"] == words.get("priority_weight", 1)
            assert task["execution_timeout"] == pytest.approx(entry.get("seconds", {}).get("execution_timeout"))
            assert task["mapped"] is ("over" in entry)
            assert (task["shown_type"] == "KubernetesPodOperator") is (entry["kind"] == "pod")
            if "retry_delay" in entry.get("seconds", {}):
                assert task["retry_delay"] == pytest.approx(entry["seconds"]["retry_delay"])


def test_kubernetes_takes_every_pod(read: Read) -> None:
    tasks = [task for dag in read.report["dags"].values() for task in list(dag["tasks"].values())[:30]]
    pods = [task["pod"] for task in tasks if task.get("pod")]
    assert len(pods) > GENERATED
    for pod in pods:
        kubernetes_validate.validate(pod, "1.30", strict=True)
