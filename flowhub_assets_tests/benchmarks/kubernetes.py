"""What heavy steps cost in a cluster: K8sRunLauncher and run workers as they are, against the double of Kubernetes."""

from __future__ import annotations

import os
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterEventType

from flowhub_assets_tests.benchmarks import cluster_flows, cluster_jobs
from flowhub_assets_tests.benchmarks.cluster_process import (
    STUB_IMAGE,
    BenchCluster,
    bench_cluster,
    end_of_process,
    peak_memory,
    processor_seconds,
)
from flowhub_assets_tests.benchmarks.row import Row

#: Modules and attributes of the code locations.
_OURS = "flowhub_assets.definitions", "defs"
_THEIRS = cluster_jobs.__name__, "defs"
_OTHER = "Dagster k8s_job_executor"
#: What issue 5 expects of heavy steps: calls for each, MiB for hundreds, seconds until an OOM kill is told.
_CALLS, _MEMORY, _OOM = 4.0, 400.0, 5.0
#: Seconds for any run to get where it is to be.
_LONGEST = 240.0


@dataclass(frozen=True)
class _Mixed:
    """One mixed run, in seconds: from its launch to its end, and the sum over all pods until their step began."""

    wall: float
    pods: int
    start_up: float


@dataclass(frozen=True)
class _InFlight:
    """A run worker with all steps under way: API calls, the most MiB, the share of one processor that it takes."""

    calls: int
    memory: float
    share: float


def measure(quick: bool = False) -> list[Row]:
    """Seconds and pods of a mixed run, what a step costs beside its pod, and many steps at once."""
    branches, steps, chain, many, window = (1, "hl", 2, 8, 1.0) if quick else (5, "llhll", 10, 500, 10.0)
    with tempfile.TemporaryDirectory(prefix="flowhub-bench-") as name:
        folder = Path(name)
        return [
            *_mixed_run(folder / "mixed", branches, steps),
            *_beside_bare_jobs(folder / "chain", chain),
            *_own_images_at_once(folder / "many", many),
            *_stubs_at_once(folder, many, window),
        ]


def _mixed_run(base: Path, branches: int, steps: str) -> list[Row]:
    variables = {cluster_jobs.BRANCHES: str(branches), cluster_jobs.LENGTH: str(len(steps))}
    files = {"mixed.py": cluster_flows.mixed(base / "files", branches, steps)}
    with bench_cluster(base, files, variables) as cluster:
        ours, theirs = (_mixed(cluster, location) for location in (_OURS, _THEIRS))
    heavy = branches * steps.count("h")
    what = f"a run of {branches * len(steps) - heavy} light and {heavy} heavy steps"
    other = f"{_OTHER}, all in pods"
    return [
        Row(f"{what}, from launch to end", ours.wall, theirs.wall, other, unit="s"),
        Row(f"{what}, pods", ours.pods, theirs.pods, other, unit="pods", at_most=heavy / (branches * len(steps))),
        Row(f"{what}, start-up of all steps", ours.start_up, theirs.start_up, other, unit="s"),
    ]


def _mixed(cluster: BenchCluster, location: tuple[str, str]) -> _Mixed:
    begun = time.monotonic()
    run_id = cluster.launch(*location, "mixed")
    cluster.succeed(run_id, _LONGEST)
    wall = time.monotonic() - begun
    asked = cluster.moments(run_id, DagsterEventType.STEP_WORKER_STARTING)
    started = cluster.moments(run_id, DagsterEventType.STEP_START)
    return _Mixed(wall, len(cluster.pods(run_id)), sum(started[step] - asked[step] for step in asked))


def _beside_bare_jobs(base: Path, steps: int) -> list[Row]:
    """A step, from its start to that of the one that waits for it, and a Job whose pod does what its task does."""
    with bench_cluster(base, {"chain.py": cluster_flows.chain(base / "files", steps)}) as cluster:
        run_id = cluster.launch(*_OURS, "chain")
        cluster.succeed(run_id, _LONGEST)
        started = cluster.moments(run_id, DagsterEventType.STEP_START)
        ended = cluster.moments(run_id, DagsterEventType.STEP_SUCCESS)
        ours = (max(ended.values()) - min(started.values())) / steps
        bare = [cluster.run_bare_job(f"bare-{number}", "n = 0 + 1") for number in range(steps)]
    what = f"a step with image= in a chain of {steps}"
    return [Row(what, ours * 1000, sum(bare) / steps * 1000, "a bare Job, nothing told or kept")]


