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
from flowhub_assets.names import dagster_name, op_name
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions, failure_job_name
from flowhub_assets.to_dagster.ops import FAILURE_FIELDS
from flowhub_assets.to_dagster.params import params_key

#: How often, in seconds, the daemon looks for failed runs.
CHECK_INTERVAL = 10

FAILED_RUN_TAG = "flowhub/failed_run"


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
    failed = _failed_steps(instance, run)
    for name, flow in watched.items():
        steps = {op_name(flow.pipeline.name, task.name): task.name for task in flow.pipeline.tasks}
        mine = [step for step in failed if step in steps]
        if not mine and run.job_name != name:
            continue
        step = mine[0] if mine else None
        task = steps[step] if step else ", ".join(_unfinished(instance, run, steps)) or ""
        told = failed.get(step or "", {})
        yield RunRequest(
            run_key=f"{run.run_id}/{name}",
            job_name=failure_job_name(name),
            run_config=_run_config(flow, run, {"error": message or "", **told, "failed_task": task}),
            tags={FAILED_RUN_TAG: run.run_id},
        )


def _failed_steps(instance: DagsterInstance, run: DagsterRun) -> dict[str, dict[str, str]]:
    """Step key to what is known of its failure, the first failure first."""
    failed: dict[str, dict[str, str]] = {}
    deaths: dict[str, str] = {}
    for record in instance.all_logs(run.run_id, of_type={DagsterEventType.ENGINE_EVENT, DagsterEventType.STEP_FAILURE}):
        event = record.get_dagster_event()
        step = event.step_key or ""
        if event.event_type is DagsterEventType.STEP_FAILURE:
            failed[step] = _told(event, deaths.get(step))
        elif event.engine_event_data.error is not None:
            # How a process died the executor says here, not in the step's failure.
            deaths[step] = (event.message or "").partition("\n")[0]
    return failed


def _told(event: DagsterEvent, death: str | None) -> dict[str, str]:
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


def _unfinished(instance: DagsterInstance, run: DagsterRun, steps: Mapping[str, str]) -> list[str]:
    ended = {DagsterEventType.STEP_SUCCESS, DagsterEventType.STEP_FAILURE, DagsterEventType.STEP_SKIPPED}
    state: dict[str, str] = {}
    for record in instance.all_logs(run.run_id, of_type={DagsterEventType.STEP_START, *ended}):
        event = record.get_dagster_event()
        if event.event_type in ended:
            state.pop(event.step_key or "", None)
        elif event.step_key in steps:
            state[event.step_key or ""] = steps[event.step_key or ""]
    return list(state.values())


def _run_config(flow: FlowDefinitions, run: DagsterRun, told: dict[str, str]) -> dict[str, Any]:
    pipeline = flow.pipeline
    assert pipeline.failure_task is not None
    op = f"{dagster_name(pipeline.name)}__on_failure__{dagster_name(pipeline.failure_task.name)}"
    given: Any = (run.run_config or {}).get("resources", {})
    kept = ("profile", "storage", params_key(pipeline))
    return {
        "ops": {op: {"config": {name: told.get(name, "") for name in FAILURE_FIELDS}}},
        "resources": {name: given[name] for name in kept if name in given},
    }
