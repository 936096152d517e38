"""A pipeline's partitions in Dagster: their definition, and what the run of one tells its tasks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from dagster import (
    DagsterRun,
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)

from flowhub_assets.errors import InputError, ParamsRefused
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime.partitions import PARTITION, last_ended, window_of

#: The tag of a run in which Dagster keeps its partition.
PARTITION_TAG = "dagster/partition"
#: The same for the job of on_failure, which has no partitions of its own.
OF_PARTITION_TAG = "flowhub/partition"

_KINDS: dict[str, Callable[..., TimeWindowPartitionsDefinition]] = {
    "hourly": HourlyPartitionsDefinition,
    "daily": DailyPartitionsDefinition,
    "weekly": WeeklyPartitionsDefinition,
    "monthly": MonthlyPartitionsDefinition,
}


def partitions_definition(pipeline: Pipeline) -> TimeWindowPartitionsDefinition | None:
    """Dagster's definition of the pipeline's partitions, None if it has none."""
    asked = pipeline.partitions
    if asked is None:
        return None
    # The start has no zone: it is that of the partitions.
    return _KINDS[asked.every](start_date=datetime.fromisoformat(asked.start), timezone=asked.timezone)


def last_ended_key(pipeline: Pipeline, now: datetime) -> str | None:
    """The key of the partition that has ended last; None if none has, or the pipeline has no partitions."""
    window = last_ended(pipeline.partitions, now) if pipeline.partitions is not None else None
    return window["key"] if window is not None else None


def partition_tags(pipeline: Pipeline, named: str | None, now: float) -> dict[str, str]:
    """The tag of a run that a door starts about the partition ``named``, the one that ended last where None.

    Raises ParamsRefused for a key that is none, for one of a pipeline without partitions, and where none has ended.
    """
    if pipeline.partitions is None:
        if named is None:
            return {}
        raise _refused(pipeline, "the pipeline has no partitions", "Leave the partition out.")
    key = last_ended_key(pipeline, datetime.fromtimestamp(now, UTC)) if named is None else named
    if key is None:
        remedy = f"Wait, or name one: the first begins at {pipeline.partitions.start}."
        raise _refused(pipeline, "no partition has ended yet", remedy)
    try:
        window_of(pipeline.partitions, key)
    except InputError as error:
        raise _refused(pipeline, error.what, error.remedy) from None
    return {PARTITION_TAG: key}


def _refused(pipeline: Pipeline, what: str, remedy: str) -> ParamsRefused:
    fields = (("partition", what, remedy),)
    return ParamsRefused(what, where=pipeline.name, effect="Nothing was started.", remedy=remedy, fields=fields)


def partition_values(pipeline: Pipeline, run: DagsterRun | None) -> dict[str, Any]:
    """What a run adds to the profile: its partition's key, start and end, under one name.

    Nothing where the pipeline has no partitions. Raises InputError for a run that is about none.
    """
    definition = partitions_definition(pipeline)
    if definition is None:
        return {}
    tags: Mapping[str, str] = run.tags if run is not None else {}
    key = tags.get(PARTITION_TAG) or tags.get(OF_PARTITION_TAG)
    if key is None:
        raise InputError(
            "the run is about no partition",
            where=pipeline.source,
            effect=f"Nothing says which span of time {pipeline.name!r} is to take.",
            remedy="Choose a partition in the launchpad, or materialise with one.",
        )
    window = definition.time_window_for_partition_key(key)
    return {PARTITION: {"key": key, "start": window.start.isoformat(), "end": window.end.isoformat()}}
