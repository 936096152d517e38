"""``view_queues`` over a real instance; who starts next is what Dagster's own daemon says."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from random import Random
from typing import Any

import pytest
from dagster._daemon.types import DaemonHeartbeat

from flowhub_assets.resources.queues import PRIORITY_TAG, Queue, Queues
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.queue_views import QueuesView, QueueView, SlotView, view_queues
from flowhub_assets.server.runs import StartRequest
from flowhub_assets.to_dagster.waiting_runs import RAISED_TAG
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.to_dagster.queued_runs import move, put, started

QUEUES = Queues({"minority": Queue("minority"), "priority": Queue("priority", 10, 1)}, pools={"db-lock": 1})


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, tmp_path, queues=QUEUES) as backend:
        yield backend


def queue_of(view: QueuesView, name: str) -> QueueView:
    (found,) = [queue for queue in view.queues if queue.name == name]
    return found


def reasons(view: QueuesView) -> dict[str, str]:
    return {run.run_id: run.waits_for for queue in view.queues for run in queue.waiting}


def beat(backend: Backend, ago: float) -> None:
    heartbeat = DaemonHeartbeat(time.time() - ago, "QUEUED_RUN_COORDINATOR", None, [])
    backend.instance.add_daemon_heartbeat(heartbeat)


def test_queues_are_there_before_any_run(backend: Backend) -> None:
    view = view_queues(backend)
    assert [(queue.name, queue.priority, queue.limit) for queue in view.queues] == [
        ("priority", 10, 1),
        ("minority", 0, None),
    ]
    assert (view.most_runs, view.running_count, view.waiting_count) == (4, 0, 0)
    (pool,) = view.pools
    assert (pool.name, pool.slots, pool.configured, pool.held, pool.waiting) == ("db-lock", 1, 1, (), ())


def test_what_runs_what_waits_and_for_what(backend: Backend) -> None:
    tags = QUEUES.tags("priority", None)
    running = put(backend.instance, "greet", tags)
    move(backend.instance, running, "PIPELINE_STARTING", "PIPELINE_START")
    second, urgent = put(backend.instance, "greet", tags), put(backend.instance, "greet", {**tags, PRIORITY_TAG: "11"})
    raised = put(backend.instance, "greet", {PRIORITY_TAG: "10", RAISED_TAG: "0"})
    view = view_queues(backend)
    queue = queue_of(view, "priority")
    assert [(run.run_id, run.status) for run in queue.running] == [(running, "STARTED")]
    assert [run.run_id for run in queue.waiting] == [urgent, second], "the order in which they start"
    assert {run.waits_for for run in queue.waiting} == {f"queue priority takes 1 run at a time: run {running} holds it"}
    (other,) = queue_of(view, "").waiting
    assert (other.run_id, other.priority, other.own_priority, other.waits_for) == (raised, 10, 0, "")
    assert queue_of(view, "").priority is None
    assert (view.running_count, view.waiting_count) == (1, 3)


def test_what_only_our_store_knows_waits_too(backend: Backend) -> None:
    delayed = backend.runs.start(StartRequest("greet", queue="minority", priority=3, delay=3_600)).run_id
    (run,) = queue_of(view_queues(backend), "minority").waiting
    assert (run.run_id, run.job, run.status, run.priority) == (delayed, "greet", "DELAYED", 3)
    assert run.waits_for.startswith("it is not to start before ")


def test_the_lists_are_cut_and_the_counts_are_not(backend: Backend) -> None:
    for _ in range(3):
        put(backend.instance, "greet")
    queue = queue_of(view_queues(backend, most=2), "")
    assert (len(queue.waiting), queue.waiting_count) == (2, 3)


def test_a_daemon_that_is_away_is_told(backend: Backend) -> None:
    assert view_queues(backend).trouble.startswith("Dagster's daemon has never run here")
    beat(backend, 600)
    assert view_queues(backend).trouble.startswith("Dagster's daemon was last seen 60")
    beat(backend, 0)
    assert view_queues(backend).trouble == ""


def test_who_holds_a_pool_and_who_waits_for_it(backend: Backend) -> None:
    storage = backend.instance.event_log_storage
    holder, waiter = (put(backend.instance, "greet", status="STARTED") for _ in range(2))
    assert storage.claim_concurrency_slot("db-lock", holder, "write").is_claimed
    assert not storage.claim_concurrency_slot("db-lock", waiter, "write").is_claimed
    view = view_queues(backend)
    (pool,) = view.pools
    assert (pool.held, pool.waiting) == ((SlotView(holder, "write"),), (SlotView(waiter, "write"),))
    told = {run.run_id: run.waits_for for run in queue_of(view, "").running}
    assert told == {holder: "", waiter: f"step write waits: pool db-lock has 1 slot: run {holder} holds it"}


@pytest.mark.parametrize("seed", range(6))
def test_who_starts_next_is_what_dagsters_daemon_says(backend: Backend, seed: int) -> None:
    random = Random(seed)

    def any_tags() -> dict[str, str]:
        tags: dict[str, Any] = {}
        if random.random() < 0.5:
            tags |= QUEUES.tags(random.choice(["priority", "minority"]), random.choice([None, 3, -1]))
        if random.random() < 0.5:
            tags[f"flowhub/at_most_{random.choice([1, 2])}"] = random.choice("ab")
        return tags

    for _ in range(random.randrange(4)):
        put(backend.instance, "greet", any_tags(), status=random.choice(["STARTED", "STARTING", "CANCELING"]))
    for _ in range(random.randrange(1, 10)):
        put(backend.instance, "greet", any_tags())
    view = view_queues(backend)
    assert {run for run, reason in reasons(view).items() if not reason} == set(started(backend.instance))
    assert asdict(view)["waiting_count"] == len(reasons(view))
