"""Task outputs between Dagster's steps: the JSON documents of runtime/values.py, behind Dagster's IO manager."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import Any
from urllib.parse import unquote

from dagster import (
    Failure,
    InitResourceContext,
    InputContext,
    IOManager,
    IOManagerDefinition,
    MetadataValue,
    OutputContext,
    build_output_context,
)
from typing_extensions import override

from flowhub_assets.errors import FlowhubError, ValueMissing
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime.matrix import file_name
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values, encode_value
from flowhub_assets.to_dagster.failures import as_failure

#: The metadata entry that says where a value is.
SAVED_AS = "saved as"


def values_key(pipeline: Pipeline) -> str:
    """The resource key of a flow's IO manager. Each flow has one, for its own profiles say where values are kept."""
    return f"{dagster_name(pipeline.name)}_values"


def values_io_manager(pipeline: Pipeline) -> IOManagerDefinition:
    """The IO manager that keeps the flow's values in the storage of the run's profile."""

    def create(context: InitResourceContext) -> ValueIO:
        resources = context.resources
        # Asked for by each step: an error here would end the run before any step could tell it in its own words.
        return ValueIO(pipeline, lambda: resources.storage.over(resources.profile.of(pipeline)))

    return IOManagerDefinition(
        create,
        required_resource_keys={"profile", "storage"},
        description=f"The values of the flow {pipeline.name}: JSON documents, per run and the latest.",
    )


class ValueIO(IOManager):
    """Saves a task's output for its run and as the latest; an input comes from the run that made it.

    Dagster says which run that is: this one, the one that a re-execution goes on with, or, for an asset
    that is materialised alone, none: then the latest is taken.
    """

    def __init__(self, pipeline: Pipeline, profile: Callable[[], dict[str, Any]]) -> None:
        self._pipeline = pipeline
        self._profile = profile
        self._task_names = {dagster_name(task.name): task.name for task in pipeline.tasks}

    @override
    def handle_output(self, context: OutputContext, obj: dict[str, Any]) -> None:
        task = self._task_names[context.asset_key.path[-1]]
        try:
            values, document = self._values(), encode_value(obj, task)
            url = values.write(context.run_id, task, document, latest=True)
            if context.has_asset_partitions:
                values.write(self._of_partition(context.asset_partition_key), task, document, latest=False)
        except FlowhubError as error:
            raise as_failure(error) from None
        context.add_output_metadata({SAVED_AS: link_to(url)})

    @override
    def load_input(self, context: InputContext) -> dict[str, Any]:
        task = self._task_names[context.asset_key.path[-1]]
        run_id = _producing_run(context)
        try:
            values = self._values()
            if run_id:
                return values.load(run_id, task)
            if context.has_asset_partitions:
                return values.load(self._of_partition(context.asset_partition_key), task)
            return values.load_latest(task)
        except ValueMissing as error:
            raise _missing(error, task, context) from None
        except FlowhubError as error:
            raise as_failure(error) from None

    def _values(self) -> Values:
        return Values(get_storage(self._profile()), self._pipeline.name)

    def _of_partition(self, key: str) -> str:
        """What stands for a run's id where the last value of a partition is kept."""
        partitions = self._pipeline.partitions
        by_keys = partitions is not None and partitions.dimensions
        return f"partition-{file_name(key) if by_keys else key.replace(':', '')}"


def _producing_run(context: InputContext) -> str | None:
    run_id = context.upstream_output.run_id if context.upstream_output else _no_run()
    return None if run_id == _no_run() else run_id


@cache
def _no_run() -> str:
    """The run id that Dagster gives an upstream asset which is no part of the run: that of a context without one."""
    return build_output_context().run_id


def _missing(error: ValueMissing, task: str, context: InputContext) -> Failure:
    asset = context.asset_key.to_user_string()
    return as_failure(
        ValueMissing(
            f"the saved output of {task!r} (asset {asset}) is missing",
            where=error.where,
            effect=f"Step {context.op_def.name} has no args and was not run.",
            remedy=f"Materialise {asset} first, in the same profile.",
        )
    )


def link_to(url: str) -> MetadataValue[Any]:
    """The metadata entry that leads to a saved value."""
    # Dagster shows a path with a button to copy it; a browser opens neither file:// nor s3:// from a page.
    return MetadataValue.path(unquote(url.removeprefix("file://")) if url.startswith("file://") else url)
