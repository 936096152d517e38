"""A few runs of ``make chaos``, each with another fault: what befalls them is told here, not drawn."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from itertools import repeat
from pathlib import Path

import pytest

from flowhub_assets_tests.executor.kubernetes.chaos.faults import API, DAEMON, WORKER, Fault, drawn
from flowhub_assets_tests.executor.kubernetes.chaos.processes import deployment
from flowhub_assets_tests.executor.kubernetes.chaos.runner import Result, Runner, tell
from flowhub_assets_tests.kubernetes.fixtures import image_python

__all__ = ["image_python"]

#: Those of one line befall runs that go on at once. A daemon's end or the API's befalls all of them, so it has its own.
FAULTS = (
    (
        Fault(WORKER, "kill", after=0.5, once_begun=True),
        Fault("left", "evict", after=0.2),
        Fault("gpu", "preempt", after=0.2),
    ),
    (Fault("right", "oom", after=0.1), Fault("gpu", "kill", after=0.1)),
    (Fault(DAEMON, after=2.0, lasts=0.5, once_begun=True),),
    (Fault(API, after=3.0, lasts=4.0, once_begun=True),),
)
#: A step takes half a second: on a busy machine it may be over before its pod is found. Then the next run is tried.
TRIES = 4


def befallen(runner: Runner, seed: int, fault: Fault) -> list[Result]:
    """Runs with that fault, until one was there to be befallen: all of them, that one the last."""
    results: list[Result] = []
    while not results or (len(results) < TRIES and not results[-1].done):
        results.append(runner.one(seed + 100 * len(results), [fault]))
        tell(results[-1])
    return results


@pytest.mark.timeout(900)
def test_runs_end_right_whatever_befalls_them(tmp_path: Path, image_python: Path) -> None:
    results: list[Result] = []
    with deployment(tmp_path, image_python) as deployed:
        runner = Runner(deployed)
        for number, together in enumerate(FAULTS):
            with ThreadPoolExecutor(len(together)) as pool:
                seeds = range(10 * number + 1, 10 * number + 1 + len(together))
                for tried in pool.map(befallen, repeat(runner), seeds, together):
                    results.extend(tried)
        runner.close()
    assert {result.seed: result.wrong for result in results if result.wrong} == {}
    came = {fault for result in results for fault in result.planned if result.done}
    assert came == {fault for together in FAULTS for fault in together}, "never in time, in four runs"
    # Whether a fatal one had to fail its run is the judge's to say: the step may have been over just before.
    assert {result.status for result in results if not any(fault.is_fatal for fault in result.planned)} == {"SUCCESS"}


def test_a_seed_gives_the_same_faults_again_and_all_kinds_come() -> None:
    plans = {seed: drawn(seed) for seed in range(1, 201)}
    assert all(drawn(seed) == plan for seed, plan in plans.items())
    targets = Counter(fault.target for plan in plans.values() for fault in plan)
    assert set(targets) == {WORKER, DAEMON, API, "left", "right", "gpu"}
    assert min(targets.values()) >= 10
    assert sum(fault.lasts == 30 for plan in plans.values() for fault in plan) == 4
    assert {len(plan) for plan in plans.values()} == {0, 1, 2}
