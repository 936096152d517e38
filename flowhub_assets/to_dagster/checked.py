"""The checks that a task makes of its own value → asset checks of its asset, evaluated in the task's own step."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from dagster import AssetCheckResult, AssetCheckSeverity, AssetCheckSpec, AssetKey, Nothing, Out

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Check, Pipeline, Task
from flowhub_assets.runtime.check import checked_in
from flowhub_assets.runtime.step import StepResult
from flowhub_assets.to_dagster.metadata import shown_metadata


def check_specs(task: Task, key: AssetKey) -> dict[str, AssetCheckSpec]:
    """The op's output for each check of ``task``, whose asset is ``key``, and what Dagster is told of it."""
    return {
        _output(check): AssetCheckSpec(check.name, asset=key, blocking=check.level == "blocking")
        for check in task.checks
    }


def check_outs(task: Task) -> Mapping[str, Out]:
    """The outputs of the op through which Dagster knows that a check was made."""
    return {_output(check): Out(Nothing) for check in task.checks}


def check_results(task: Task, key: AssetKey, result: StepResult) -> Iterator[AssetCheckResult]:
    """What the task has told of each of its checks."""
    for check, checked in zip(task.checks, checked_in(task, result.shown), strict=True):
        yield AssetCheckResult(
            passed=checked.passed,
            asset_key=key,
            check_name=check.name,
            severity=AssetCheckSeverity.WARN if check.level == "warn" else AssetCheckSeverity.ERROR,
            description=checked.description or None,
            metadata=shown_metadata(checked.shown),
        )


def refuse_checks(pipeline: Pipeline) -> None:
    """Raises DefinitionError for a task with checks in a pipeline that decides or loops: its steps are a graph's."""
    for task in pipeline.tasks:
        if task.checks:
            raise DefinitionError(
                f"task {task.name!r} has checks, and pipeline {pipeline.name!r} decides or loops",
                where=task.source,
                effect="Dagster knows no asset check inside such a graph: the pipeline is not loaded.",
                remedy="Move the task with the checks to a flow of its own, and name its assets in deps=[...].",
            )


def _output(check: Check) -> str:
    return f"check_{check.name}"
