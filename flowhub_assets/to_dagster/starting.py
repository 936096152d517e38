"""What a tick of a schedule or a sensor starts: a run, of the partition that has just ended or of each cell, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from dagster import RunRequest, ScheduleEvaluationContext, SensorEvaluationContext, SkipReason

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime.matrix import cells
from flowhub_assets.runtime.partitions import last_ended

#: The tag of a run that says which dedupe key it holds.
DEDUPE_TAG = "flowhub/dedupe"


def start(
    pipeline: Pipeline,
    context: SensorEvaluationContext | ScheduleEvaluationContext,
    by: str,
    moment: datetime,
    request: RunRequest | None = None,
    *,
    partition_once: bool = False,
    clock: Callable[[], float] = time.time,
) -> RunRequest | list[RunRequest] | SkipReason:
    """What the tick of the schedule or sensor ``by`` at ``moment`` gives; ``request`` is the run that it is to start.

    The run of a pipeline with partitions by time is about the one that has ended last; with ``partition_once``, ``by``
    starts each one once. Of one whose partitions are keys each gets a run: then it is a list. Raises InputError for a
    dedupe key that cannot be made, Unavailable where the database is away.
    """
    request = RunRequest() if request is None else request
    partitions = pipeline.partitions
    if partitions is None:
        return _once(pipeline, context, by, moment, request, None, clock)
    if partitions.dimensions:
        ticked = moment.isoformat() if partition_once else request.run_key
        of = [(_of_cell(request, ticked, cell["key"]), cell) for cell in cells(partitions)]
        runs, why_not = _each_once(
            pipeline, [_once(pipeline, context, by, moment, one, cell, clock) for one, cell in of]
        )
        return runs or SkipReason(why_not)
    window = last_ended(partitions, moment)
    if window is None:
        return SkipReason(f"no partition has ended yet: the first begins at {partitions.start} or later")
    run_key = window["key"] if partition_once else request.run_key
    request = request.with_replaced_attrs(partition_key=window["key"], run_key=run_key)
    return _once(pipeline, context, by, moment, request, window, clock)


def _of_cell(request: RunRequest, ticked: str | None, key: str) -> RunRequest:
    # A tick that is done again, for the daemon died in it, starts those that it had not started yet.
    return request.with_replaced_attrs(partition_key=key, run_key=f"{ticked}/{key}" if ticked else None)


def _once(
    pipeline: Pipeline,
    context: SensorEvaluationContext | ScheduleEvaluationContext,
    by: str,
    moment: datetime,
    request: RunRequest,
    partition: Mapping[str, str] | None,
    clock: Callable[[], float],
) -> RunRequest | SkipReason:
    """The run if nobody holds its dedupe key."""
    if pipeline.dedupe is None:
        return request
    # Templates and the database are for those who ask for them: whoever lists definitions does without.
    from flowhub_assets.to_dagster.dedupe import claim, key_of

    key = key_of(pipeline, pipeline.dedupe, moment, partition)
    reason = claim(pipeline, pipeline.dedupe, key, context.instance, by, clock())
    if reason:
        return SkipReason(reason)
    # A run that Dagster counts as started before, by its run key, would be none: what is claimed is to be started.
    return request.with_replaced_attrs(tags={**request.tags, DEDUPE_TAG: key})


def start_each(
    pipeline: Pipeline, context: SensorEvaluationContext, by: str, moment: datetime, requests: Sequence[RunRequest]
) -> tuple[list[RunRequest], str]:
    """What one tick gives that is to start several runs: those that it starts, and why it starts no other.

    Raises what ``start`` raises.
    """
    found: list[RunRequest | SkipReason] = []
    for request in requests:
        started = start(pipeline, context, by, moment, request)
        found += started if isinstance(started, list) else [started]
    return _each_once(pipeline, found)


def _each_once(pipeline: Pipeline, found: Sequence[RunRequest | SkipReason]) -> tuple[list[RunRequest], str]:
    runs = [one for one in found if isinstance(one, RunRequest)]
    if pipeline.dedupe is not None:
        # A key that this very tick has claimed has no run yet by which it would be known.
        first = {one.tags[DEDUPE_TAG]: one for one in reversed(runs)}
        runs = list(reversed(first.values()))
    reasons = dict.fromkeys(str(one.skip_message) for one in found if isinstance(one, SkipReason))
    return runs, "; ".join(reasons)
