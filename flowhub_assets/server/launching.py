"""An accepted submission → a run in Dagster's queue. The same submission launched twice is one run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus

from flowhub_assets.errors import InputError
from flowhub_assets.executor.dagster_runs import Origins, create_run, enqueue, has_queue
from flowhub_assets.server.catalogue import Catalogue, Entry
from flowhub_assets.store.submissions import Order, Submission
from flowhub_assets.to_dagster.params import TRIGGER

#: Tags of every run that came in by a door: which door, and who asked.
DOOR_TAG, CALLER_TAG = "flowhub/door", "flowhub/by"


def run_config_of(entry: Entry, order: Order) -> dict[str, Any]:
    """The run config of such a run."""
    given = dict(order.params)
    if order.trigger is not None:
        given[TRIGGER] = dict(order.trigger)
    resources: dict[str, Any] = {entry.params_key: {"config": given}} if given else {}
    if order.profile:
        resources["profile"] = {"config": {"name": order.profile}}
    return {"resources": resources} if resources else {}


@dataclass(frozen=True)
class Launcher:
    """Puts runs into the queue of ``instance``; ``origins`` says where its daemon finds their jobs."""

    instance: DagsterInstance
    catalogue: Catalogue
    origins: Callable[[], Origins]

    def launch(self, submission: Submission) -> None:
        """Raises NotFound if the pipeline is gone, and whatever Dagster's storage raises if it is away."""
        entry = self.catalogue.get(submission.pipeline)
        config = run_config_of(entry, submission.order)
        created = create_run(
            self.instance,
            entry.flow.job,
            entry.plan(config),
            self.origins(),
            run_id=submission.run_id,
            run_config=config,
            tags=tags_of(submission),
        )
        if created or self._is_unqueued(submission.run_id):
            enqueue(self.instance, submission.run_id)

    def _is_unqueued(self, run_id: str) -> bool:
        """Whether an earlier launch ended between the two: the run is there, and nobody will start it."""
        run = self.instance.get_run_by_id(run_id)
        return run is not None and run.status is DagsterRunStatus.NOT_STARTED


def tags_of(submission: Submission) -> Mapping[str, str]:
    """The tags of a run that came in by a door."""
    return {**submission.order.tags, DOOR_TAG: submission.door, CALLER_TAG: submission.caller}


def require_queue(instance: DagsterInstance) -> None:
    """Raises InputError for a Dagster whose runs do not wait in a queue."""
    if not has_queue(instance):
        raise InputError(
            f"Dagster's run coordinator is {type(instance.run_coordinator).__name__}",
            where="dagster.yaml",
            effect="Nothing can be started from here.",
            remedy="Take QueuedRunCoordinator, which is what Dagster has by default, and run dagster-daemon.",
        )
