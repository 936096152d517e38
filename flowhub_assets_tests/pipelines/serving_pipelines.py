"""Runs a shipped pipeline in Dagster with the profile of a test: its workspace, its port."""

from __future__ import annotations

from typing import Any

from dagster import DagsterInstance

from flowhub_assets.definitions import load, location
from flowhub_assets_tests.pipelines.conftest import PIPELINES


def in_dagster(name: str, env: dict[str, Any], instance: DagsterInstance, **params: Any) -> Any:
    """The finished run, whose steps ran in this process; ``env`` is laid over the default profile."""
    (runnable,) = load(PIPELINES / name / "workflow.py").runnables
    values = {key: value for key, value in env.items() if key.isupper()}
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {
            "profile": {"config": {"values": values}},
            **({f"{name}_params": {"config": params}} if params else {}),
        },
    }
    job = location.flow(runnable).job
    return job.execute_in_process(run_config=config, raise_on_error=False, instance=instance)


def shown(result: Any, asset: str) -> dict[str, Any]:
    """What an asset of the run shows, by name."""
    (made,) = [one for one in result.get_asset_materialization_events() if one.asset_key.to_user_string() == asset]
    return {name: value.value for name, value in made.materialization.metadata.items()}


def checks(result: Any) -> dict[str, Any]:
    """The evaluations of the run's asset checks, by name."""
    return {one.check_name: one for one in result.get_asset_check_evaluations()}
