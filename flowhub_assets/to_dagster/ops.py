"""A task → the op that runs it."""

# No "from __future__ import annotations" here: Dagster reads the annotation of ``context`` as a type.
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

from dagster import (
    AssetCheckResult,
    AssetKey,
    Field,
    In,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    Output,
    String,
)

from flowhub_assets.errors import FlowhubError
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Retry, Task
from flowhub_assets.names import dagster_name, op_name
from flowhub_assets.runtime.check import blocked
from flowhub_assets.runtime.step import Runnable, StepResult, step_inputs
from flowhub_assets.to_dagster.checked import check_outs, check_results
from flowhub_assets.to_dagster.failures import as_failure
from flowhub_assets.to_dagster.graphs import retry_policy
from flowhub_assets.to_dagster.metadata import value_metadata
from flowhub_assets.to_dagster.params import params_key
from flowhub_assets.to_dagster.partitions import partition_values
from flowhub_assets.to_dagster.pod_steps import pod_run, runs_in_own_image
from flowhub_assets.to_dagster.step_bodies import call_body
from flowhub_assets.to_dagster.tags import op_tags
from flowhub_assets.to_dagster.value_io import values_key

#: What on_failure is told, each as text, in the config of its op.
FAILURE_FIELDS = ("failed_task", "error", "error_type", "traceback")

_Compute = Callable[[OpExecutionContext, Mapping[str, Any]], Iterator[Output[Any] | AssetCheckResult]]


def task_op(runnable: Runnable, task: Task, key: AssetKey, after: tuple[str, ...] = ()) -> OpDefinition:
    """The op ``flow__task``: one input for each task upstream, one output ``result``, the task's dict.

    Beside it one for each check of its asset, which has that key. ``after`` names inputs that bring nothing: assets of
    other pipelines, which it waits for and without which it is skipped.
    """
    upstream = [name for name in dict.fromkeys(task.needs) if name != FLOW_INPUT]

    def compute(context: OpExecutionContext, inputs: Mapping[str, Any]) -> Iterator[Output[Any] | AssetCheckResult]:
        outputs = {name: inputs[dagster_name(name)] for name in upstream}
        result = _run(runnable, task, outputs, _flow_input(context, runnable, task), context)
        yield Output(result.value, metadata=value_metadata(result.value, result.shown))
        yield from check_results(task, key, result)
        error = blocked(task, result.shown)
        if error is not None:
            # Dagster would end the step itself, but say only which check it was.
            raise as_failure(error)

    return _op(
        compute,
        runnable,
        task,
        name=op_name(runnable.pipeline.name, task.name),
        ins={**{dagster_name(name): In() for name in upstream}, **{name: In(Nothing) for name in after}},
        outs={"result": Out(io_manager_key=values_key(runnable.pipeline)), **check_outs(task)},
    )


def failure_op(runnable: Runnable, task: Task) -> OpDefinition:
    """The op that calls on_failure with the flow's input and what its config tells of the failure."""

    def compute(context: OpExecutionContext, _inputs: Mapping[str, Any]) -> Iterator[Output[Any]]:
        told = {**_flow_input(context, runnable, task), **context.op_config}
        result = _run(runnable, task, {}, told, context)
        yield Output(None, metadata=value_metadata(result.value, result.shown))

    # on_failure is called once, whatever its own @task says of retries: an alarm that rang is not rung again.
    once = replace(task, retry=Retry())
    return _op(
        compute,
        runnable,
        once,
        name=failure_op_name(runnable.pipeline, task),
        ins={},
        outs={"result": Out(Nothing)},
        config_schema={name: Field(String, default_value="", is_required=False) for name in FAILURE_FIELDS},
    )


def failure_op_name(pipeline: Pipeline, task: Task) -> str:
    """The name of the op that calls a task when a run of ``pipeline`` has failed."""
    return f"{dagster_name(pipeline.name)}__on_failure__{dagster_name(task.name)}"


def _op(compute: _Compute, runnable: Runnable, task: Task, *, name: str, **parts: Any) -> OpDefinition:
    # A pod that has the task's code reads the run's params by itself.
    given = FLOW_INPUT in task.needs or task.placement.image
    resources = {"profile", "storage", *([params_key(runnable.pipeline)] if given else [])}
    return OpDefinition(
        compute,
        name=name,
        description=task.description or None,
        required_resource_keys=resources,
        tags=op_tags(runnable.pipeline, task),
        retry_policy=retry_policy(task.retry),
        pool=task.pool,
        **parts,
    )


def _flow_input(context: OpExecutionContext, runnable: Runnable, task: Task) -> dict[str, Any]:
    if FLOW_INPUT not in task.needs and not task.placement.image:
        return {}
    given: dict[str, Any] = getattr(context.resources, params_key(runnable.pipeline))
    return given


def _run(
    runnable: Runnable,
    task: Task,
    outputs: Mapping[str, Any],
    flow_input: Mapping[str, Any],
    context: OpExecutionContext,
) -> StepResult:
    try:
        profile = context.resources.storage.over(context.resources.profile.of(runnable.pipeline))
        profile = {**profile, **partition_values(runnable.pipeline, context.run)}
        ends_run = task is runnable.pipeline.failure_task or task in runnable.pipeline.finally_tasks
        if runs_in_own_image(task):
            given = {name: value for name, value in flow_input.items() if name not in FAILURE_FIELDS or not ends_run}
            failure = {name: value for name, value in flow_input.items() if name not in given}
            order = {"part": "failure" if ends_run else "task", "given": given, "failure": failure}
            return pod_run(context.run_id, runnable, context.resources.profile.name, profile).step(
                context, task, order, outputs, task
            )
        return call_body(context, runnable, task, step_inputs(task, outputs, flow_input), profile, ends_run=ends_run)
    except FlowhubError as error:
        error.where = error.where or str(task.source)
        raise as_failure(error, task.retry) from None
