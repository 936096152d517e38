"""What the steps of a graph do: a task, a loop's list, one iteration, a loop's end, several light tasks in one."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any

from dagster import DynamicOutput, MetadataValue, OpExecutionContext, Output, TableRecord

from flowhub_assets.errors import FlowhubError, TaskCancelled
from flowhub_assets.ir.grouping import step_name
from flowhub_assets.ir.pipeline import LOOP_ITEM, Loop, Task
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.joining import skip_reason
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.loops import body_of, gathered, items_name, iteration_name, loop_items, of_item
from flowhub_assets.runtime.outcome import Event, Outcome
from flowhub_assets.runtime.retrying import is_tolerated
from flowhub_assets.runtime.step import Runnable, StepResult, error_value, step_inputs
from flowhub_assets.runtime.step_context import current_step
from flowhub_assets.to_dagster.failures import as_failure
from flowhub_assets.to_dagster.flow_run import FlowRun
from flowhub_assets.to_dagster.metadata import value_metadata
from flowhub_assets.to_dagster.pod_steps import runs_in_own_image
from flowhub_assets.to_dagster.step_bodies import call_body
from flowhub_assets.to_dagster.tags import asks_most
from flowhub_assets.to_dagster.value_io import SAVED_AS, link_to

#: The output of each op that says "it has run"; a deciding one has another for each port.
RAN = "result"
#: The dynamic output of a loop's list, one for each item.
ITEM = "item"

Outputs = Iterator[Output[Any] | DynamicOutput[Any]]


def task_step(context: OpExecutionContext, run: FlowRun, task: Task) -> Outputs:
    """Runs one task, if it is to run; its value is saved before its outputs are given."""
    yield from _given(context, run, task, _settled(context, run, task, "task", _whole))


def items_step(context: OpExecutionContext, run: FlowRun, task: Task) -> Outputs:
    """Makes a loop's list: an output for each item."""
    result = _settled(context, run, task, "items", lambda one: {"items": loop_items(task, one.value)})
    if result is None:
        return
    run.keep(context.run_id, items_name(task.name), result.value)
    # There are none where the task tolerates that its list could not be made.
    for index in range(len(result.value.get("items", ()))):
        yield DynamicOutput(None, mapping_key=str(index), output_name=ITEM)


def iteration_step(context: OpExecutionContext, run: FlowRun, task: Task, loop: Loop) -> Outputs:
    """Runs a loop's body for the item of this step."""
    index = int(context.get_mapping_key() or 0)
    with _as_failures(task):
        items = run.load(context, items_name(task.name)) or {"items": []}
        outputs, skipped = run.upstream(context, [task])
        asks = asks_most(loop)
        if runs_in_own_image(asks):
            order = {"part": "iteration", "given": run.given, "skipped": sorted(skipped), "index": index}
            known = {**outputs, items_name(task.name): items}
            made = run.pods(context.run_id).step(context, task, order, known, asks).value
            url = run.keep(context.run_id, iteration_name(task.name, index), made)
            yield Output(None, RAN, metadata={SAVED_AS: link_to(url), **value_metadata(made.get("result") or {}, ())})
            return
        given = {**outputs, **{name: {} for name in skipped}, LOOP_ITEM: items["items"][index]}
        runnable = Runnable(body_of(run.pipeline, task), run.runnable.bodies)
        outcome = _run_here(context, run, runnable, given, ())
        if outcome.error is not None:
            error = of_item(index, outcome.error)
            if not _is_tolerated(context, task, error):
                raise error
            run.keep(context.run_id, iteration_name(task.name, index), error_value(error))
            yield Output(None, RAN, metadata={"tasks": _table(outcome)})
            return
        value = outcome.tasks[loop.result].value
        url = run.keep(context.run_id, iteration_name(task.name, index), {"result": value})
    yield Output(
        None, RAN, metadata={"tasks": _table(outcome), SAVED_AS: link_to(url), **value_metadata(value or {}, ())}
    )


def results_step(context: OpExecutionContext, run: FlowRun, task: Task, loop: Loop) -> Outputs:
    """Gathers what a loop's iterations have made, in the items' order."""
    with _as_failures(task):
        items = run.load(context, items_name(task.name))
        if items is None:
            context.log.info(f"{task.name} is skipped: its list was not made")
            return
        results = [run.load(context, iteration_name(task.name, at)) or {} for at in range(len(items.get("items", ())))]
        value = gathered(loop.into, items, results)
    yield from _given(context, run, task, StepResult(value))


