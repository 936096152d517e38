"""``asset: {check: ...}`` → an asset check: the condition is asked of the value that the run has saved."""

# No "from __future__ import annotations" here: Dagster reads the annotation of ``context`` as a type.
from collections.abc import Mapping
from typing import Any

from dagster import AssetCheckExecutionContext, AssetCheckResult, AssetChecksDefinition, AssetKey, asset_check

from flowhub_assets.errors import FlowhubError, ValueMissing
from flowhub_assets.executor.placement import LIGHT, PLACEMENT_TAG
from flowhub_assets.ir.pipeline import Task
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets.to_dagster.failures import as_failure


def asset_checks(runnable: Runnable, keys: Mapping[str, AssetKey]) -> list[AssetChecksDefinition]:
    """A check for each task of the pipeline whose asset has one."""
    tasks = [task for task in runnable.pipeline.tasks if task.asset is not None and task.asset.check]
    return [_check(runnable, task, keys[task.name]) for task in tasks]


def value_of_run(values: Values, run_id: str, task: str) -> dict[str, Any]:
    """What this run has made: the latest is that of another partition, where several are made at once."""
    try:
        return values.load(run_id, task)
    except ValueMissing:
        return values.load_latest(task)


def _check(runnable: Runnable, task: Task, key: AssetKey) -> AssetChecksDefinition:
    condition = task.asset.check if task.asset is not None else None
    assert condition is not None

    @asset_check(
        asset=key,
        name=f"{dagster_name(task.name)}_check",
        description=condition,
        required_resource_keys={"profile", "storage"},
        op_tags={PLACEMENT_TAG: LIGHT},
    )
    def check(context: AssetCheckExecutionContext) -> AssetCheckResult:
        from flowhub_assets.nodes.asset_check import check_holds

        resources: Any = context.resources
        try:
            profile = resources.storage.over(resources.profile.of(runnable.pipeline))
            value = value_of_run(Values(get_storage(profile), runnable.pipeline.name), context.run.run_id, task.name)
            passed = check_holds(task, value)
        except FlowhubError as error:
            raise as_failure(error) from None
        return AssetCheckResult(passed=passed, metadata={"condition": condition})

    return check
