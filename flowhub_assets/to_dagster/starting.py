"""What a tick of a schedule or a sensor starts: a run, of the partition that has just ended, once for each key."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from datetime import datetime

from dagster import RunRequest, ScheduleEvaluationContext, SensorEvaluationContext, SkipReason

from flowhub_assets.ir.pipeline import Pipeline
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
) -> RunRequest | SkipReason:
    """What the tick of the schedule or sensor ``by`` at ``moment`` gives; ``request`` is the run that it is to start.

    The run of a pipeline with partitions is about the one that has ended last; with ``partition_once``, ``by`` starts
    each one once. Raises InputError for a dedupe key that cannot be made, Unavailable where the database is away.
    """
    request = RunRequest() if request is None else request
    partition = None
    if pipeline.partitions is not None:
        partition = last_ended(pipeline.partitions, moment)
        if partition is None:
            return SkipReason(f"no partition has ended yet: the first begins at {pipeline.partitions.start} or later")
        run_key = partition["key"] if partition_once else request.run_key
        request = request.with_replaced_attrs(partition_key=partition["key"], run_key=run_key)
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
    started = [start(pipeline, context, by, moment, request) for request in requests]
    runs = [one for one in started if isinstance(one, RunRequest)]
    if pipeline.dedupe is not None:
        # A key that this very tick has claimed has no run yet by which start() would know it.
        first = {one.tags[DEDUPE_TAG]: one for one in reversed(runs)}
        runs = list(reversed(first.values()))
    reasons = dict.fromkeys(str(one.skip_message) for one in started if isinstance(one, SkipReason))
    return runs, "; ".join(reasons)
