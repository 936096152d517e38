"""Looks once for what is wrong, and tells it: what the sensor does at each tick, and a server for its daemons."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping

from dagster import DagsterInstance

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.resources.alerts import Alerts
from flowhub_assets.store.opened import database_of
from flowhub_assets.to_dagster.alarms import (
    Cause,
    failing_checks,
    failing_ticks,
    failures,
    mark_late,
    missed_deadlines,
    stale_pipelines,
    stopped_daemons,
)
from flowhub_assets.to_dagster.alerting import deliver_due, first_seen, take

#: What is looked at again: clocks differ, and a run's end is written a moment after it.
_OVERLAP = 60.0


def look(
    instance: DagsterInstance,
    pipelines: Mapping[str, Pipeline],
    alerts: Alerts,
    cursor: str | None,
    now: float,
    log: Callable[[str], object],
) -> tuple[str, float]:
    """Looks once: what was found and told, in words, and from when to look the next time.

    Raises Unavailable where a database is away: nothing is lost then, for the cursor stays.
    """
    since = json.loads(cursor)["since"] if cursor else now - _OVERLAP
    database = database_of(instance)
    failed, reached = failures(instance, pipelines, since, alerts.ui)
    watched = [job for job, pipeline in pipelines.items() if pipeline.freshness is not None]
    causes: list[Cause] = [
        *failed,
        *missed_deadlines(instance, pipelines, now, since, alerts.ui),
        *stale_pipelines(instance, pipelines, now, first_seen(database, watched, now)),
        *failing_checks(instance, pipelines, alerts.ui),
        *failing_ticks(instance, pipelines),
        *stopped_daemons(instance, now),
    ]
    fresh = take(database, alerts, causes, now)
    mark_late(instance, fresh)
    for cause in fresh:
        log(f"{cause.title}. {cause.text}")
    # Where more had failed than one look takes, the next one begins there.
    return _told(_deliver(instance, alerts, now), fresh), reached if reached > since else now - _OVERLAP


def _deliver(instance: DagsterInstance, alerts: Alerts, now: float) -> str:
    """Delivers what is due, and says in words how that went."""
    delivered = deliver_due(database_of(instance), alerts, now)
    words = [f"{delivered.told} told"] if delivered.told else []
    words += [f"{delivered.waiting} wait to be told"] if delivered.waiting else []
    return "; ".join([", ".join(words), *delivered.faults] if words else delivered.faults)


def look_at_daemons(instance: DagsterInstance, alerts: Alerts, now: float) -> str:
    """What a process beside the daemons tells: that they have stopped, and what they had no time to tell."""
    take(database_of(instance), alerts, stopped_daemons(instance, now), now)
    return _deliver(instance, alerts, now)


def _told(delivered: str, fresh: list[Cause]) -> str:
    found = "; ".join(cause.title for cause in fresh) or "nothing new is wrong"
    return f"{found} ({delivered})" if delivered else found
