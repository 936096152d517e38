"""What is known of runs: Dagster's own facts, and those of requests that have no run in Dagster yet.

What happens inside a run is in run_events.py, what it gave in run_results.py, what can be done to it in run_acts.py.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import UTC, datetime

from dagster import DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from flowhub_assets.errors import InputError, NotFound
from flowhub_assets.resources.queues import PRIORITY_TAG, QUEUE_TAG
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.launching import CALLER_TAG, DOOR_TAG
from flowhub_assets.server.run_facts import RunView as RunView
from flowhub_assets.server.run_facts import StepView as StepView
from flowhub_assets.server.run_steps import StepNames
from flowhub_assets.store import submissions
from flowhub_assets.store.submissions import Submission
from flowhub_assets.to_dagster.failure_sensor import failed_steps

#: How a request stands that has no run in Dagster: the store's word → ours.
STORE_STATUSES = {
    submissions.ACCEPTED: "ACCEPTED",
    submissions.DELAYED: "DELAYED",
    submissions.LAUNCHED: "ACCEPTED",
    submissions.ANSWERING: "STARTED",
    submissions.ANSWERED: "ANSWERED",
    submissions.SUPERSEDED: "SUPERSEDED",
    submissions.CANCELLED: "CANCELED",
    submissions.FAILED: "FAILED_TO_LAUNCH",
}
#: All words for how a run stands.
STATUSES = tuple(dict.fromkeys([*STORE_STATUSES.values(), *(one.value for one in DagsterRunStatus)]))
#: Those in the store that no run in Dagster stands for.
_WITHOUT_RUN = (
    submissions.ACCEPTED,
    submissions.DELAYED,
    submissions.ANSWERING,
    submissions.ANSWERED,
    submissions.SUPERSEDED,
    submissions.CANCELLED,
    submissions.FAILED,
)
_LONGEST_LIST = 1_000
#: Tags by which Dagster says who started a run, and what that is as a door.
_STARTERS = {
    "dagster/schedule_name": "schedule",
    "dagster/sensor_name": "sensor",
    "dagster/backfill": "backfill",
    "dagster/from_automation_condition": "automation",
}


def view_run(backend: Backend, run_id: str) -> RunView:
    """One run with its steps. Raises NotFound."""
    record = backend.instance.get_run_record_by_id(run_id)
    submission = submission_of(backend, run_id)
    if record is not None:
        reason = submission.reason if submission is not None else ""
        return _of_record(backend, record, whole=True, reason=reason)
    if submission is None:
        raise no_run(run_id)
    return _of_submission(backend, submission)


def list_runs(
    backend: Backend,
    *,
    pipeline: str | None = None,
    statuses: Collection[str] = (),
    limit: int = 50,
    before: str | None = None,
) -> list[RunView]:
    """The newest runs first, of one pipeline or all; ``before`` is the id of a run, and the list goes on behind it.

    Raises NotFound for a pipeline or a run that is not there, InputError for a status that is none.
    """
    limit = max(1, min(limit, _LONGEST_LIST))
    _require_statuses(statuses)
    entry = backend.catalogue.get(pipeline) if pipeline is not None else None
    job = entry.flow.job.name if entry is not None else None
    time = view_of(backend, before).created if before is not None else None
    name = entry.pipeline.name if entry is not None else None
    views = _in_dagster(backend, job, statuses, limit, before, time)
    known = {view.run_id for view in views}
    views += [one for one in _in_store(backend, name, statuses, limit, time) if one.run_id not in known]
    return sorted(views, key=lambda view: (-view.created, view.run_id))[:limit]


def view_of(backend: Backend, run_id: str) -> RunView:
    """One run as a list has it, without its steps. Raises NotFound."""
    record = backend.instance.get_run_record_by_id(run_id)
    if record is not None:
        return _of_record(backend, record)
    submission = submission_of(backend, run_id)
    if submission is None:
        raise no_run(run_id)
    return _of_submission(backend, submission)


def step_names(backend: Backend, job: str) -> StepNames:
    """The names of the steps of a job's runs."""
    try:
        entry = backend.catalogue.get(job)
    except NotFound:
        return StepNames(None)
    return StepNames(entry.pipeline if entry.flow.job.name == job else None)


def submission_of(backend: Backend, run_id: str) -> Submission | None:
    """What the store knows of a run."""
    with backend.database.begin() as connection:
        return submissions.find(connection, run_id)


def no_run(run_id: str) -> NotFound:
    """There is none of that id."""
    return NotFound(
        f"there is no run {run_id[:100]!r}", effect="Nothing was done.", remedy="flowhub runs lists the last ones."
    )


def _require_statuses(statuses: Collection[str]) -> None:
    for status in statuses:
        if status not in STATUSES:
            raise InputError(
                f"there is no status {status[:50]!r}",
                effect="Nothing was listed.",
                remedy=f"The words are {', '.join(STATUSES)}.",
            )


