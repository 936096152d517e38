"""A flow → one asset for each task: key [flow, task], group = flow."""

from __future__ import annotations

from collections.abc import Mapping

from dagster import AssetKey, AssetsDefinition, AssetSpec, ResourceDefinition

from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Task
from flowhub_assets.names import dagster_name, tag_key
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.automation import automated, outside_of
from flowhub_assets.to_dagster.checked import check_specs
from flowhub_assets.to_dagster.metadata import definition_metadata
from flowhub_assets.to_dagster.ops import task_op
from flowhub_assets.to_dagster.params import params_key, params_resource
from flowhub_assets.to_dagster.partitions import partitions_definition
from flowhub_assets.to_dagster.tags import deployed_placement
from flowhub_assets.to_dagster.value_io import values_io_manager, values_key


def asset_key(pipeline: Pipeline, task: str) -> AssetKey:
    """The key of a task's asset."""
    return AssetKey([dagster_name(pipeline.name), dagster_name(task)])


def flow_resources(pipeline: Pipeline) -> dict[str, ResourceDefinition]:
    """The flow's own resources: its params and the IO manager of its values."""
    return {params_key(pipeline): params_resource(pipeline), values_key(pipeline): values_io_manager(pipeline)}


def flow_assets(runnable: Runnable, resources: Mapping[str, ResourceDefinition]) -> list[AssetsDefinition]:
    """One AssetsDefinition for each task, in the pipeline's order, with the flow's own ``resources``."""
    return [_task_asset(runnable, task, resources) for task in runnable.pipeline.tasks]


def _task_asset(runnable: Runnable, task: Task, resources: Mapping[str, ResourceDefinition]) -> AssetsDefinition:
    pipeline = runnable.pipeline
    key = asset_key(pipeline, task.name)
    upstream = {dagster_name(name): asset_key(pipeline, name) for name in task.needs if name != FLOW_INPUT}
    # Without an input of the op, Dagster would not wait for what it makes in the same run.
    outside = {f"outside_{at}": one for at, one in enumerate(outside_of(pipeline, task, is_first=not upstream))}
    spec = AssetSpec(
        key,
        deps=list(upstream.values()),
        description=_description(task),
        group_name=dagster_name(pipeline.name),
        owners=list(pipeline.owners),
        tags={tag_key(tag): "" for tag in pipeline.tags},
        kinds=_kinds(pipeline, task),
        metadata=definition_metadata(pipeline, task),
        partitions_def=partitions_definition(pipeline),
    )
    return AssetsDefinition(
        node_def=task_op(runnable, task, key, after=tuple(outside)),
        keys_by_input_name={**upstream, **outside},
        keys_by_output_name={"result": key},
        specs=[automated(pipeline, task, spec)],
        check_specs_by_output_name=check_specs(task, key),
        resource_defs=resources,
    )


def _description(task: Task) -> str | None:
    """The docstring; before it the task's own name, where Dagster cannot show it (Korean, say)."""
    name = "" if task.name.isascii() else f"**{task.name}**"
    return "\n\n".join(part for part in (name, task.description) if part) or None


def _kinds(pipeline: Pipeline, task: Task) -> set[str]:
    placement = deployed_placement(pipeline, task)
    asked = {"kubernetes": placement.image, "gpu": placement.gpu}
    return {*(task.kinds or ("python",)), *(kind for kind, wanted in asked.items() if wanted)}
