"""The pipelines around the registry, run by Dagster over a workspace, and what they show."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, ExecuteInProcessResult

from flowhub_assets.definitions import load, location
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets_tests.pipelines.conftest import PIPELINES


def flow_of(name: str) -> FlowDefinitions:
    """The definitions of a shipped pipeline."""
    (runnable,) = load(PIPELINES / name / "workflow.py").runnables
    return location.flow(runnable)


def run_in_dagster(
    name: str,
    workspace: Path,
    instance: DagsterInstance,
    partition: str | None = None,
    params: Mapping[str, Any] | None = None,
    profile: Mapping[str, Any] | None = None,
) -> ExecuteInProcessResult:
    """A run of the pipeline over the workspace, with values laid over its profile."""
    resources: dict[str, Any] = {"storage": {"config": {"workspace": str(workspace)}}}
    if profile:
        resources["profile"] = {"config": {"values": dict(profile)}}
    if params:
        resources[f"{name}_params"] = {"config": dict(params)}
    return flow_of(name).job.execute_in_process(
        run_config={"resources": resources, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
        partition_key=partition,
        instance=instance,
        raise_on_error=False,
    )


def checks_of(result: ExecuteInProcessResult) -> dict[str, tuple[bool, str]]:
    """Each check of the run: whether it holds, and its description."""
    return {
        one.check_name: (one.passed, str(one.description or one.metadata.get("why") or ""))
        for one in result.get_asset_check_evaluations()
    }


def value_of(result: ExecuteInProcessResult, node: str) -> dict[str, Any]:
    """What a task has returned."""
    found: dict[str, Any] = result.output_for_node(node)
    return found
