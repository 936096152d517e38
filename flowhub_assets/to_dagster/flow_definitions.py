"""A flow → all that Dagster gets of it: assets, their job, the job of on_failure, what starts it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dagster import (
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
from flowhub_assets.names import dagster_name, tag_key
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.assets import flow_assets, flow_resources
from flowhub_assets.to_dagster.ops import failure_op
from flowhub_assets.to_dagster.triggers import interval_sensor, schedule_for

_ON_FAILURE = "__on_failure"


@dataclass(frozen=True)
class FlowDefinitions:
    """What Dagster shows of one flow."""

    pipeline: Pipeline
    assets: tuple[AssetsDefinition, ...]
    job: JobDefinition
    failure_job: JobDefinition | None
    schedule: ScheduleDefinition | None
    sensor: SensorDefinition | None


def job_name(pipeline: Pipeline) -> str:
    """The name of a flow's job."""
    return dagster_name(pipeline.name)


def failure_job_name(job: str) -> str:
    """The name of the job that calls on_failure for a flow whose job is ``job``."""
    return f"{job}{_ON_FAILURE}"


def flow_of_job(name: str) -> str:
    """The flow's own job of a job's name, for that of its on_failure too."""
    return name.removesuffix(_ON_FAILURE)


def flow_definitions(runnable: Runnable, shared: dict[str, Any], executor: ExecutorDefinition) -> FlowDefinitions:
    """All definitions of one flow. ``shared`` are the code location's resources (profile, storage).

    The job is resolved among the flow's own assets only: among all of a location, Dagster's time for it
    grows with the square of the number of flows.
    """
    pipeline = runnable.pipeline
    resources = flow_resources(pipeline)
    assets = flow_assets(runnable, resources)
    name = job_name(pipeline)
    unresolved = define_asset_job(
        name,
        selection=AssetSelection.assets(*(key for asset in assets for key in asset.keys)),
        description=pipeline.description or None,
        tags={tag_key(tag): "" for tag in pipeline.tags},
    )
    alone = Definitions(assets=assets, jobs=[unresolved], resources=shared, executor=executor)
    job = alone.resolve_job_def(name)
    return FlowDefinitions(
        pipeline=pipeline,
        assets=tuple(assets),
        job=job,
        failure_job=_failure_job(runnable, {**shared, **resources}),
        schedule=schedule_for(pipeline, job),
        sensor=interval_sensor(pipeline, job),
    )


def _failure_job(runnable: Runnable, resources: dict[str, Any]) -> JobDefinition | None:
    pipeline = runnable.pipeline
    if pipeline.failure_task is None:
        return None
    name = failure_job_name(job_name(pipeline))
    graph = GraphDefinition(name, node_defs=[failure_op(runnable, pipeline.failure_task)])
    return graph.to_job(
        resource_defs=resources,
        description=f"Calls {pipeline.failure_task.name}, the on_failure of {pipeline.name}, once for each failed run.",
    )
