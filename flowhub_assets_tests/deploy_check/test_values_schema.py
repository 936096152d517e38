"""Values by the official chart's schema: what is only missing is the chart's, what is wrong is told at its core."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowhub_assets.deploy_check.layers import Layers
from flowhub_assets.deploy_check.values_schema import schema_problems
from flowhub_assets.from_yaml.read import documents
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY

(SCHEMA,) = (DEPLOY / "helm" / "schema").glob("*.schema.json")


def told(values: dict[str, Any]) -> list[str]:
    found, problems = documents(yaml.safe_dump(values), "v.yaml")
    assert not problems
    return [problem.what for problem in schema_problems([Layers((found[0],))], SCHEMA)]


def test_the_schema_refers_to_nothing_outside() -> None:
    assert "http" not in "".join(part for part in _references(json.loads(SCHEMA.read_text("utf-8"))))
    assert "Apache License 2.0" in (SCHEMA.parent / "README.md").read_text("utf-8")


def _references(value: Any) -> list[str]:
    if isinstance(value, dict):
        own = [value["$ref"]] if isinstance(value.get("$ref"), str) else []
        return own + [one for inner in value.values() for one in _references(inner)]
    return [one for inner in value for one in _references(inner)] if isinstance(value, list) else []


@pytest.mark.parametrize(
    "values",
    [
        {"telemetry": {"enabled": False}},
        {"dagsterDaemon": {"runMonitoring": {"enabled": True}}},
        {"concurrency": {"pools": {"granularity": "op"}}},
        {"extraManifests": []},
        {"computeLogManager": {"config": {"s3ComputeLogManager": {"endpointUrl": {"env": "A"}}}}},
    ],
)
def test_what_is_only_missing_is_the_charts(values: dict[str, Any]) -> None:
    assert told(values) == []


@pytest.mark.parametrize(
    ("values", "what"),
    [
        ({"telemetry": {"enabled": "no"}}, "telemetry.enabled: 'no' is not of type 'boolean'"),
        ({"telemetry": {"enabeld": True}}, "the chart has no value telemetry.enabeld"),
        ({"concurrency": {"pools": {"granularty": "op"}}}, "the chart has no value concurrency.pools.granularty"),
        (
            {"dagster-user-deployments": {"deployments": [{"name": "a", "port": 1}]}},
            "dagster-user-deployments.deployments[0]: 'image' is a required property",
        ),
        ({"runLauncher": {"config": {"k8sRunLauncher": {"resuorces": {}}}}}, "resuorces"),
    ],
)
def test_what_is_wrong_is_told(values: dict[str, Any], what: str) -> None:
    (one,) = told(values)
    assert what in one


def test_a_misspelt_value_gets_the_right_one(tmp_path: Path) -> None:
    found, _problems = documents("telemetry:\n  enabeld: true\n", "v.yaml")
    (problem,) = schema_problems([Layers((found[0],))], SCHEMA)
    assert (problem.line, problem.column) == (2, 3)
    assert "enabled" in problem.remedy
