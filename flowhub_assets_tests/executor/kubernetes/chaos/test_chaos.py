"""A few runs of ``make chaos``, each with another fault: what befalls them is told here, not drawn."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from flowhub_assets_tests.executor.kubernetes.chaos.faults import API, DAEMON, WORKER, Fault, drawn
from flowhub_assets_tests.executor.kubernetes.chaos.processes import deployment
from flowhub_assets_tests.executor.kubernetes.chaos.runner import Runner, line, tell
from flowhub_assets_tests.kubernetes.fixtures import image_python

__all__ = ["image_python"]

#: By their seeds; those of one line run at once, before those of the next one.
FAULTS = (
    {
        1: Fault(WORKER, "kill", after=0.5, once_begun=True),
        2: Fault("left", "evict", after=0.2),
        3: Fault("gpu", "preempt", after=0.2),
    },
    {4: Fault("right", "oom", after=0.1), 5: Fault("gpu", "kill", after=0.1), 6: Fault(DAEMON, after=2.0, lasts=0.5)},
    {7: Fault(API, after=3.0, lasts=4.0)},
)
FAIL = (4, 5)


@pytest.mark.timeout(280)
def test_runs_end_right_whatever_befalls_them(tmp_path: Path, image_python: Path) -> None:
    results = []
    with deployment(tmp_path, image_python) as deployed:
        runner = Runner(deployed)
        for together in FAULTS:
            with ThreadPoolExecutor(len(together)) as pool:
                for result in pool.map(runner.one, together, ([fault] for fault in together.values())):
                    tell(result)
                    results.append(result)
        runner.close()
    assert {result.seed: result.wrong for result in results if result.wrong} == {}
    missed = [line(result) for result in results if len(result.done) < len(result.planned)]
    assert not missed, "its moment was too late"
    assert {result.seed: result.status for result in results} == {
        seed: "FAILURE" if seed in FAIL else "SUCCESS" for together in FAULTS for seed in together
    }


def test_a_seed_gives_the_same_faults_again_and_all_kinds_come() -> None:
    plans = {seed: drawn(seed) for seed in range(1, 201)}
    assert all(drawn(seed) == plan for seed, plan in plans.items())
    targets = Counter(fault.target for plan in plans.values() for fault in plan)
    assert set(targets) == {WORKER, DAEMON, API, "left", "right", "gpu"}
    assert min(targets.values()) >= 10
    assert sum(fault.lasts == 30 for plan in plans.values() for fault in plan) == 4
    assert {len(plan) for plan in plans.values()} == {0, 1, 2}
