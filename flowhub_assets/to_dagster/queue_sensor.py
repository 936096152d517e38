"""The sensor that keeps Dagster's queue as pyproject.toml says: the pools' slots, who goes up, who is dropped.

It serves runs of every origin: schedules, sensors, the UI, the doors.
"""

from __future__ import annotations

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance, DefaultSensorStatus, SensorDefinition, SensorEvaluationContext, SkipReason, sensor

from flowhub_assets.resources.queues import Queues
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.to_dagster.waiting_runs import keep_latest, queued, raise_waiting

#: How often, in seconds, the daemon looks.
CHECK_INTERVAL = 10


@dataclass(frozen=True)
class Kept:
    """What one look did, in words; ``cursor`` is for the next one."""

    cursor: str
    told: tuple[str, ...]


def queue_sensor() -> SensorDefinition:
    """It runs by itself wherever the code location is loaded."""

    @sensor(
        name="flowhub_queues",
        description="Sets the slots of pools, lets runs that have waited long go up, keeps the latest run of a key.",
        minimum_interval_seconds=CHECK_INTERVAL,
        default_status=DefaultSensorStatus.RUNNING,
    )
    def queues(context: SensorEvaluationContext) -> SkipReason:
        kept = keep_queues(context.instance, read_settings().queues, context.cursor, time.time())
        context.update_cursor(kept.cursor)
        return SkipReason("\n".join(kept.told) or "Pools and waiting runs are as they should be.")

    return queues


def keep_queues(instance: DagsterInstance, queues: Queues, cursor: str | None, now: float) -> Kept:
    """One look; ``cursor`` is what the one before it has left."""
    waiting = queued(instance)
    told = [
        *keep_pools(instance, queues.pools, _applied(cursor)),
        *give_free_slots(instance),
        *keep_latest(instance, waiting),
        *raise_waiting(instance, waiting, queues.patience, now),
    ]
    return Kept(json.dumps({"pools": dict(queues.pools)}, sort_keys=True), tuple(told))


def keep_pools(instance: DagsterInstance, pools: Mapping[str, int], applied: Mapping[str, int]) -> list[str]:
    """Sets the slots of pools that have none yet, and of those that ``pools`` has otherwise than ``applied`` had.

    ``applied`` is what was set last. A number that somebody has changed in the UI since then stays. Says what it did.
    """
    storage = instance.event_log_storage
    there = {pool.name: pool.limit for pool in storage.get_pool_limits() if not pool.from_default}
    told = []
    for name, slots in pools.items():
        if name not in there or (slots != there[name] and applied.get(name) != slots):
            storage.set_concurrency_slots(name, slots)
            told.append(f"pool {name}: {there.get(name, 'no limit')} → {slots}")
    for name in applied.keys() - pools.keys() & there.keys():
        storage.delete_concurrency_limit(name)
        told.append(f"pool {name}: {there[name]} → no limit, as pyproject.toml names it no more")
    return told


def give_free_slots(instance: DagsterInstance) -> list[str]:
    """Gives a free slot to the step that waits for it; says which pools had one.

    Whoever frees a slot gives it to the next one. A run worker that is killed between the two leaves others waiting.
    """
    storage: Any = instance.event_log_storage
    told = []
    for name, info in storage.get_concurrency_infos(sorted(storage.get_concurrency_keys())).items():
        if info.pending_step_count and info.assigned_step_count < info.slot_count:
            storage.assign_pending_steps([name])
            told.append(f"pool {name}: a slot was free, and a step waited for it")
    return told


def _applied(cursor: str | None) -> Mapping[str, int]:
    try:
        found: Any = json.loads(cursor or "{}")
        return {str(name): int(slots) for name, slots in found["pools"].items()}
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}
