"""The queues as they stand: what runs, what waits in which order, and for what. Plain data, for all doors."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from flowhub_assets.errors import NotFound
from flowhub_assets.resources.queues import QUEUE_TAG, Queues
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.catalogue import Catalogue
from flowhub_assets.server.queue_order import Limit, Place, Pool, pool_reason, waiting_for
from flowhub_assets.store import submissions
from flowhub_assets.store.submissions import Submission
from flowhub_assets.to_dagster.waiting_runs import ACTIVE, own_priority, priority_of

#: Runs of one queue that are listed, where nobody says otherwise; all are counted.
MOST_LISTED = 100
#: Dagster's daemon tells every 30 seconds that it lives.
_DAEMON_SECONDS = 120.0
#: For these seconds Dagster takes a run that has started as one that will still ask for its slots.
_CLAIMING_SECONDS = 5.0
#: In our own store, whose doors accept far fewer at a time than they launch.
_MOST_NOT_LAUNCHED = 1_000


@dataclass(frozen=True)
class QueuedRun:
    """A run that goes on or waits. ``since`` is seconds since 1970; ``waits_for`` is "" if it starts next, or runs.

    ``own_priority`` is what ``priority`` was before it waited; ``status`` is Dagster's, or DELAYED, ACCEPTED.
    """

    run_id: str
    job: str
    status: str
    priority: int
    own_priority: int
    since: float
    waits_for: str = ""


@dataclass(frozen=True)
class QueueView:
    """One queue; ``name`` is "" for the runs that are in none. Waiting runs stand in the order in which they start.

    ``priority`` and ``limit`` are pyproject.toml's: None where it has no such queue, or no limit. The lists may be cut
    short, the counts are not.
    """

    name: str
    priority: int | None
    limit: int | None
    running: tuple[QueuedRun, ...]
    waiting: tuple[QueuedRun, ...]
    running_count: int
    waiting_count: int


@dataclass(frozen=True)
class SlotView:
    """A step that holds a slot of a pool, or waits for one."""

    run_id: str
    step: str


@dataclass(frozen=True)
class PoolView:
    """A pool of steps; ``configured`` is what pyproject.toml says, None where it does not name it."""

    name: str
    slots: int
    configured: int | None
    held: tuple[SlotView, ...]
    waiting: tuple[SlotView, ...]


@dataclass(frozen=True)
class QueuesView:
    """``most_runs`` go on at a time over all queues, -1 is no bound. ``trouble``: why nothing starts at all, or ""."""

    queues: tuple[QueueView, ...]
    pools: tuple[PoolView, ...]
    most_runs: int
    running_count: int
    waiting_count: int
    trouble: str


def view_queues(backend: Backend, *, most: int = MOST_LISTED) -> QueuesView:
    """All queues, with at most ``most`` running and waiting runs of each. Raises Unavailable."""
    with backend.database.read() as connection:
        delayed = submissions.in_state(connection, submissions.DELAYED, _MOST_NOT_LAUNCHED)
        accepted = submissions.in_state(connection, submissions.ACCEPTED, _MOST_NOT_LAUNCHED)
    return _view(
        backend.instance, backend.surroundings.queues, backend.catalogue, [*accepted, *delayed], most, time.time()
    )


def _view(
    instance: DagsterInstance,
    queues: Queues,
    catalogue: Catalogue,
    not_launched: Sequence[Submission],
    most: int,
    now: float,
) -> QueuesView:
    active = instance.get_run_records(RunsFilter(statuses=[*ACTIVE]), ascending=True)
    records = instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.QUEUED]), ascending=True)
    waiting = sorted(records, key=lambda record: -priority_of(record.dagster_run.tags))
    there = {record.dagster_run.run_id for record in (*active, *waiting)}
    requests = [one for one in not_launched if one.run_id not in there]
    pools = _pools(instance, queues)
    limits, most_runs = _limits(instance)
    reasons = waiting_for(
        [_place(record.dagster_run) for record in waiting],
        [_place(record.dagster_run) for record in active],
        limits,
        _slots(pools, active, now),
        most_runs,
    )
    lists: dict[str, tuple[list[QueuedRun], list[QueuedRun]]] = defaultdict(lambda: ([], []))
    lists.update({name: ([], []) for name in queues.queues})
    held_up = _held_up(pools)
    for record in active:
        run = record.dagster_run
        lists[run.tags.get(QUEUE_TAG, "")][0].append(_of_record(record, held_up.get(run.run_id, "")))
    for record in waiting:
        run = record.dagster_run
        lists[run.tags.get(QUEUE_TAG, "")][1].append(_of_record(record, reasons[run.run_id]))
    for one in requests:
        tags = _tags(catalogue, one)
        lists[tags.get(QUEUE_TAG, "")][1].append(_of_request(one, tags, now))
    return QueuesView(
        queues=tuple(_queue(queues, name, *lists[name], most) for name in _in_order(queues, lists)),
        pools=tuple(pools),
        most_runs=most_runs,
        running_count=len(active),
        waiting_count=len(waiting) + len(requests),
        trouble=_trouble(instance, now),
    )


def _in_order(queues: Queues, names: Iterable[str]) -> list[str]:
    def key(name: str) -> tuple[int, int, str]:
        queue = queues.queues.get(name)
        return (0, -queue.priority, name) if queue is not None else (1, 0, name)

    return sorted(names, key=key)


def _queue(
    queues: Queues, name: str, running: Sequence[QueuedRun], waiting: Sequence[QueuedRun], most: int
) -> QueueView:
    queue = queues.queues.get(name)
    return QueueView(
        name=name,
        priority=queue.priority if queue is not None else None,
        limit=queue.limit if queue is not None else None,
        running=tuple(running[:most]),
        waiting=tuple(waiting[:most]),
        running_count=len(running),
        waiting_count=len(waiting),
    )


def _of_record(record: RunRecord, waits_for: str) -> QueuedRun:
    run = record.dagster_run
    since = record.start_time or record.create_timestamp.timestamp()
    own = own_priority(run.tags)
    return QueuedRun(run.run_id, run.job_name, run.status.value, priority_of(run.tags), own, since, waits_for)


def _of_request(one: Submission, tags: Mapping[str, str], now: float) -> QueuedRun:
    left = one.due - now
    if one.state == submissions.DELAYED and left > 0:
        reason = f"it is not to start before {time.strftime('%H:%M:%S', time.localtime(one.due))}, in {left:.0f} s"
    else:
        reason = "it is accepted, and about to be put into Dagster's queue"
    priority = priority_of(tags)
    return QueuedRun(one.run_id, one.pipeline, one.state.upper(), priority, priority, one.accepted, reason)


def _tags(catalogue: Catalogue, one: Submission) -> Mapping[str, str]:
    try:
        own = catalogue.get(one.pipeline).flow.job.run_tags
    except NotFound:
        own = {}
    return {**own, **one.order.tags}


def _place(run: DagsterRun) -> Place:
    asked: Any = run.run_op_concurrency
    roots = {} if asked is None or asked.has_unconstrained_root_nodes else dict(asked.root_key_counts)
    return Place(run.run_id, run.tags, roots)


def _limits(instance: DagsterInstance) -> tuple[list[Limit], int]:
    config = instance.get_concurrency_config().run_queue_config
    if config is None:
        return [], -1
    limits = []
    for one in config.tag_concurrency_limits:
        value = one.get("value")
        each = isinstance(value, Mapping) and bool(value.get("applyLimitPerUniqueValue"))
        limits.append(Limit(one["key"], one["limit"], value if isinstance(value, str) else None, each))
    return limits, config.max_concurrent_runs


def _pools(instance: DagsterInstance, queues: Queues) -> list[PoolView]:
    storage = instance.event_log_storage
    names = sorted(storage.get_concurrency_keys())
    found = []
    for name, info in sorted(storage.get_concurrency_infos(names).items()):
        held = tuple(SlotView(slot.run_id, slot.step_key) for slot in info.claimed_slots)
        steps = [step for step in info.pending_steps if (step.run_id, step.step_key) not in _keys(held)]
        waiting = tuple(SlotView(step.run_id, step.step_key) for step in steps)
        found.append(PoolView(name, info.slot_count, queues.pools.get(name), held, waiting))
    return found


def _keys(slots: Iterable[SlotView]) -> set[tuple[str, str]]:
    return {(slot.run_id, slot.step) for slot in slots}


def _slots(pools: Iterable[PoolView], active: Iterable[RunRecord], now: float) -> dict[str, Pool]:
    """The slots that a new run finds, by Dagster's own rule."""
    claiming: dict[str, list[str]] = defaultdict(list)
    for record in active:
        run = record.dagster_run
        begun = run.status is DagsterRunStatus.STARTED and now - (record.start_time or 0) < _CLAIMING_SECONDS
        if run.status is DagsterRunStatus.STARTING or begun:
            asked: Any = run.run_op_concurrency
            for name, count in (asked.root_key_counts if asked is not None else {}).items():
                claiming[name] += [run.run_id] * count
    found = {}
    for pool in pools:
        held_by = [*(slot.run_id for slot in (*pool.held, *pool.waiting)), *claiming[pool.name]]
        taken = len(pool.held) + len(pool.waiting) + len(claiming[pool.name])
        found[pool.name] = Pool(pool.slots, taken, held_by)
    return found


def _held_up(pools: Iterable[PoolView]) -> dict[str, str]:
    """Run id → what a step of it waits for, though the run goes on."""
    told = {}
    for pool in pools:
        reason = pool_reason(pool.name, Pool(pool.slots, len(pool.held), [slot.run_id for slot in pool.held]))
        told.update({slot.run_id: f"step {slot.step} waits: {reason}" for slot in pool.waiting})
    return told


def _trouble(instance: DagsterInstance, now: float) -> str:
    heartbeat = instance.get_daemon_heartbeats().get("QUEUED_RUN_COORDINATOR")
    if heartbeat is None:
        return "Dagster's daemon has never run here: start it by flowhub dev, or dagster-daemon run."
    silent = now - heartbeat.timestamp
    if silent > _DAEMON_SECONDS:
        return f"Dagster's daemon was last seen {silent:.0f} s ago: start it by flowhub dev, or dagster-daemon run."
    return ""
