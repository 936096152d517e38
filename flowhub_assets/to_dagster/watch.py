"""The sensor that tells what is wrong: with runs, pipelines, schedules, sensors and daemons."""

from __future__ import annotations

import json
import time
from collections.abc import Iterable

from dagster import DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SkipReason

from flowhub_assets.resources.alerts import Alerts
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions

NAME = "flowhub_watch"

#: How often, in seconds, the daemon looks.
CHECK_INTERVAL = 30


def watch_sensor(flows: Iterable[FlowDefinitions], alerts: Alerts) -> SensorDefinition | None:
    """The sensor over ``flows``; None where nobody is to be told anything and no pipeline asks to be watched."""
    pipelines = {flow.job.name: flow.pipeline for flow in flows}
    asked = any(one.deadline is not None or one.freshness is not None for one in pipelines.values())
    if not asked and not alerts.endpoints() and not alerts.variables:
        return None

    def tick(context: SensorEvaluationContext) -> SkipReason:
        from flowhub_assets.to_dagster.looking import look  # the database is for whoever looks

        now = time.time()
        reason, since = look(context.instance, pipelines, alerts, context.cursor, now, context.log.warning)
        context.update_cursor(json.dumps({"since": since}))
        return SkipReason(reason)

    return SensorDefinition(
        name=NAME,
        evaluation_fn=tick,
        minimum_interval_seconds=CHECK_INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
        description="Tells of runs that fail or take too long, of pipelines that are out of date, of checks that "
        "do not hold, of schedules and sensors whose ticks fail and of daemons that have stopped: once for each cause.",
    )
