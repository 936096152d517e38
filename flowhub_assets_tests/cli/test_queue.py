"""What ``flowhub queue list`` prints; that it asks a server is tested beside the server's route."""

from __future__ import annotations

from dataclasses import asdict

from flowhub_assets.cli.queue import in_words
from flowhub_assets.server.queue_views import PoolView, QueuedRun, QueuesView, QueueView, SlotView

RUNNING = QueuedRun("r1", "greet", "STARTED", 10, 10, 0.0, "step a waits: pool db-lock has 1 slot: run r9 holds it")
NEXT = QueuedRun("r2", "greet", "QUEUED", 10, 0, 100.0)
BLOCKED = QueuedRun("r3", "greet", "QUEUED", 0, 0, 9_000.0, "queue priority takes 1 run at a time: run r1 holds it")


def lines(view: QueuesView) -> list[str]:
    return list(in_words(asdict(view), 10_000.0))


def test_a_queue_with_all_that_it_can_have() -> None:
    view = QueuesView(
        queues=(
            QueueView("priority", 10, 1, (RUNNING,), (NEXT, BLOCKED), 3, 7),
            QueueView("", None, None, (), (), 0, 0),
            QueueView("gone", None, None, (), (), 0, 0),
        ),
        pools=(PoolView("db-lock", 1, 2, (SlotView("r9", "x"),), (SlotView("r1", "a"),)),),
        most_runs=4,
        running_count=3,
        waiting_count=7,
        trouble="",
    )
    assert lines(view) == [
        "3 runs of at most 4 on, 7 waiting",
        "",
        "queue priority (priority 10, 1 run at a time)",
        "  r1  greet  STARTED for 2 h; step a waits: pool db-lock has 1 slot: run r9 holds it",
        "  … and 2 more on",
        "  1. r2  greet  waits for 2 h, priority 10 (up from 0): it starts next",
        "  2. r3  greet  waits for 16 min, priority 0: queue priority takes 1 run at a time: run r1 holds it",
        "  … and 5 more waiting",
        "",
        "runs in no queue",
        "",
        "queue gone (not in pyproject.toml)",
        "",
        "pool db-lock (1 of 1 taken; pyproject.toml says 2)",
        "  held by step x of run r9",
        "  step a of run r1 waits",
    ]


def test_where_there_is_nothing_it_says_how_to_begin() -> None:
    told = lines(QueuesView((), (), -1, 0, 0, "Dagster's daemon has never run here."))
    assert told[:2] == ["0 runs on, 0 waiting", "Nothing starts: Dagster's daemon has never run here."]
    assert "[tool.flowhub.queues.nightly]" in told[-1]
