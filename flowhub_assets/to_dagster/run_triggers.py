"""The trigger run → a sensor that starts a pipeline once for each run of another one that has ended as it is told.

Dagster's own run-status sensor would take one run a tick, and go on behind one whose start has failed, because our
database was away, say. This one reads the same events by its own cursor, which stays where it is when a tick fails.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from dagster import (
    DagsterEventType,
    DagsterRun,
    JobDefinition,
    RunRequest,
    RunsFilter,
    RunStatusChangeRecordsFilter,
    SensorDefinition,
    SensorEvaluationContext,
    SensorResult,
)

from flowhub_assets.errors import InputError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.trigger_checks import ENDS
from flowhub_assets.names import dagster_name
from flowhub_assets.to_dagster.params import SHARED_PARAMS, TRIGGER, params_key
from flowhub_assets.to_dagster.partitions import PARTITION_TAG
from flowhub_assets.to_dagster.starting import start_each

#: A run's tag: the id of the run that it was started by.
AFTER_TAG = "flowhub/after_run"

#: The seconds between two looks, and the most ends of runs, of all pipelines, that one look takes.
_EVERY, _MOST = 10, 100
_EVENTS: dict[str, Any] = {
    "success": DagsterEventType.RUN_SUCCESS,
    "failure": DagsterEventType.RUN_FAILURE,
    "canceled": DagsterEventType.RUN_CANCELED,
}
assert tuple(_EVENTS) == ENDS


@dataclass(frozen=True)
class RunTrigger:
    """Runs of the pipeline ``other`` that end with ``status`` start ``pipeline``.

    ``params`` is the resource whose config takes what the trigger brought.
    """

    pipeline: Pipeline
    other: str
    status: str
    params: str

    def request(self, run: DagsterRun, ended: float) -> RunRequest:
        """The run that the end of ``run`` starts; ``ended`` is in seconds since 1970."""
        moment = datetime.fromtimestamp(ended, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        trigger = {"type": "run", "time": moment, "pipeline": self.other, "run_id": run.run_id, "status": self.status}
        if PARTITION_TAG in run.tags:
            trigger["partition"] = run.tags[PARTITION_TAG]
        return RunRequest(
            run_key=run.run_id,
            run_config={"resources": {self.params: {"config": {TRIGGER: trigger}}}},
            tags={AFTER_TAG: run.run_id},
        )


def run_sensors(pipeline: Pipeline, job: JobDefinition) -> Iterator[SensorDefinition]:
    """The sensors of a pipeline's triggers of type run, switched on in the UI by its user."""
    triggers = [trigger for trigger in pipeline.triggers if trigger.type == "run"]
    for number, trigger in enumerate(triggers):
        key = params_key(pipeline)
        params = key if key in job.resource_defs else SHARED_PARAMS
        one = RunTrigger(pipeline, trigger.config["pipeline"], trigger.config.get("status", ENDS[0]), params)
        name = f"{job.name}_runs{f'_{number + 1}' if number else ''}"
        yield SensorDefinition(
            name=name,
            job=job,
            evaluation_fn=partial(_tick, one, name),
            minimum_interval_seconds=_EVERY,
            description=f"Starts {pipeline.name} after each run of {one.other} that ends with {one.status}.",
        )


def _tick(trigger: RunTrigger, name: str, context: SensorEvaluationContext) -> SensorResult:
    """The cursor is the number of the last event that was seen; runs that ended before the first look start nothing."""
    if context.cursor is None:
        newest = context.instance.fetch_run_status_changes(_EVENTS[trigger.status], limit=1).records
        cursor = str(newest[0].storage_id if newest else 0)
        return SensorResult(skip_reason=f"runs of {trigger.other} that end from now on are seen", cursor=cursor)
    after = RunStatusChangeRecordsFilter(_EVENTS[trigger.status], after_storage_id=_number(context.cursor))
    events = context.instance.fetch_run_status_changes(after, limit=_MOST, ascending=True).records
    if not events:
        return SensorResult(skip_reason=_nothing(trigger, context))
    ended = {event.run_id: event.timestamp for event in events}
    requests = [trigger.request(run, ended[run.run_id]) for run in _runs(trigger, context, list(ended))]
    cursor = str(events[-1].storage_id)
    if not requests:
        return SensorResult(skip_reason=_nothing(trigger, context), cursor=cursor)
    runs, why_not = start_each(trigger.pipeline, context, name, datetime.now(UTC), requests)
    return SensorResult(run_requests=runs, skip_reason=None if runs else why_not, cursor=cursor)


def _runs(trigger: RunTrigger, context: SensorEvaluationContext, run_ids: list[str]) -> Iterator[DagsterRun]:
    """Those of the other pipeline in this code location, in the order of their ids."""
    filters = RunsFilter(run_ids=run_ids, job_name=dagster_name(trigger.other))
    runs = {run.run_id: run for run in context.instance.get_runs(filters)}
    here = context.code_location_origin
    for run_id in run_ids:
        run = runs.get(run_id)
        if run is None:
            continue
        origin = run.remote_job_origin
        place = origin.repository_origin.code_location_origin.location_name if origin is not None else None
        if here is None or place is None or place == here.location_name:
            yield run


def _nothing(trigger: RunTrigger, context: SensorEvaluationContext) -> str:
    told = f"no run of {trigger.other} has ended with {trigger.status} since the last look"
    repository = context.repository_def
    if repository is None or repository.has_job(dagster_name(trigger.other)):
        return told
    return f"{told}: there is no pipeline {trigger.other!r} in this code location"


def _number(cursor: str) -> int:
    if cursor.isascii() and cursor.isdigit():
        return int(cursor)
    raise InputError(
        f"the cursor {cursor[:60]!r} is none of this sensor",
        effect="Nothing is started.",
        remedy="Reset the sensor's cursor in Dagster's UI.",
    )