def _in_dagster(
    backend: Backend, job: str | None, statuses: Collection[str], limit: int, before: str | None, time: float | None
) -> list[RunView]:
    wanted = [one for one in DagsterRunStatus if one.value in statuses]
    if statuses and not wanted:
        return []
    instance = backend.instance
    cursor = before if before is not None and instance.has_run(before) else None
    earlier = datetime.fromtimestamp(time, UTC) if time is not None and cursor is None else None
    filters = RunsFilter(job_name=job, statuses=wanted or None, created_before=earlier)
    return [_of_record(backend, one) for one in instance.get_run_records(filters, limit=limit, cursor=cursor)]


def _in_store(
    backend: Backend, pipeline: str | None, statuses: Collection[str], limit: int, time: float | None
) -> list[RunView]:
    states = [one for one in _WITHOUT_RUN if not statuses or STORE_STATUSES[one] in statuses]
    with backend.database.begin() as connection:
        before = time if time is not None else float("inf")
        found = submissions.newest(connection, states, pipeline, before, limit)
    return [_of_submission(backend, one) for one in found if not backend.instance.has_run(one.run_id)]


def _of_record(backend: Backend, record: RunRecord, *, whole: bool = False, reason: str = "") -> RunView:
    run = record.dagster_run
    tags = {key: value for key, value in run.tags.items() if not key.startswith(".dagster/")}
    priority = tags.get(PRIORITY_TAG, "")
    error = ""
    if whole and run.status in (DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED):
        error = _failure(backend, run) or reason
    return RunView(
        run_id=run.run_id,
        pipeline=_pipeline_of(backend, run.job_name),
        job=run.job_name,
        status=run.status.value,
        created=record.create_timestamp.timestamp(),
        started=record.start_time,
        ended=record.end_time,
        queue=tags.get(QUEUE_TAG, ""),
        priority=int(priority) if priority.lstrip("-").isdecimal() else 0,
        door=tags.get(DOOR_TAG) or next((door for tag, door in _STARTERS.items() if tag in tags), "dagster"),
        caller=tags.get(CALLER_TAG, ""),
        tags=tags,
        steps=_steps(backend, run) if whole else (),
        error=error,
        url=backend.run_url(run.run_id),
        parent_run_id=run.parent_run_id or "",
    )


def _of_submission(backend: Backend, submission: Submission) -> RunView:
    tags = dict(submission.order.tags)
    again = submission.order.again or {}
    return RunView(
        run_id=submission.run_id,
        pipeline=submission.pipeline,
        job="",
        status=STORE_STATUSES.get(submission.state, "ACCEPTED"),
        created=submission.accepted,
        queue=tags.get(QUEUE_TAG, ""),
        priority=int(tags.get(PRIORITY_TAG, "0")),
        door=submission.door,
        caller=submission.caller,
        tags=tags,
        error=submission.reason,
        url=backend.run_url(submission.run_id),
        parent_run_id=again.get("run_id", ""),
    )


def _pipeline_of(backend: Backend, job: str) -> str:
    try:
        return backend.catalogue.get(job).pipeline.name
    except NotFound:
        return job


def _steps(backend: Backend, run: DagsterRun) -> tuple[StepView, ...]:
    names = step_names(backend, run.job_name)
    seen: dict[str, list[StepView]] = {}
    for one in backend.instance.get_run_step_stats(run.run_id):
        status = one.status.value if one.status is not None else "WAITING"
        view = StepView(names.name(one.step_key), status, one.attempts or 1, one.start_time, one.end_time)
        seen.setdefault(view.step, []).append(view)
    planned = [key for key in run.step_keys_to_execute or () if not key.endswith("[?]")]
    ordered = names.in_order([*planned, *seen])
    return tuple(_together(name, seen.get(name, [])) for name in ordered)


def _together(name: str, parts: list[StepView]) -> StepView:
    """Several steps of Dagster that are one to their users, as a loop's list and its end."""
    if not parts:
        return StepView(name, "WAITING")
    if len(parts) == 1:
        return parts[0]
    statuses = [part.status for part in parts]
    status = next((one for one in ("FAILURE", "IN_PROGRESS", "SUCCESS") if one in statuses), statuses[0])
    started = [part.started for part in parts if part.started is not None]
    ended = [part.ended for part in parts if part.ended is not None]
    whole = len(ended) == len(parts)
    return StepView(
        name,
        status,
        max(part.attempt for part in parts),
        min(started, default=None),
        max(ended) if whole else None,
    )


def _failure(backend: Backend, run: DagsterRun) -> str:
    """The first step's failure, else what the run's end says."""
    names = step_names(backend, run.job_name)
    for step_key, told in failed_steps(backend.instance, run).items():
        kind = f"{told['error_type']}: " if told.get("error_type") else ""
        return f"{names.name(step_key)}: {kind}{told.get('error', '')}"
    return str(run.tags.get("dagster/failure_reason", ""))
