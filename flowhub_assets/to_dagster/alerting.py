"""Alerts, one for each cause: kept first, then delivered, so that an endpoint that is away loses none.

Topics in store/seen.py: ``alert`` holds the causes that are known, for as long as they are not told again;
``alert/due`` what is still to be delivered, and to whom; ``alert/turn`` whose turn it is to deliver.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass

from flowhub_assets.resources.alerts import Alerts, Endpoint, deliver
from flowhub_assets.store import seen
from flowhub_assets.store.database import Database
from flowhub_assets.store.seen import Seen
from flowhub_assets.to_dagster.alarms import Cause

KNOWN, DUE, TURN, WATCHED = "alert", "alert/due", "alert/turn", "alert/watched"

#: A cause that still holds after so long is told again.
LIFETIME = 30 * 86_400.0
#: Of one look: the most alerts that are delivered, and the seconds after which the rest waits for the next.
_MOST, _SECONDS = 20, 20.0
_TURN_SECONDS = 120.0
_FOR_EVER = 100 * 365 * 86_400.0


@dataclass(frozen=True)
class Delivered:
    """``told`` counts the alerts that have reached all of their endpoints, ``waiting`` those that wait."""

    told: int = 0
    waiting: int = 0
    faults: tuple[str, ...] = ()


def take(database: Database, alerts: Alerts, causes: Iterable[Cause], now: float) -> list[Cause]:
    """Keeps what is new among ``causes``, to be delivered; returns it. Raises Unavailable."""
    endpoints = alerts.endpoints()
    fresh = []
    with database.begin() as connection:
        seen.forget(connection, now)
        for cause in causes:
            known = Seen(KNOWN, cause.key[:255], now, now + LIFETIME, cause.title)
            if not alerts.wants(cause.event, cause.pipeline) or not seen.keep_first(connection, known):
                continue
            fresh.append(cause)
            if endpoints:
                due = {"title": cause.title, "text": cause.text, "to": [one.id for one in endpoints]}
                seen.keep(connection, Seen(DUE, known.key, now, known.expires, json.dumps(due)))
    return fresh


def first_seen(database: Database, jobs: Sequence[str], now: float) -> dict[str, float]:
    """Since when each of these jobs is watched. Raises Unavailable."""
    since: dict[str, float] = {}
    with database.begin() as connection:
        for job in jobs:
            known = seen.find(connection, WATCHED, job, now)
            if known is None:
                seen.keep(connection, Seen(WATCHED, job, now, now + _FOR_EVER))
            since[job] = known.time if known is not None else now
    return since


def deliver_due(database: Database, alerts: Alerts, now: float, tell: Callable[..., str] = deliver) -> Delivered:
    """Delivers what is due, each to those whom it has not reached yet. Raises Unavailable; an endpoint never does.

    One process at a time does so; an endpoint that does not take one alert is left alone until the next look.
    """
    with database.begin() as connection:
        due = seen.all_of(connection, DUE, now)
        if not due or not seen.keep_first(connection, Seen(TURN, "", now, now + _TURN_SECONDS)):
            return Delivered(waiting=len(due))
    endpoints = {one.id: one for one in alerts.endpoints()}
    faults: dict[str, str] = {}
    told, began = 0, time.monotonic()
    for one in due[:_MOST]:
        if time.monotonic() - began > _SECONDS:
            break
        told += _deliver_one(database, one, endpoints, faults, tell)
    with database.begin() as connection:
        seen.drop(connection, TURN, "")
    return Delivered(told, len(due) - told, tuple(faults.values()))


def _deliver_one(
    database: Database,
    due: Seen,
    endpoints: Mapping[str, Endpoint],
    faults: dict[str, str],
    tell: Callable[..., str],
) -> bool:
    """Whether it has reached all of them now; who is no longer told of anything is left out."""
    alert = json.loads(due.detail)
    left = []
    for name in alert["to"]:
        if name not in endpoints:
            continue
        fault = faults.get(name) or tell(endpoints[name], alert["title"], alert["text"])
        if fault:
            faults[name] = fault
            left.append(name)
    with database.begin() as connection:
        if left:
            seen.set_detail(connection, DUE, due.key, json.dumps({**alert, "to": left}))
        else:
            seen.drop(connection, DUE, due.key)
    return not left
