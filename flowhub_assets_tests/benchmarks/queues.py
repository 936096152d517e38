"""A thousand runs that wait in three queues: their order, and what Dagster's coordinator takes for each of them.

The other side is the same coordinator over as many runs without our tags, in a Dagster without our limits.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import yaml
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from flowhub_assets.resources.queues import Queue, Queues
from flowhub_assets_tests.benchmarks.row import Row
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.to_dagster.queued_runs import put

#: Not on the disk, where it is Linux: to make the runs would take minutes, and the coordinator mostly reads.
_MEMORY = Path("/dev/shm")
#: As many of each queue at a time: both sides need the same number of looks.
_PLACES = 30
_QUEUES = {queue.name: queue for queue in (Queue("priority", 10, 10), Queue("nightly", 5, 10), Queue("minority"))}


def measure(quick: bool = False) -> list[Row]:
    """Both sides take turns, as many runs at a time as there are places."""
    number = 60 if quick else 1_000
    with tempfile.TemporaryDirectory(dir=_MEMORY if _MEMORY.is_dir() else None) as folder:
        with (
            _instance(Path(folder) / "ours", limits=True) as ours,
            _instance(Path(folder) / "other", limits=False) as other,
        ):
            sides = [_Side(ours, number, _QUEUES), _Side(other, number, {})]
            going = sides
            while going:
                going = [side for side in going if side.turn()]
    _require_order(sides[0].began)
    mine, theirs = (side.seconds / number * 1_000 for side in sides)
    return [
        Row(
            f"{number:,} queued runs in three queues, for each run",
            mine,
            theirs,
            "Dagster's coordinator, no queues",
            at_most=1.3,
        )
    ]


class _Side:
    """The runs of one instance; ``began`` are the names of the queues of those that began, with their numbers."""

    def __init__(self, instance: dg.DagsterInstance, number: int, queues: Mapping[str, Queue]) -> None:
        self._instance = instance
        self._daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
        self._config = instance.get_concurrency_config()
        self._runs: dict[str, tuple[str, int]] = {}
        self.began: list[list[tuple[str, int]]] = []
        self.seconds = 0.0
        names = list(_QUEUES)
        for one in range(number):
            name = names[one % len(names)]
            tags = Queues(queues).tags(name, None) if queues else {}
            self._runs[put(instance, name, tags)] = name, one

    def turn(self) -> bool:
        """One look of the coordinator: what it takes begins, and has ended before the next one."""
        begun = time.perf_counter()
        taken = self._daemon._get_runs_to_dequeue(self._instance, self._config, None)
        self.seconds += time.perf_counter() - begun
        for run in taken:
            done = dg.DagsterEvent("PIPELINE_SUCCESS", run.job_name)
            self._instance.run_storage.handle_run_event(run.run_id, done)
        self.began.append([self._runs[run.run_id] for run in taken])
        return bool(taken)


def _require_order(began: list[list[tuple[str, int]]]) -> None:
    """Who came first goes first in each queue, the higher priority before the lower one, and no limit is passed."""
    for name, queue in _QUEUES.items():
        numbers = [number for turn in began for one, number in turn if one == name]
        assert numbers == sorted(numbers), name
        assert all(sum(one == name for one, _ in turn) <= (queue.limit or _PLACES) for turn in began), name
    for turn in began:
        priorities = [_QUEUES[name].priority for name, _ in turn]
        assert priorities == sorted(priorities, reverse=True)


@contextmanager
def _instance(home: Path, *, limits: bool) -> Iterator[dg.DagsterInstance]:
    settings = yaml.safe_load((ROOT / "deploy" / "dagster.yaml").read_text("utf-8"))
    settings["concurrency"]["runs"]["max_concurrent_runs"] = _PLACES
    if not limits:
        del settings["concurrency"]["runs"]["tag_concurrency_limits"]
    home.mkdir()
    (home / "dagster.yaml").write_text(yaml.safe_dump(settings), encoding="utf-8")
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance
