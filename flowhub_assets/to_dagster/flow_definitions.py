"""A flow → all that Dagster gets of it: assets, their job, the job of on_failure, what starts it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetChecksDefinition,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    Definitions,
    ExecutorDefinition,
    GraphDefinition,
    JobDefinition,
    ScheduleDefinition,
    SensorDefinition,
    define_asset_job,
)

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.assets import asset_key, flow_assets, flow_resources
from flowhub_assets.to_dagster.graph_definitions import asset_keys, graph_definitions
from flowhub_assets.to_dagster.graphs import is_graph
from flowhub_assets.to_dagster.metadata import job_metadata
from flowhub_assets.to_dagster.model_alias import alias_sensors
from flowhub_assets.to_dagster.object_arrival import object_sensors
from flowhub_assets.to_dagster.ops import failure_op
from flowhub_assets.to_dagster.run_tags import run_tags
from flowhub_assets.to_dagster.run_triggers import run_sensors
from flowhub_assets.to_dagster.triggers import asset_sensors, interval_sensors, schedules_for

_ON_FAILURE = "__on_failure"


@dataclass(frozen=True)
class FlowDefinitions:
    """What Dagster shows of one flow."""

    pipeline: Pipeline
    assets: tuple[AssetsDefinition, ...]
    checks: tuple[AssetChecksDefinition, ...]
    job: JobDefinition
    failure_job: JobDefinition | None
    schedules: tuple[ScheduleDefinition, ...]
    sensors: tuple[SensorDefinition, ...]


def job_name(pipeline: Pipeline) -> str:
    """The name of a flow's job."""
    return dagster_name(pipeline.name)


def failure_job_name(job: str) -> str:
    """The name of the job that calls on_failure for a flow whose job is ``job``."""
    return f"{job}{_ON_FAILURE}"


def flow_of_job(name: str) -> str:
    """The flow's own job of a job's name, for that of its on_failure too."""
    return name.removesuffix(_ON_FAILURE)


def flow_asset_keys(pipeline: Pipeline) -> Collection[AssetKey]:
    """The keys of a flow's assets."""
    if is_graph(pipeline):
        return asset_keys(pipeline).values()
    return [asset_key(pipeline, task.name) for task in pipeline.tasks]


def flow_definitions(runnable: Runnable, shared: dict[str, Any], executor: ExecutorDefinition) -> FlowDefinitions:
    """All definitions of one flow. ``shared`` are the code location's resources (profile, storage).

    The job is resolved among the flow's own assets only: among all of a location, Dagster's time for it
    grows with the square of the number of flows.
    """
    name = job_name(runnable.pipeline)
    if is_graph(runnable.pipeline):
        graph = graph_definitions(runnable, name, shared, executor)
        job, assets, checks = graph.job, graph.assets, graph.checks
    else:
        job, assets, checks = _job_of_assets(runnable, name, shared, executor)
    return FlowDefinitions(
        pipeline=runnable.pipeline,
        assets=assets,
        checks=checks,
        job=job,
        failure_job=_failure_job(runnable, shared, executor),
        schedules=tuple(schedules_for(runnable.pipeline, job)),
        sensors=(
            *interval_sensors(runnable.pipeline, job),
            *asset_sensors(runnable.pipeline, job),
            *object_sensors(runnable.pipeline, job),
            *run_sensors(runnable.pipeline, job),
            *alias_sensors(runnable.pipeline, job),
        ),
    )


def _job_of_assets(
    runnable: Runnable, name: str, shared: dict[str, Any], executor: ExecutorDefinition
) -> tuple[JobDefinition, tuple[AssetsDefinition, ...], tuple[AssetChecksDefinition, ...]]:
    """A flow of plain tasks: an asset for each of them, and the job that makes them all."""
    pipeline = runnable.pipeline
    assets = flow_assets(runnable, flow_resources(pipeline))
    unresolved = define_asset_job(
        name,
        selection=AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
        description=pipeline.description or None,
        tags=run_tags(pipeline),
        metadata=job_metadata(pipeline),
    )
    alone = Definitions(assets=assets, jobs=[unresolved], resources=shared, executor=executor)
    return alone.resolve_job_def(name), tuple(assets), ()


def _failure_job(runnable: Runnable, shared: dict[str, Any], executor: ExecutorDefinition) -> JobDefinition | None:
    """The job for a failed run: on_failure and, beside it, what comes last in any case."""
    pipeline = runnable.pipeline
    tasks = [*([pipeline.failure_task] if pipeline.failure_task else []), *pipeline.finally_tasks]
    if not tasks:
        return None
    names = ", ".join(task.name for task in tasks)
    name = failure_job_name(job_name(pipeline))
    graph = GraphDefinition(name, node_defs=[failure_op(runnable, task) for task in tasks])
    return graph.to_job(
        resource_defs={**shared, **flow_resources(pipeline)},
        executor_def=executor,
        description=f"Calls {names}, once for each failed run of {pipeline.name}.",
    )
