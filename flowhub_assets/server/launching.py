"""An accepted submission → a run in Dagster's queue. The same submission launched twice is one run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import DagsterInstance, DagsterRunStatus

from flowhub_assets.errors import InputError, NotFound
from flowhub_assets.executor.dagster_runs import (
    Origins,
    create_run,
    enqueue,
    has_queue,
    part_of,
    plan_again,
    tags_again,
)
from flowhub_assets.resources.queues import QUEUE_TAG, QUEUE_TAGS
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
        created = self.create(submission)
        if created or self._is_unqueued(submission.run_id):
            enqueue(self.instance, submission.run_id)

    def create(self, submission: Submission) -> bool:
        """Puts its run into Dagster, not yet queued. False if there is one of that id. Raises what ``launch`` does."""
        entry = self.catalogue.get(submission.pipeline)
        if submission.order.again is not None:
            return self._create_again(entry, submission, submission.order.again)
        return self._create(entry, submission)

    def _create(self, entry: Entry, submission: Submission) -> bool:
        config = run_config_of(entry, submission.order)
        return create_run(
            self.instance,
            entry.flow.job,
            entry.plan(config),
            self.origins(),
            run_id=submission.run_id,
            run_config=config,
            tags=tags_of(submission),
            leave_out=QUEUE_TAGS if QUEUE_TAG in submission.order.tags else (),
        )

    def _create_again(self, entry: Entry, submission: Submission, again: Mapping[str, Any]) -> bool:
        parent = self.instance.get_run_by_id(again["run_id"])
        if parent is None:
            raise NotFound(f"run {again['run_id']}, which was to be taken up again, was deleted")
        job = part_of(entry.flow.job, parent)
        from_failure = bool(again["from_failure"])
        plan = plan_again(self.instance, job, parent, from_failure=from_failure, step_keys=again["steps"])
        if plan is None:
            raise NotFound(f"nothing of run {parent.run_id} is left to do")
        return create_run(
            self.instance,
            job,
            plan,
            self.origins(),
            run_id=submission.run_id,
            run_config=parent.run_config,
            tags={**tags_again(parent, from_failure=from_failure), **tags_of(submission)},
            again=parent,
        )

    def withdraw(self, run_id: str) -> None:
        """Ends a run that was cancelled while it was launched; where Dagster does not answer, it goes on."""
        with contextlib.suppress(Exception):
            self.instance.run_coordinator.cancel_run(run_id)

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
