"""Does what waits in Dagster's queue in this process, with the executor of the code location: no daemon is needed."""

from __future__ import annotations

from pathlib import Path

import dagster as dg
from dagster._core.execution.api import execute_run

from flowhub_assets import definitions
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.workflows import location_of


def job_in(folder: str, name: str) -> dg.JobDefinition:
    """What a run worker builds a job from."""
    return location_of(Path(folder), definitions.location.executor).repository().get_job(name)


def run_now(backend: Backend, folder: Path, run_id: str) -> str:
    """Runs it to its end; how it stands then."""
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    backend.instance.report_dagster_event(_starting(run), run_id)
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    job = dg.build_reconstructable_job(__name__, "job_in", (str(folder), run.job_name))
    execute_run(job, run, backend.instance, raise_on_error=False)
    ended = backend.instance.get_run_by_id(run_id)
    assert ended is not None
    return str(ended.status.value)


def _starting(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_STARTING.value, job_name=run.job_name)


def start_and_run(backend: Backend, folder: Path, pipeline: str, **params: object) -> str:
    """A run of ``pipeline`` that is over; its id."""
    run_id = backend.runs.start(StartRequest(pipeline, params=params)).run_id
    run_now(backend, folder, run_id)
    return run_id
