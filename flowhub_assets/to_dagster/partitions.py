"""A pipeline's partitions in Dagster: their definition, and what the run of one tells its tasks."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

from dagster import (
    DagsterRun,
    DailyPartitionsDefinition,
    HourlyPartitionsDefinition,
    MonthlyPartitionsDefinition,
    MultiPartitionsDefinition,
    PartitionsDefinition,
    StaticPartitionsDefinition,
    TimeWindowPartitionsDefinition,
    WeeklyPartitionsDefinition,
)

from flowhub_assets.errors import InputError, ParamsRefused
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.triggers import Partitions
from flowhub_assets.runtime.matrix import is_pattern, matching, none_named
from flowhub_assets.runtime.partitions import PARTITION, last_ended, window_of

# Dagster complains of the two slashes in its own tags, dagster/partition/model.
warnings.filterwarnings(
    "ignore", message=r"Non-compliant tag keys like \['dagster/partition/", category=DeprecationWarning
)

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


def partitions_definition(pipeline: Pipeline) -> PartitionsDefinition[str] | None:
    """Dagster's definition of the pipeline's partitions, None if it has none."""
    asked = pipeline.partitions
    if asked is None:
        return None
    if asked.dimensions:
        by_name: dict[str, PartitionsDefinition[str]] = {
            dimension.name: StaticPartitionsDefinition(list(dimension.keys)) for dimension in asked.dimensions
        }
        # Dagster's has two dimensions; with one key each is itself a partition.
        return MultiPartitionsDefinition(by_name) if len(by_name) > 1 else next(iter(by_name.values()))
    # The start has no zone: it is that of the partitions.
    return _KINDS[asked.every](start_date=datetime.fromisoformat(asked.start), timezone=asked.timezone)


def last_ended_key(pipeline: Pipeline, now: datetime) -> str | None:
    """The key of the partition that has ended last; None if none has, or the pipeline has no partitions by time."""
    window = last_ended(pipeline.partitions, now) if pipeline.partitions is not None else None
    return window["key"] if window is not None else None


def partition_tags(pipeline: Pipeline, named: str | None, now: float) -> dict[str, str]:
    """The tags of a run that a door starts about the partition ``named``, the one that ended last where None.

    Those of a cell name the key of each dimension, too: without them Dagster's pages do not show it as made. Raises
    ParamsRefused for a key that is none, for one of a pipeline without partitions, and where there is no last one.
    """
    asked, definition = pipeline.partitions, partitions_definition(pipeline)
    if asked is None or definition is None:
        if named is None:
            return {}
        raise _refused(pipeline, "the pipeline has no partitions", "Leave the partition out.")
    key = last_ended_key(pipeline, datetime.fromtimestamp(now, UTC)) if named is None else named
    try:
        if key is None and asked.dimensions:
            raise none_named(asked)
        if key is None:
            remedy = f"Wait, or name one: the first begins at {asked.start}."
            raise _refused(pipeline, "no partition has ended yet", remedy)
        window_of(asked, key)
    except InputError as error:
        raise _refused(pipeline, error.what, error.remedy) from None
    return dict(definition.get_tags_for_partition_key(key))


def keys_of_pattern(pipeline: Pipeline, text: str | None) -> list[str]:
    """The partitions that a pattern means, as ``iris|*`` does; [] for what is none, such as one partition's own key.

    Raises ParamsRefused for a pattern that means nothing.
    """
    asked = pipeline.partitions
    if asked is None or text is None or not is_pattern(asked, text):
        return []
    try:
        return [cell["key"] for cell in matching(asked, text)]
    except InputError as error:
        raise _refused(pipeline, error.what, error.remedy) from None


def _refused(pipeline: Pipeline, what: str, remedy: str) -> ParamsRefused:
    fields = (("partition", what, remedy),)
    return ParamsRefused(what, where=pipeline.name, effect="Nothing was started.", remedy=remedy, fields=fields)


def partition_values(pipeline: Pipeline, run: DagsterRun | None) -> dict[str, Any]:
    """What a run adds to the profile: its partition's key, start and end, or its cell, under one name.

    Nothing where the pipeline has no partitions. Raises InputError for a run that is about none.
    """
    if pipeline.partitions is None:
        return {}
    tags: Mapping[str, str] = run.tags if run is not None else {}
    key = tags.get(PARTITION_TAG) or tags.get(OF_PARTITION_TAG)
    if key is None:
        raise InputError(
            "the run is about no partition",
            where=pipeline.source,
            effect=f"Nothing says which {_word(pipeline.partitions)} {pipeline.name!r} is to take.",
            remedy="Choose a partition in the launchpad, or materialise with one.",
        )
    return {PARTITION: window_of(pipeline.partitions, key)}


def _word(partitions: Partitions) -> str:
    return " and ".join(dimension.name for dimension in partitions.dimensions) or "span of time"
