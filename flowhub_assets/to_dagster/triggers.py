"""A flow's schedule → Dagster's schedule, or a sensor where cron cannot say the interval."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from functools import partial

from dagster import (
    AssetKey,
    JobDefinition,
    RunRequest,
    ScheduleDefinition,
    ScheduleEvaluationContext,
    SensorDefinition,
    SensorEvaluationContext,
    SkipReason,
)

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.triggers import Schedule
from flowhub_assets.to_dagster.starting import start

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400
_Started = RunRequest | list[RunRequest] | SkipReason


def schedules_for(pipeline: Pipeline, job: JobDefinition) -> Iterator[ScheduleDefinition]:
    """The flow's schedules that cron can say, switched on in the UI by its user."""
    for number, schedule in enumerate(_schedules(pipeline)):
        cron = schedule.cron or cron_of_interval(schedule.interval or 0)
        if cron:
            name = f"{job.name}_schedule{_numbered(number)}"
            yield ScheduleDefinition(
                name=name,
                job=job,
                cron_schedule=cron,
                execution_timezone=schedule.timezone,
                execution_fn=partial(_at_its_time, pipeline, name),
                description=f"Starts {pipeline.name}: {_told(schedule)}.",
            )


def interval_sensors(pipeline: Pipeline, job: JobDefinition) -> Iterator[SensorDefinition]:
    """The sensors that start a flow whose interval no cron expression gives evenly, such as 7 hours."""
    for number, schedule in enumerate(_schedules(pipeline)):
        if schedule.interval is not None and not cron_of_interval(schedule.interval):
            name = f"{job.name}_interval{_numbered(number)}"
            yield SensorDefinition(
                name=name,
                job=job,
                evaluation_fn=partial(_tick, pipeline, name),
                minimum_interval_seconds=max(1, round(schedule.interval)),
                description=f"Starts {pipeline.name}: {_told(schedule)}.",
            )


def _at_its_time(
    pipeline: Pipeline, name: str, context: ScheduleEvaluationContext
) -> Iterator[RunRequest | SkipReason]:
    started = start(pipeline, context, name, context.scheduled_execution_time, partition_once=True)
    # A list is what sensors may return; of a schedule Dagster takes several only one by one.
    yield from started if isinstance(started, list) else [started]


def _tick(pipeline: Pipeline, name: str, context: SensorEvaluationContext) -> _Started:
    # The sensor's interval is the flow's: each tick is one start.
    return start(pipeline, context, name, datetime.now(UTC), partition_once=True)


def asset_sensors(pipeline: Pipeline, job: JobDefinition) -> Iterator[SensorDefinition]:
    """The sensors that start a pipeline once all assets of a trigger have been made anew since its last start."""
    triggers = [trigger for trigger in pipeline.triggers if trigger.type == "asset"]
    for number, trigger in enumerate(triggers):
        keys = list(trigger.config["assets"])
        name = f"{job.name}_assets{_numbered(number)}"
        yield SensorDefinition(
            name=name,
            job=job,
            evaluation_fn=partial(_when_all_are_new, pipeline, name, keys),
            description=f"Starts {pipeline.name} once all of these were made anew: {', '.join(keys)}.",
        )


def _when_all_are_new(pipeline: Pipeline, name: str, keys: list[str], context: SensorEvaluationContext) -> _Started:
    """The cursor holds, for each key, the event that its last start has seen."""
    seen: dict[str, int] = json.loads(context.cursor or "{}")
    newest = {key: _newest(context, key) for key in keys}
    waiting = [key for key in keys if newest[key] <= seen.get(key, 0)]
    if waiting:
        return SkipReason(f"not made since the last start: {', '.join(waiting)}")
    started = start(pipeline, context, name, datetime.now(UTC))
    if not isinstance(started, SkipReason):
        context.update_cursor(json.dumps(newest))
    return started


def _newest(context: SensorEvaluationContext, key: str) -> int:
    """The number of the last event that made the asset, 0 if there is none."""
    records = context.instance.fetch_materializations(AssetKey(key.split("/")), limit=1).records
    return records[0].storage_id if records else 0


def _schedules(pipeline: Pipeline) -> list[Schedule]:
    own = [pipeline.schedule] if pipeline.schedule is not None else []
    return [*own, *(trigger.schedule for trigger in pipeline.triggers if trigger.schedule is not None)]


def _numbered(number: int) -> str:
    """The first has the plain name, as the only one of most flows."""
    return f"_{number + 1}" if number else ""


def cron_of_interval(seconds: float) -> str | None:
    """The cron expression that starts evenly every so many seconds, or None where cron would be uneven."""
    if seconds == 7 * _DAY:
        return "0 0 * * 0"
    if seconds == _DAY:
        return "0 0 * * *"
    if seconds % _HOUR == 0 and 0 < seconds < _DAY and _DAY % seconds == 0:
        return f"0 */{int(seconds // _HOUR)} * * *"
    if seconds % _MINUTE == 0 and 0 < seconds < _HOUR and _HOUR % seconds == 0:
        return f"*/{int(seconds // _MINUTE)} * * * *"
    return None


def _told(schedule: Schedule) -> str:
    return f"{schedule.cron} ({schedule.timezone})" if schedule.cron else f"every {schedule.interval:g} seconds"
