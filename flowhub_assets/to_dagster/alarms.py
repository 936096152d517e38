"""What is wrong, as Dagster's own storage tells it: failed and late runs, stale pipelines, checks, ticks, daemons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from dagster import AssetCheckKey, DagsterInstance, DagsterRunStatus, RunRecord, RunsFilter

from flowhub_assets.executor.dagster_instigators import failing_instigators
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.to_dagster.assets import asset_key
from flowhub_assets.to_dagster.failure_sensor import failed_steps

#: Seconds after which a daemon that has not been heard of counts as stopped; it tells of itself every 30.
SILENCE = 300.0

#: The tag of a run that took longer than its pipeline's deadline.
LATE_TAG = "flowhub/deadline_missed"

_MOST_RUNS = 200
#: Of one check, how far back it is looked when it last held.
_MOST_CHECKS = 500
_LONGEST_TOLD = 500
_GOES_ON = [DagsterRunStatus.STARTING, DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING]
_OVER = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]


@dataclass(frozen=True)
class Cause:
    """Something that is wrong. ``key`` is the same as long as it is the same thing; ``pipeline`` is "" for the engine.

    ``event`` is one of resources.alerts.EVENTS.
    """

    event: str
    key: str
    pipeline: str
    title: str
    text: str


def failures(
    instance: DagsterInstance, pipelines: Mapping[str, Pipeline], since: float, ui: str = ""
) -> tuple[list[Cause], float]:
    """The runs that have failed since that moment, and the moment from which to look the next time.

    A run that Dagster starts again by itself has not failed yet; one that somebody runs again, and that fails again,
    is the same cause.
    """
    filters = RunsFilter(statuses=[DagsterRunStatus.FAILURE], updated_after=datetime.fromtimestamp(since, UTC))
    records = instance.get_run_records(filters, limit=_MOST_RUNS, order_by="update_timestamp", ascending=True)
    causes = []
    for record in records:
        run = record.dagster_run
        if run.tags.get("dagster/will_retry") == "true":
            continue
        name = _name(pipelines, run.job_name)
        steps = failed_steps(instance, run)
        told = next((f"{step}: {one.get('error', '')}" for step, one in steps.items()), "no step has failed")
        text = f"{told[:_LONGEST_TOLD]}\n{_where(run.run_id, ui)}"
        root = run.root_run_id or run.run_id
        causes.append(Cause("failure", f"failure/{root}", name, f"{name}: a run has failed", text))
    if len(records) == _MOST_RUNS:
        since = records[-1].update_timestamp.timestamp()
    return causes, since


def missed_deadlines(
    instance: DagsterInstance, pipelines: Mapping[str, Pipeline], now: float, since: float, ui: str = ""
) -> Iterator[Cause]:
    """The runs that take, or since that moment have taken, longer than their pipeline allows."""
    for job, pipeline in pipelines.items():
        if pipeline.deadline is None:
            continue
        over = RunsFilter(job_name=job, statuses=_OVER, updated_after=datetime.fromtimestamp(since, UTC))
        going_on = RunsFilter(job_name=job, statuses=_GOES_ON)
        for filters in (going_on, over):
            for record in instance.get_run_records(filters, limit=_MOST_RUNS):
                if (cause := _lateness(record, pipeline, now, ui)) is not None:
                    yield cause


def _lateness(record: RunRecord, pipeline: Pipeline, now: float, ui: str) -> Cause | None:
    assert pipeline.deadline is not None
    run = record.dagster_run
    took = (record.end_time or now) - record.start_time if record.start_time else 0.0
    if took <= pipeline.deadline:
        return None
    took_told = f"{'took' if record.end_time else 'goes on for'} {duration(took)}"
    text = f"It {took_told}; its deadline is {duration(pipeline.deadline)}.\n{_where(run.run_id, ui)}"
    title = f"{pipeline.name}: a run takes too long"
    return Cause("deadline", f"deadline/{run.run_id}", pipeline.name, title, text)


def stale_pipelines(
    instance: DagsterInstance, pipelines: Mapping[str, Pipeline], now: float, watched_since: Mapping[str, float]
) -> Iterator[Cause]:
    """The pipelines whose last success is too long ago; without any, their time began when they were first seen."""
    for job, pipeline in pipelines.items():
        if pipeline.freshness is None:
            continue
        filters = RunsFilter(job_name=job, statuses=[DagsterRunStatus.SUCCESS])
        records = instance.get_run_records(filters, limit=1, order_by="update_timestamp")
        last = records[0].end_time if records else None
        began = last if last is not None else watched_since.get(job, now)
        if now - began <= pipeline.freshness:
            continue
        told = f"Its last success is {duration(now - began)} ago" if last is not None else "It has never succeeded"
        text = f"{told}; it should succeed every {duration(pipeline.freshness)}."
        of = records[0].dagster_run.run_id if records else "never"
        yield Cause("freshness", f"freshness/{job}/{of}", pipeline.name, f"{pipeline.name} is out of date", text)


def failing_ticks(instance: DagsterInstance, pipelines: Mapping[str, Pipeline], in_a_row: int = 3) -> Iterator[Cause]:
    """The schedules and sensors that are on, and whose last ticks have all failed."""
    for one in failing_instigators(instance, in_a_row):
        name = _owner(pipelines, one.name)
        text = f"Its last {in_a_row} ticks have failed: {one.error[:_LONGEST_TOLD]}"
        key = f"ticks/{one.name}/{one.last_good:.3f}"
        yield Cause("ticks", key, name, f"the {one.kind} {one.name} fails", text)


def failing_checks(instance: DagsterInstance, pipelines: Mapping[str, Pipeline], ui: str = "") -> Iterator[Cause]:
    """The tasks' checks that did not hold the last time; since they last held, that is one cause.

    A check that blocks is left out: its run has failed, and that is told.
    """
    checks = {
        AssetCheckKey(asset_key(pipeline, task.name), check.name): pipeline
        for pipeline in pipelines.values()
        for task in pipeline.tasks
        for check in task.checks
        if check.level != "blocking"
    }
    latest = instance.event_log_storage.get_latest_asset_check_execution_by_key(list(checks)) if checks else {}
    for key, record in latest.items():
        if record.status.value != "FAILED":
            continue
        history = instance.event_log_storage.get_asset_check_execution_history(key, limit=_MOST_CHECKS)
        held = next((one.id for one in history if one.status.value == "SUCCEEDED"), "never")
        told = (record.evaluation and record.evaluation.description) or "It does not say why."
        asset = key.asset_key.to_user_string()
        title = f"{checks[key].name}: the check {key.name} of {asset} does not hold"
        text = f"{told[:_LONGEST_TOLD]}\n{_where(record.run_id, ui)}"
        yield Cause("check", f"check/{asset}/{key.name}/{held}", checks[key].name, title, text)


def stopped_daemons(instance: DagsterInstance, now: float, silence: float = SILENCE) -> Iterator[Cause]:
    """The daemons that were there and have not been heard of for a while."""
    needed = set(instance.get_required_daemon_types())
    for kind, heartbeat in sorted(instance.get_daemon_heartbeats().items()):
        quiet = now - heartbeat.timestamp
        if kind in needed and quiet > silence:
            text = f"It was last heard of {duration(quiet)} ago. What it does is not done: is dagster-daemon running?"
            key = f"daemon/{kind}/{heartbeat.timestamp:.0f}"
            yield Cause("daemon", key, "", f"Dagster's daemon {kind} has stopped", text)


def mark_late(instance: DagsterInstance, causes: Iterable[Cause]) -> None:
    """Puts a tag on the runs that miss their deadline: they can be found by it in the UI."""
    for cause in causes:
        if cause.event == "deadline":
            run_id = cause.key.partition("/")[2]
            run = instance.get_run_by_id(run_id)
            if run is not None and LATE_TAG not in run.tags:
                instance.add_run_tags(run_id, {LATE_TAG: "true"})


def duration(seconds: float) -> str:
    """A time as people say it, of its two largest units: 1 h 30 min."""
    parts: list[str] = []
    rest = round(seconds) if seconds >= 1 else round(seconds, 3)
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min"), (1, "s")):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count:g} {unit}")
    return " ".join(parts[:2]) or f"{seconds:g} s"


def _name(pipelines: Mapping[str, Pipeline], job: str) -> str:
    return pipelines[job].name if job in pipelines else job


def _owner(pipelines: Mapping[str, Pipeline], instigator: str) -> str:
    """The pipeline whose schedule or sensor that is; "" for one of nobody's."""
    jobs: list[Any] = [job for job in pipelines if instigator.startswith(f"{job}_")]
    return pipelines[max(jobs, key=len)].name if jobs else ""


def _where(run_id: str, ui: str) -> str:
    return f"{ui}/runs/{run_id}" if ui else f"run {run_id}"
