"""A chain of tasks that do nothing: what is paid for each of them beside the work itself."""

from __future__ import annotations

import dataclasses
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets import definitions
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets_tests.benchmarks.dagster_home import instance_in
from flowhub_assets_tests.benchmarks.generated import chain_file
from flowhub_assets_tests.benchmarks.row import Row, alternating

SETTINGS = Path(__file__).resolve().parents[2] / "deploy" / "dagster.yaml"
THEIRS = "Dagster, plain ops"


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds for each task of the chain; both Dagster runs write to one instance with our settings."""
    tasks = 5 if quick else 100
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with instance_in(folder / "dagster", SETTINGS.read_text("utf-8")) as instance:
            calls = [
                _plain_ops(tasks, instance, folder),
                _local(tasks, folder, in_process=False),
                _local(tasks, folder, in_process=True),
                _through_dagster(tasks, instance, folder),
            ]
            theirs, processes, here, through = (took / tasks for took in alternating(calls, 1 if quick else 3))
    chain = f"a task in a chain of {tasks}"
    return [
        Row(f"{chain}: local, a process each", processes, theirs, THEIRS),
        Row(f"{chain}: local, in one process", here, theirs, THEIRS),
        Row(f"{chain}: as assets in Dagster", through, theirs, THEIRS),
    ]


def _plain_ops(tasks: int, instance: dg.DagsterInstance, folder: Path) -> Callable[[], object]:
    @dg.op
    def first() -> dict[str, Any]:
        return {"number": 0}

    @dg.op
    def following(args: dict[str, Any]) -> dict[str, Any]:
        return args

    kept = dg.FilesystemIOManager(base_dir=str(folder / "pickled"))

    @dg.job(resource_defs={"io_manager": kept})
    def plain_chain() -> None:
        value = first()
        for _ in range(tasks - 1):
            value = following(value)

    return lambda: _succeeded(plain_chain.execute_in_process(instance=instance))


def _local(tasks: int, folder: Path, *, in_process: bool) -> Callable[[], object]:
    (runnable,) = load_file(str(chain_file(folder / "chain.py", "chain", tasks, folder / "values")))

    def run() -> None:
        outcome = run_pipeline(runnable, in_process=in_process, on_event=lambda event: None)
        assert outcome.ok

    return run


def _through_dagster(tasks: int, instance: dg.DagsterInstance, folder: Path) -> Callable[[], object]:
    flows = folder / "flows"
    flows.mkdir()
    chain_file(flows / "chain.py", "chain", tasks, folder / "values")
    location = dataclasses.replace(definitions.location, folders=[flows])
    job = location.repository().get_job("chain")
    return lambda: _succeeded(job.execute_in_process(instance=instance))


def _succeeded(result: dg.ExecuteInProcessResult) -> None:
    assert result.success
