"""Runs that wait in the queue of deploy/dagster.yaml, in a real instance, and what Dagster's daemon would start."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from flowhub_assets_tests.checkout import ROOT

SETTINGS = ROOT / "deploy" / "dagster.yaml"
#: Where a run's code is: nobody asks there.
LOCATION = GrpcServerCodeLocationOrigin(host="localhost", port=9, location_name="flowhub_assets")


@contextmanager
def instance_in(folder: Path) -> Iterator[dg.DagsterInstance]:
    """A Dagster with the settings that are shipped for one machine."""
    shutil.copy(SETTINGS, folder)
    with dg.DagsterInstance.from_config(str(folder)) as instance:
        yield instance


def put(instance: dg.DagsterInstance, job: str, tags: Mapping[str, str] = {}, status: str = "QUEUED") -> str:
    """A run of that job; its id."""
    run: dg.DagsterRun = create_run_for_test(
        instance,
        job_name=job,
        tags=dict(tags),
        status=dg.DagsterRunStatus(status),
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(LOCATION, "all"), job),
    )
    return run.run_id


def started(instance: dg.DagsterInstance) -> list[str]:
    """The runs that the daemon would start now, in its order."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    return [run.run_id for run in daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)]


def move(instance: dg.DagsterInstance, run_id: str, *events: str) -> None:
    """What the daemon and a run worker report of a run: PIPELINE_STARTING, PIPELINE_START, PIPELINE_SUCCESS."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    for event in events:
        instance.report_dagster_event(dg.DagsterEvent(event, run.job_name), run_id=run_id)


def run_of(instance: dg.DagsterInstance, run_id: str) -> dg.DagsterRun:
    """The run as it is now."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    return run
