"""``concurrency: N`` of a pipeline and the queues, through the run queue as deploy/dagster.yaml sets it up."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, RemoteJobOrigin, RemoteRepositoryOrigin
from dagster._core.test_utils import create_run_for_test
from dagster._daemon.run_coordinator.queued_run_coordinator_daemon import QueuedRunCoordinatorDaemon

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.setting_checks import MOST_CONCURRENT_RUNS
from flowhub_assets.resources.queues import QUEUE_LIMIT_TAG, Queue, Queues
from flowhub_assets.to_dagster.run_tags import CONCURRENCY_TAG, run_tags
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.to_dagster.graph_pipelines import HERE, light

SETTINGS = ROOT / "deploy" / "dagster.yaml"
#: Where a run's code is: nobody asks there.
NONE = Queues()
LOCKED = Queues({"priority": Queue("priority", 10, 1), "minority": Queue("minority", -1)})
LOCATION = GrpcServerCodeLocationOrigin(host="localhost", port=9, location_name="flowhub_assets")


@pytest.fixture
def instance(tmp_path: Path) -> Iterator[dg.DagsterInstance]:
    shutil.copy(SETTINGS, tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def queue(
    instance: dg.DagsterInstance, name: str, status: str = "QUEUED", queues: Queues = NONE, **settings: Any
) -> str:
    run: dg.DagsterRun = create_run_for_test(
        instance,
        job_name=name,
        tags=run_tags(Pipeline(name, (light("a"),), HERE, **settings), queues),
        status=dg.DagsterRunStatus(status),
        remote_job_origin=RemoteJobOrigin(RemoteRepositoryOrigin(LOCATION, "all"), name),
    )
    return run.run_id


def started(instance: dg.DagsterInstance) -> list[str]:
    """The runs that the daemon would start now."""
    daemon = QueuedRunCoordinatorDaemon(interval_seconds=1)
    return [run.run_id for run in daemon._get_runs_to_dequeue(instance, instance.get_concurrency_config(), None)]


def test_a_pipeline_never_has_more_runs_than_it_says(instance: dg.DagsterInstance) -> None:
    first, second, third = (queue(instance, "careful", concurrency=2) for _ in range(3))
    assert started(instance) == [first, second]
    assert third not in started(instance)


def test_what_runs_already_counts(instance: dg.DagsterInstance) -> None:
    queue(instance, "alone", "STARTED", concurrency=1)
    queue(instance, "alone", concurrency=1)
    assert started(instance) == []


def test_each_pipeline_has_its_own_limit(instance: dg.DagsterInstance) -> None:
    queue(instance, "alone", "STARTED", concurrency=1)
    other = queue(instance, "other", concurrency=1)
    free = [queue(instance, "free") for _ in range(2)]
    assert started(instance) == [other, *free]


def test_the_more_urgent_one_goes_first(instance: dg.DagsterInstance) -> None:
    for _ in range(4):
        queue(instance, "usual")
    urgent = queue(instance, "urgent", priority=5)
    assert started(instance)[0] == urgent
    assert len(started(instance)) == 4, "and no more than max_concurrent_runs"


def test_every_number_of_runs_that_a_pipeline_or_a_queue_may_name_is_limited(instance: dg.DagsterInstance) -> None:
    config = instance.get_concurrency_config().run_queue_config
    assert config is not None
    assert [(limit["key"], limit["limit"]) for limit in config.tag_concurrency_limits] == [
        (f"{tag}{number}", number)
        for tag in (CONCURRENCY_TAG, QUEUE_LIMIT_TAG)
        for number in range(1, MOST_CONCURRENT_RUNS + 1)
    ]
    assert all(limit["value"] == {"applyLimitPerUniqueValue": True} for limit in config.tag_concurrency_limits)


def test_the_queue_with_the_higher_priority_goes_first_and_keeps_to_its_limit(instance: dg.DagsterInstance) -> None:
    late = queue(instance, "a", queues=LOCKED, queue="minority")
    plain = queue(instance, "a", queues=LOCKED)
    first = queue(instance, "a", queues=LOCKED, queue="priority")
    queue(instance, "b", queues=LOCKED, queue="priority")
    assert started(instance) == [first, plain, late], "the second of the queue waits for the first, of any pipeline"


def test_a_pipelines_own_priority_beats_that_of_its_queue() -> None:
    pipeline = Pipeline("a", (light("a"),), HERE, queue="priority", priority=3)
    assert run_tags(pipeline, LOCKED) == {
        "flowhub/queue": "priority",
        "flowhub/queue_of_1": "priority",
        "dagster/priority": "3",
    }


def test_a_queue_that_is_not_there_is_the_pipelines_mistake() -> None:
    with pytest.raises(DefinitionError, match="there is no queue 'prioritty'") as error:
        run_tags(Pipeline("a", (light("a"),), HERE, queue="prioritty"), LOCKED)
    assert error.value.where == str(HERE)
    assert error.value.remedy == "did you mean 'priority'?"
    assert run_tags(Pipeline("a", (light("a"),), HERE, queue="nightly"), NONE) == {"flowhub/queue": "nightly"}


def test_slots_of_a_run_that_ended_are_free_again(instance: dg.DagsterInstance) -> None:
    assert instance.run_monitoring_settings["free_slots_after_run_end_seconds"] == 30
