"""Runs that wait in Dagster's queue: which of them goes up because it has waited, and which one is dropped.

Dagster starts the waiting run with the highest ``dagster/priority`` first, the oldest of equals. With nothing more, a
run of a low priority would never start while more urgent ones keep coming. Here a run goes up to the next priority in
use each time it has waited for ``patience`` seconds. At the highest it goes before all that came after it, so that
it starts after (priorities above its own) x patience and the runs that were there before; and no urgent run is ever
overtaken by one that came less than patience before it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping, Sequence

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, RunRecord, RunsFilter

from flowhub_assets.resources.queues import LATEST_TAG, PRIORITY_TAG

#: The priority that a run had before it waited, on runs that went up.
RAISED_TAG = "flowhub/raised_from"
#: On a dropped run: the run that came in its place.
SUPERSEDED_TAG = "flowhub/superseded_by"

#: Runs that hold a place: as Dagster's queue counts them.
ACTIVE = (
    DagsterRunStatus.STARTING,
    DagsterRunStatus.STARTED,
    DagsterRunStatus.CANCELING,
)
#: Runs that go up in one look, so that it ends soon.
_AT_ONCE = 100


def priority_of(tags: Mapping[str, str]) -> int:
    """By which the queue sorts: 0 where it is not said, or is no number."""
    return _number(tags.get(PRIORITY_TAG, "0"))


def own_priority(tags: Mapping[str, str]) -> int:
    """What it was before the run has waited."""
    return _number(tags[RAISED_TAG]) if RAISED_TAG in tags else priority_of(tags)


def _number(text: str) -> int:
    try:
        return int(text)
    except ValueError:
        return 0


def raised(own: int, waited: float, priorities: Sequence[int], patience: float) -> int:
    """The priority of a run that has ``waited`` seconds; ``priorities`` are those in use, ascending, with its own."""
    if patience <= 0 or waited < patience:
        return own
    place = bisect_left(priorities, own) + int(waited // patience)
    return max(own, priorities[min(place, len(priorities) - 1)])


def queued(instance: DagsterInstance) -> Sequence[RunRecord]:
    """The runs that wait, the oldest first."""
    return instance.get_run_records(RunsFilter(statuses=[DagsterRunStatus.QUEUED]), ascending=True)


def raise_waiting(instance: DagsterInstance, records: Sequence[RunRecord], patience: float, now: float) -> list[str]:
    """Lets those of ``records`` go up that have waited for ``patience`` seconds; says which, the oldest first."""
    going = instance.get_runs(RunsFilter(statuses=[*ACTIVE])) if records else []
    tags = [*(record.dagster_run.tags for record in records), *(run.tags for run in going)]
    priorities = sorted({own_priority(one) for one in tags})
    told = []
    for record in records:
        run = record.dagster_run
        own, waited = own_priority(run.tags), now - record.create_timestamp.timestamp()
        wanted = raised(own, waited, priorities, patience)
        # A run that is taken up again has the tags of the one before it: it goes down to where it belongs.
        if wanted != priority_of(run.tags) and _move(instance, run, own, wanted, waited):
            told.append(f"{run.run_id}: priority {priority_of(run.tags)} → {wanted}, after {waited:.0f} s")
        if len(told) == _AT_ONCE:
            break
    return told


def _move(instance: DagsterInstance, run: DagsterRun, own: int, wanted: int, waited: float) -> bool:
    # Dagster writes a run's tags as a whole: one that starts meanwhile is left alone.
    if not _waits(instance, run.run_id):
        return False
    instance.add_run_tags(run.run_id, {PRIORITY_TAG: str(wanted), RAISED_TAG: str(own)})
    message = f"It has waited for {waited:.0f} s: its priority goes from {priority_of(run.tags)} to {wanted}."
    instance.report_engine_event(message, run)
    return True


def keep_latest(instance: DagsterInstance, records: Sequence[RunRecord]) -> list[str]:
    """Of the ``records`` of a job with the same ``flowhub/latest_of``, drops all but the newest; says which."""
    latest: dict[tuple[str, str], str] = {}
    told = []
    for run in (record.dagster_run for record in reversed(records)):
        if LATEST_TAG not in run.tags:
            continue
        newer = latest.setdefault((run.job_name, run.tags[LATEST_TAG]), run.run_id)
        if newer != run.run_id and drop_waiting(instance, run.run_id, newer):
            told.append(f"{run.run_id}: dropped, run {newer} came later")
    return told


def drop_waiting(instance: DagsterInstance, run_id: str, newer: str) -> bool:
    """Cancels a run that waits in Dagster's queue, as run ``newer`` comes in its place; False if it does not wait.

    The daemon may start it at this very moment. If it was first, the run goes on and False is the answer; if the run
    is CANCELED before its worker has begun, the worker does nothing.
    """
    if not _waits(instance, run_id):
        return False
    instance.add_run_tags(run_id, {SUPERSEDED_TAG: newer})
    run = instance.get_run_by_id(run_id)
    if run is None or not _may_be_dropped(run):
        return False
    instance.report_run_canceled(
        run, message=f"Run {newer} came later and takes its place: of this key, the latest wins."
    )
    after = instance.get_run_by_id(run_id)
    return after is not None and after.status is DagsterRunStatus.CANCELED


def _waits(instance: DagsterInstance, run_id: str) -> bool:
    run = instance.get_run_by_id(run_id)
    return run is not None and _may_be_dropped(run)


def _may_be_dropped(run: DagsterRun) -> bool:
    # NOT_STARTED: made, and about to be queued.
    return run.status in (DagsterRunStatus.QUEUED, DagsterRunStatus.NOT_STARTED)
