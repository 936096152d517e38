"""A flow's schedule → Dagster's schedule, or a sensor where cron cannot say the interval."""

from __future__ import annotations

from dagster import JobDefinition, RunRequest, ScheduleDefinition, SensorDefinition, SensorEvaluationContext

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.triggers import Schedule

_MINUTE, _HOUR, _DAY = 60, 3_600, 86_400


def schedule_for(pipeline: Pipeline, job: JobDefinition) -> ScheduleDefinition | None:
    """The flow's schedule, switched on in the UI by its user; None if it declares none that cron can say."""
    schedule = pipeline.schedule
    cron = schedule and (schedule.cron or cron_of_interval(schedule.interval or 0))
    if schedule is None or not cron:
        return None
    return ScheduleDefinition(
        name=f"{job.name}_schedule",
        job=job,
        cron_schedule=cron,
        execution_timezone=schedule.timezone,
        description=f"Starts {pipeline.name}: {_told(schedule)}.",
    )


def interval_sensor(pipeline: Pipeline, job: JobDefinition) -> SensorDefinition | None:
    """The sensor that starts a flow whose interval no cron expression gives evenly, such as 7 hours."""
    schedule = pipeline.schedule
    if schedule is None or schedule.interval is None or cron_of_interval(schedule.interval):
        return None

    def tick(_context: SensorEvaluationContext) -> RunRequest:
        # The sensor's interval is the flow's: each tick is one start.
        return RunRequest()

    return SensorDefinition(
        name=f"{job.name}_interval",
        job=job,
        evaluation_fn=tick,
        minimum_interval_seconds=max(1, round(schedule.interval)),
        description=f"Starts {pipeline.name}: {_told(schedule)}.",
    )


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