def fused_step(context: OpExecutionContext, run: FlowRun, tasks: Sequence[Task]) -> Outputs:
    """Runs neighbouring light tasks as one step, with a row for each in its table, and their values in one document."""
    with _as_failures(tasks[0]):
        outputs, skipped = run.upstream(context, tasks)
        part = replace(run.pipeline, tasks=tuple(tasks), result=(), failure_task=None, finally_tasks=())
        done = run.made_before(context, tasks)
        outcome = _run_here(context, run, Runnable(part, run.runnable.bodies), {**outputs, **done}, skipped)
        made = {one.task: one.value for one in outcome.tasks.values() if one.value is not None}
        # Also if one of them has failed: what is done is not done again.
        url = run.keep(context.run_id, step_name(tuple(tasks)), made)
        _require(outcome)
    if made:
        yield Output(None, RAN, metadata={"tasks": _table(outcome), SAVED_AS: link_to(url)})


def _settled(
    context: OpExecutionContext, run: FlowRun, task: Task, part: str, value_of: Callable[[StepResult], dict[str, Any]]
) -> StepResult | None:
    """The task's result; None if it is skipped. A failure that the task tolerates becomes its value."""
    try:
        outputs, skipped = run.upstream(context, [task])
        reason = skip_reason(task, outputs, skipped)
        if not reason and runs_in_own_image(task):
            order = {"part": part, "given": run.given, "skipped": sorted(skipped)}
            result = run.pods(context.run_id).step(context, task, order, outputs, task)
            reason, value_of = result.skipped, _whole
        elif not reason:
            inputs = step_inputs(task, outputs, run.given, skipped)
            result = call_body(context, run.runnable, task, inputs, run.profile)
            reason = result.skipped
        if reason:
            context.log.info(f"{task.name} is skipped: {reason}")
            return None
        return replace(result, value=value_of(result))
    except FlowhubError as error:
        error.where = error.where or str(task.source)
        if not _is_tolerated(context, task, error):
            raise as_failure(error, task.retry) from None
        return StepResult(error_value(error))


def _is_tolerated(context: OpExecutionContext, task: Task, error: BaseException) -> bool:
    """Whether the run goes on all the same: the task says so, the failure is its own, and no try is left."""
    if not is_tolerated(task, error, last=context.retry_number >= task.retry.times):
        return False
    context.log.warning(f"{error}\n  The run goes on: the task has continueOnError.")
    return True


def _whole(result: StepResult) -> dict[str, Any]:
    return result.value


def _run_here(
    context: OpExecutionContext,
    run: FlowRun,
    runnable: Runnable,
    outputs: Mapping[str, Mapping[str, Any]],
    skipped: Iterable[str],
) -> Outcome:
    """Runs a part of the pipeline inside this step."""
    cancellation = current_step().cancellation
    outcome = run_pipeline(
        runnable,
        run.given,
        profile=run.profile,
        run_id=context.run_id,
        finished=outputs,
        skipped=skipped,
        inside=cancellation,
        on_event=lambda event: _log_event(context, event),
    )
    if cancellation.is_set():
        raise TaskCancelled("the run was stopped while its tasks ran")
    return outcome


def _require(outcome: Outcome) -> Outcome:
    if outcome.error is not None:
        raise outcome.error
    return outcome


def _given(context: OpExecutionContext, run: FlowRun, task: Task, result: StepResult | None) -> Outputs:
    """Saves the value; then the outputs that the graph has a use for."""
    if result is None:
        return
    with _as_failures(task):
        url = run.keep(context.run_id, task.name, result.value, latest=task.asset is not None)
    metadata = {**value_metadata(result.value, result.shown), SAVED_AS: link_to(url)}
    names = [RAN, *(dagster_name(port) for port in (result.value.get("port"),) if port)]
    for number, name in enumerate(name for name in names if name in context.selected_output_names):
        yield Output(None, name, metadata=metadata if number == 0 else None)


class _as_failures:  # noqa: N801 - reads as the statement that it is
    """Errors of ours inside become Dagster's Failure, told of ``task``."""

    def __init__(self, task: Task) -> None:
        self._task = task

    def __enter__(self) -> None:
        pass

    def __exit__(self, _kind: object, error: BaseException | None, _traceback: object) -> None:
        if isinstance(error, FlowhubError):
            error.where = error.where or str(self._task.source)
            raise as_failure(error, self._task.retry) from None


def _log_event(context: OpExecutionContext, event: Event) -> None:
    if event.kind == told.OUTPUT:
        context.log.info(f"{event.task}: {event.line}")
    elif event.kind == told.RETRYING and event.error is not None:
        context.log.warning(f"{event.task} will be tried again in {event.seconds:g} s: {event.error.what}")
    elif event.kind == told.FAILED and event.error is not None:
        context.log.error(str(event.error))


def _table(outcome: Outcome) -> MetadataValue[Any]:
    rows = [
        TableRecord({"task": one.task, "state": one.state, "seconds": round(one.seconds, 4), "attempts": one.attempts})
        for one in outcome.tasks.values()
    ]
    return MetadataValue.table(rows)
