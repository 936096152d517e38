"""Runs of pipelines of nodes, as a user has them: files in YAML, by Dagster's run worker or the local runtime."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.api import execute_run

from flowhub_assets.definitions import location
from flowhub_assets.from_yaml.loading import load_file
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.benchmarks.row import Prepared
from flowhub_assets_tests.benchmarks.yaml_files import NOTHING, chain, fan_out


def write_shapes(folder: Path, nodes: int) -> None:
    """A file for each shape of that many nodes, and one with the kind of node that does nothing."""
    folder.mkdir(exist_ok=True)
    (folder / "nothing.py").write_text(NOTHING, encoding="utf-8")
    values = folder / "values"
    texts = {
        "chain": chain(f"chain-{nodes}", nodes, values),
        "fused": chain(f"fused-{nodes}", nodes, values, fuse=True),
        "fan-out": fan_out(f"fan-out-{nodes}", nodes, values),
        "waiting": fan_out(f"waiting-{nodes}", nodes, values, waiting=True),
    }
    for shape, text in texts.items():
        shape_file(folder, shape, nodes).write_text(text, encoding="utf-8")


def shape_file(folder: Path, shape: str, nodes: int) -> Path:
    """The file of a shape: chain, fused, fan-out or waiting."""
    return folder / f"{shape}-{nodes}.yaml"


def in_dagster(file: Path, instance: dg.DagsterInstance) -> Prepared:
    """A call that runs the file's job with the executor of our code location, its events in ``instance``."""
    arguments: Any = (str(file),)
    return by_execute_run(dg.build_reconstructable_job(__name__, "job_of", arguments, {}), instance)


def by_execute_run(job: dg.ReconstructableJob, instance: dg.DagsterInstance) -> Prepared:
    """A call that does what a run worker does with a run that was launched for it.

    Before that, unmeasured, the run is made and told to be starting, as Dagster's launch does: with that event its
    default SQLite storage makes the run's database. The messages of the console logger go nowhere.
    """

    def launch() -> Callable[[], object]:
        run = instance.create_run_for_job(job_def=job.get_definition(), job_code_origin=job.get_python_origin())
        starting = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, job_name=run.job_name)
        instance.report_dagster_event(starting, run_id=run.run_id)
        return partial(_work, job, instance, run)

    return Prepared(launch)


def _work(job: dg.ReconstructableJob, instance: dg.DagsterInstance, run: dg.DagsterRun) -> None:
    with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
        result = execute_run(job, run, instance)
    if not result.success:
        failed = [event for event in result.all_events if event.is_failure]
        raise RuntimeError(f"no measurement: {failed[0].event_specific_data if failed else 'the run failed'}")


def in_local_runtime(file: Path) -> Callable[[], object]:
    """A call that runs the file's pipeline without Dagster."""
    runnable = _read(str(file))

    def run() -> None:
        assert run_pipeline(runnable, on_event=lambda event: None).ok

    return run


@cache
def job_of(file: str) -> dg.JobDefinition:
    """The job of the pipeline in ``file``. Read once: a run worker has it when its run starts."""
    return location.flow(_read(file)).job


def _read(file: str) -> Runnable:
    load_nodes(str(Path(file).parent))
    (runnable,) = load_file(file)
    return runnable
