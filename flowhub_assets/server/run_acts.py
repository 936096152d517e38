"""What can be done to a run that is there: cancel it, or take it up again."""

from __future__ import annotations

import time
import uuid
from collections.abc import Sequence

from dagster import DagsterRun, DagsterRunStatus

from flowhub_assets.errors import Conflict, NotFound, Unavailable
from flowhub_assets.executor.dagster_runs import part_of, plan_again, step_dependencies
from flowhub_assets.server.access import Caller
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.server.run_steps import following
from flowhub_assets.server.run_views import STORE_STATUSES, RunView, no_run, step_names, submission_of, view_run
from flowhub_assets.server.runs import Started, StartRequest
from flowhub_assets.store.submissions import ACCEPTED, CANCELLED, LAUNCHED, WAITING, Order, Submission

_QUEUED = frozenset({DagsterRunStatus.NOT_STARTED, DagsterRunStatus.QUEUED})
_RETRIABLE = frozenset({DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED})


def cancel_run(backend: Backend, run_id: str, caller: Caller) -> RunView:
    """Ends a run: one that waits never begins, one that runs is told to stop, and stands as CANCELING until it has.

    Raises NotFound, Conflict for one that is over, Unavailable where its process cannot be told.
    """
    kept = submission_of(backend, run_id)
    run = backend.instance.get_run_by_id(run_id)
    if run is None and kept is None:
        raise no_run(run_id)
    if run is not None and run.is_finished:
        raise _over(run_id, run.status.value)
    if run is None and kept is not None and kept.state not in (*WAITING, LAUNCHED):
        raise _over(run_id, STORE_STATUSES.get(kept.state, kept.state))
    if kept is not None:
        # First of all: what is not launched yet must not be launched at this moment.
        by = f"cancelled by {caller.name}"
        backend.runs.settle([run_id], CANCELLED, only=(*WAITING, LAUNCHED), reason=by)
        run = backend.instance.get_run_by_id(run_id)
    if run is not None:
        _cancel(backend, run, caller)
    return view_run(backend, run_id)


def _cancel(backend: Backend, run: DagsterRun, caller: Caller) -> None:
    instance = backend.instance
    if run.status in _QUEUED:
        instance.report_run_canceled(run, message=f"Cancelled in the queue by {caller.name}.")
        return
    if run.status is DagsterRunStatus.CANCELING:
        return
    if not instance.run_coordinator.cancel_run(run.run_id) and not _has_ended(backend, run.run_id):
        raise Unavailable(
            f"run {run.run_id} could not be told to stop: its process does not answer",
            effect="It stands as CANCELING; Dagster ends it if it is gone.",
            remedy="Look at its log; where its process is gone, run monitoring ends it within a minute.",
        )


def _has_ended(backend: Backend, run_id: str) -> bool:
    run = backend.instance.get_run_by_id(run_id)
    return run is None or run.is_finished


def retry_run(
    backend: Backend, run_id: str, *, from_failure: bool, steps: Sequence[str], caller: Caller, key: str | None = None
) -> Started:
    """Starts a new run that takes up another one: what failed or never ran, chosen steps and what follows, or all.

    Its params are the same, and values of other steps come from the earlier run. It is kept like any request.
    Raises NotFound for a run or a step that is not there, Conflict for a run that goes on or has nothing left to do.
    """
    run = backend.instance.get_run_by_id(run_id)
    if run is None:
        raise _not_begun(backend, run_id)
    entry = _entry(backend, run)
    if not run.is_finished:
        raise Conflict(
            f"run {run_id} is {run.status.value}",
            effect="Nothing was started.",
            remedy=f"Wait for its end, or cancel it: flowhub cancel {run_id}.",
        )
    step_keys = _chosen(backend, entry, run, steps) if steps else []
    if from_failure and not step_keys:
        _require_failure(backend, entry, run)
    again = {"run_id": run_id, "from_failure": from_failure and not step_keys, "steps": step_keys}
    now = time.time()
    submission = Submission(
        run_id=str(uuid.uuid4()),
        pipeline=entry.pipeline.name,
        door="retry",
        caller=caller.name,
        order=Order(again=again),
        state=ACCEPTED,
        accepted=now,
        due=now,
    )
    request = StartRequest(submission.pipeline, key=key, door="retry", caller=caller.name, peer=caller.peer)
    return backend.runs.take(submission, request)


def _not_begun(backend: Backend, run_id: str) -> Exception:
    kept = submission_of(backend, run_id)
    if kept is None:
        return no_run(run_id)
    return Conflict(
        f"run {run_id} never began",
        effect="Nothing was started.",
        remedy=f"Start it anew: flowhub run {kept.pipeline}.",
    )


def _entry(backend: Backend, run: DagsterRun) -> Entry:
    entry = backend.catalogue.get(run.job_name)
    if entry.flow.job.name != run.job_name:
        raise NotFound(
            f"run {run.run_id} is of {run.job_name}, which is no pipeline",
            effect="Nothing was started.",
            remedy="Re-execute it in Dagster's UI.",
        )
    return entry


def _chosen(backend: Backend, entry: Entry, run: DagsterRun, steps: Sequence[str]) -> list[str]:
    """The keys of these steps and of all that follow them."""
    job = part_of(entry.flow.job, run)
    plan = plan_again(backend.instance, job, run, from_failure=False, step_keys=())
    assert plan is not None
    dependencies = step_dependencies(plan)
    names = step_names(backend, run.job_name)
    chosen = [key for step in steps for key in names.keys(step, dependencies)]
    return following(chosen, dependencies)


def _require_failure(backend: Backend, entry: Entry, run: DagsterRun) -> None:
    if run.status in _RETRIABLE:
        plan = plan_again(backend.instance, part_of(entry.flow.job, run), run, from_failure=True, step_keys=())
        if plan is not None:
            return
    raise Conflict(
        f"run {run.run_id} is {run.status.value}: nothing of it has failed",
        effect="Nothing was started.",
        remedy=f"Take a step again with all that follows it: flowhub retry {run.run_id} --step NAME.",
    )


def _over(run_id: str, status: str) -> Conflict:
    return Conflict(f"run {run_id} is {status}, so it is over", effect="Nothing was cancelled.")
