"""on_failure in Dagster: a sensor that starts it once for each run of a flow that has failed.

A hook would not do: it does not fire when the step's process dies. The sensor sees the run's end, which
comes after the retries, whoever wrote it down: the step, the executor, or the daemon's run monitoring.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRun,
    DefaultSensorStatus,
    RunFailureSensorContext,
    RunRequest,
    SensorDefinition,
    SkipReason,
    run_failure_sensor,
)

from flowhub_assets.errors import TaskKilled
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import op_name
from flowhub_assets.to_dagster.failures import FAILED_RUN_TAG
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions, failure_job_name
from flowhub_assets.to_dagster.graphs import inner_graph_name, is_graph, step_names
from flowhub_assets.to_dagster.ops import FAILURE_FIELDS, failure_op_name
from flowhub_assets.to_dagster.params import SHARED_PARAMS, params_key
from flowhub_assets.to_dagster.partitions import OF_PARTITION_TAG, PARTITION_TAG

#: How often, in seconds, the daemon looks for failed runs.
CHECK_INTERVAL = 10


def failure_sensor(flows: Iterable[FlowDefinitions]) -> SensorDefinition | None:
    """The sensor for all of ``flows`` that have on_failure; None where none has."""
    watched = {flow.job.name: flow for flow in flows if flow.failure_job is not None}
    if not watched:
        return None

    @run_failure_sensor(
        name="on_failure",
        description="Calls the on_failure of a flow, once for each of its runs that fails.",
        minimum_interval_seconds=CHECK_INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
        request_jobs=[flow.failure_job for flow in watched.values() if flow.failure_job is not None],
    )
    def on_failure(context: RunFailureSensorContext) -> Iterator[RunRequest | SkipReason]:
        requests = list(failure_requests(context.instance, context.dagster_run, context.failure_event.message, watched))
        if not requests:
            yield SkipReason(f"no flow with on_failure has a part in {context.dagster_run.job_name}")
        yield from requests

    return on_failure


def failure_requests(
    instance: DagsterInstance, run: DagsterRun, message: str | None, watched: Mapping[str, FlowDefinitions]
) -> Iterator[RunRequest]:
    """A request for the on_failure of each flow that failed in ``run``: one, but for assets of several at once.

    ``message`` is what the run's end says, for a run whose process died and left no word of a step.
    """
    failed = failed_steps(instance, run)
    for name, flow in watched.items():
        steps = flow_steps(flow.pipeline)
        mine = [step for step in failed if step_name(flow.pipeline, step) in steps]
        if not mine and run.job_name != name:
            continue
        step = mine[0] if mine else None
        task = steps[step_name(flow.pipeline, step)] if step else ", ".join(_unfinished(instance, run, flow)) or ""
        told = failed.get(step or "", {})
        yield RunRequest(
            run_key=f"{run.run_id}/{name}",
            job_name=failure_job_name(name),
            run_config=_run_config(flow, run, {"error": message or "", **told, "failed_task": task}),
            tags={FAILED_RUN_TAG: run.run_id, **_partition_tag(run)},
        )


def _partition_tag(run: DagsterRun) -> dict[str, str]:
    key = run.tags.get(PARTITION_TAG)
    return {OF_PARTITION_TAG: key} if key else {}


def failed_steps(instance: DagsterInstance, run: DagsterRun) -> dict[str, dict[str, str]]:
    """Step key to what is known of its failure, the first failure first."""
    failed: dict[str, dict[str, str]] = {}
    deaths: dict[str, str] = {}
    for record in instance.all_logs(run.run_id, of_type={DagsterEventType.ENGINE_EVENT, DagsterEventType.STEP_FAILURE}):
        event = record.get_dagster_event()
        step = event.step_key or ""
        if event.event_type is DagsterEventType.STEP_FAILURE:
            failed[step] = told_of_failure(event, deaths.get(step))
        elif event.engine_event_data.error is not None:
            # How a process died the executor says here, not in the step's failure.
            deaths[step] = (event.message or "").partition("\n")[0]
    return failed


def told_of_failure(event: DagsterEvent, death: str | None = None) -> dict[str, str]:
    """What a STEP_FAILURE says, by the names of on_failure's fields; ``death`` is how the step's process ended."""
    data = event.step_failure_data
    metadata: Any = data.user_failure_data.metadata if data.user_failure_data else {}
    if "error_type" in metadata:
        return {name: str(metadata[name].value) for name in FAILURE_FIELDS if name in metadata}
    if death:
        return {"error": death, "error_type": TaskKilled.__name__, "traceback": death}
    error = data.error
    return {
        "error": error.message if error else event.message or "",
        "error_type": (error.cls_name if error else None) or "",
        "traceback": error.to_string() if error else "",
    }


def flow_steps(pipeline: Pipeline) -> dict[str, str]:
    """The steps of a flow's job, by the name that ``step_name`` gives them → the task that each is about."""
    if is_graph(pipeline):
        return step_names(pipeline)
    return {op_name(pipeline.name, task.name): task.name for task in pipeline.tasks}


def step_name(pipeline: Pipeline, step_key: str) -> str:
    """What ``flow_steps`` calls a step: its key without the number of a loop's item and the name of the graph."""
    graph, _, name = step_key.partition("[")[0].rpartition(".")
    # The same name in another flow's graph is another step.
    return name if graph in ("", inner_graph_name(pipeline)) else step_key


def _unfinished(instance: DagsterInstance, run: DagsterRun, flow: FlowDefinitions) -> list[str]:
    steps = flow_steps(flow.pipeline)
    ended = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_SKIPPED}
    state: dict[str, str] = {}
    for record in instance.all_logs(run.run_id, of_type={DagsterEventType.STEP_START, *ended}):
        event = record.get_dagster_event()
        if event.event_type in ended:
            state.pop(event.step_key or "", None)
        elif (name := step_name(flow.pipeline, event.step_key or "")) in steps:
            state[event.step_key or ""] = steps[name]
    return list(state.values())


def _run_config(flow: FlowDefinitions, run: DagsterRun, told: dict[str, str]) -> dict[str, Any]:
    pipeline = flow.pipeline
    tasks = [*([pipeline.failure_task] if pipeline.failure_task else []), *pipeline.finally_tasks]
    given: Any = (run.run_config or {}).get("resources", {})
    kept = {name: given[name] for name in ("profile", "storage", params_key(pipeline)) if name in given}
    if is_graph(pipeline) and SHARED_PARAMS in given:
        kept[params_key(pipeline)] = given[SHARED_PARAMS]
    config = {name: told.get(name, "") for name in FAILURE_FIELDS}
    return {"ops": {failure_op_name(pipeline, task): {"config": config} for task in tasks}, "resources": kept}