def _own_images_at_once(base: Path, steps: int) -> list[Row]:
    """All steps wait, each in a pod of its own; then one of them takes more memory than it may."""
    base.mkdir()
    gate, meal = base / "gate", base / "meal"
    os.mkfifo(gate)
    os.mkfifo(meal)
    with bench_cluster(base, {"many.py": cluster_flows.many(base / "files", steps, gate, meal)}) as cluster:
        run_id = cluster.launch(*_OURS, "many")
        flight = _in_flight(cluster, run_id, steps, 0.0)
        noticed = _seconds_until_told(cluster, run_id, meal)
    what = f"{steps} steps with image= at once"
    return [
        Row(f"{what}, calls for each", flight.calls / steps, _CALLS, f"{_CALLS:g} calls", unit="calls", at_most=1.0),
        Row(f"{what}, the run worker's memory", flight.memory, _MEMORY, f"{_MEMORY:g} MiB", unit="MiB", at_most=1.0),
        Row(f"{what}, until an OOM kill is told", noticed, _OOM, f"{_OOM:g} s", unit="s", at_most=1.0),
    ]


def _seconds_until_told(cluster: BenchCluster, run_id: str, meal: Path) -> float:
    """From the end of a process that takes what it may not have, to the failure of its step."""
    process = cluster.process_of(run_id, "many__eat")
    opened = os.open(meal, os.O_RDWR)
    try:
        killed = end_of_process(process, _LONGEST)
        failed = cluster.first_failure(run_id, _LONGEST)
    finally:
        os.close(opened)
    if "OOMKilled" not in failed.told:
        raise RuntimeError(f"no measurement: a step failed, but not out of memory: {failed.told}")
    # The end was seen a moment late: all that is known then is that it was told at once.
    return max(0.01, failed.moment - killed)


def _stubs_at_once(folder: Path, steps: int, window: float) -> list[Row]:
    """Heavy steps in the code location's image, whose pods only wait, by both executors."""
    stub = {"job_image": STUB_IMAGE}
    ours = _stubs(folder / "ours", _OURS, steps, window, {"step_handler": {"kubernetes": stub}})
    theirs = _stubs(folder / "theirs", _THEIRS, steps, window, stub)
    what = f"{steps} heavy steps at once"
    return [
        Row(f"{what}, calls for each", ours.calls / steps, _CALLS, f"{_CALLS:g} calls", unit="calls", at_most=1.0),
        Row(f"{what}, calls for each", ours.calls / steps, theirs.calls / steps, _OTHER, unit="calls"),
        Row(f"{what}, the run worker's memory", ours.memory, _MEMORY, f"{_MEMORY:g} MiB", unit="MiB", at_most=1.0),
        Row(f"{what}, the run worker's memory", ours.memory, theirs.memory, _OTHER, unit="MiB"),
        Row(f"{what}, the run worker while they run", ours.share * 100, theirs.share * 100, _OTHER, unit="% of a core"),
    ]


def _stubs(base: Path, location: tuple[str, str], steps: int, window: float, config: Mapping[str, Any]) -> _InFlight:
    files = {"stubs.py": cluster_flows.stubs(base / "files", steps)}
    with bench_cluster(base, files, {cluster_jobs.STEPS: str(steps)}) as cluster:
        run_id = cluster.launch(*location, "stubs", {"execution": {"config": config}})
        return _in_flight(cluster, run_id, steps, window)


def _in_flight(cluster: BenchCluster, run_id: str, steps: int, window: float) -> _InFlight:
    """Waits until all steps of the run are under way, and looks at its worker for ``window`` seconds."""
    worker = cluster.worker_of(run_id)
    cluster.reset_calls()
    cluster.await_pods(run_id, steps, _LONGEST)
    begun, before = time.monotonic(), processor_seconds(worker)
    time.sleep(window)
    # A tick is the least that the clock of a process tells.
    used = max(0.01, processor_seconds(worker) - before)
    return _InFlight(sum(cluster.calls().values()), peak_memory(worker), used / max(time.monotonic() - begun, 0.01))
