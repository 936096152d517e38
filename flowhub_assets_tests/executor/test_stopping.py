"""A run worker that is stopped or killed, as a process of its own: what is left, and what its log says."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.execution.api import execute_run_iterator

from flowhub_assets_tests.executor import executor_jobs, told

JOBS = "flowhub_assets_tests.executor.executor_jobs"
ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def worker(home: Path) -> Iterator[Callable[[str], subprocess.Popen[bytes]]]:
    started: list[subprocess.Popen[bytes]] = []

    def start(job: str) -> subprocess.Popen[bytes]:
        command = [sys.executable, "-m", "dagster", "job", "execute", "-m", JOBS, "-j", job]
        process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        started.append(process)
        return process

    yield start
    for process in started:
        process.kill()
        process.wait()


def until(holds: Callable[[], bool], seconds: float = 60) -> None:
    end = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.02)


def gone(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def pids(folder: Path, *names: str) -> list[int]:
    return [int(line) for name in names for line in (folder / name).read_text().split()]


def only_run(instance: dg.DagsterInstance) -> dg.DagsterRun:
    (run,) = instance.get_runs()
    return run


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_cancelled_run_leaves_nothing_behind(
    worker: Callable[[str], subprocess.Popen[bytes]],
    disk: dg.DagsterInstance,
    tmp_path: Path,
    number: signal.Signals,
) -> None:
    process = worker("lasting")
    until(lambda: all((tmp_path / name).exists() for name in ("child", "deaf", "asleep", "heavy_asleep")))
    until(lambda: told.counted(tmp_path, "sleeper") == 2)
    run = only_run(disk)
    disk.report_run_canceling(run)
    process.send_signal(number)
    process.wait(timeout=40)
    assert disk.get_run_by_id(run.run_id).status is dg.DagsterRunStatus.CANCELED  # type: ignore[union-attr]
    assert (tmp_path / "woken").exists()
    for pid in pids(tmp_path, "child", "sleeper", "heavy_asleep"):
        until(lambda pid=pid: gone(pid))  # type: ignore[misc]
    assert set(told.ends(disk, run.run_id)) == {"forks", "never_returns", "sleeps_async", "heavy_sleep"}
    assert all(how == ["STEP_FAILURE"] for how in told.ends(disk, run.run_id).values())
    events = told.events(disk, run.run_id)
    assert not [key for key, _ in events[events.index((None, "RUN_CANCELED")) :] if key]


def test_a_signal_that_nobody_asked_for_fails_the_run_as_in_dagster(
    worker: Callable[[str], subprocess.Popen[bytes]], disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    process = worker("lasting")
    until(lambda: all((tmp_path / name).exists() for name in ("child", "deaf", "asleep", "heavy_asleep")))
    process.send_signal(signal.SIGTERM)
    process.wait(timeout=40)
    assert only_run(disk).status is dg.DagsterRunStatus.FAILURE


def test_after_the_run_worker_is_killed_its_log_says_what_happened_and_no_more(
    worker: Callable[[str], subprocess.Popen[bytes]], disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    worker("dying").wait(timeout=60)
    run = only_run(disk)
    assert run.status is dg.DagsterRunStatus.STARTED
    ends = told.ends(disk, run.run_id)
    assert all(how == ["STEP_SUCCESS"] for how in ends.values())
    assert told.counted(tmp_path, "saved") == 20
    for step in ends:
        assert (Path(os.environ["DAGSTER_HOME"]) / "storage" / run.run_id / step / "result").exists()
    # The log of a chain has no holes: what is missing are the last events.
    order = ["light_one", *(f"saves_{place}" for place in range(20)), "dies"]
    assert list(ends) == order[: len(ends)]


def test_another_run_worker_goes_on_where_the_killed_one_was(
    worker: Callable[[str], subprocess.Popen[bytes]], disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    worker("dying").wait(timeout=60)
    run = only_run(disk)
    done = set(told.ends(disk, run.run_id))
    job = dg.reconstructable(executor_jobs.dying)
    list(execute_run_iterator(job, run, disk, resume_from_failure=True))
    assert only_run(disk).status is dg.DagsterRunStatus.SUCCESS
    ends = told.ends(disk, run.run_id)
    assert len(ends) == 22
    assert all(how == ["STEP_SUCCESS"] for how in ends.values())
    # What the log knew was not done again; what it did not know yet was.
    assert told.counted(tmp_path, "saved") == 20 + 20 - len([step for step in done if step.startswith("saves")])


def test_a_killed_run_workers_children_and_heavy_steps_end(
    worker: Callable[[str], subprocess.Popen[bytes]], disk: dg.DagsterInstance, tmp_path: Path
) -> None:
    process = worker("lasting")
    until(lambda: told.counted(tmp_path, "sleeper") == 2 and (tmp_path / "child").exists())
    process.kill()
    for pid in pids(tmp_path, "child", "sleeper", "heavy_asleep"):
        until(lambda pid=pid: gone(pid))  # type: ignore[misc]
