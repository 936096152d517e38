"""A pipeline with decisions, loops or typed nodes → its job, or, where its tasks are assets, assets and their job."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from dagster import (
    AssetChecksDefinition,
    AssetKey,
    AssetsDefinition,
    AssetSelection,
    AssetSpec,
    BetaWarning,
    Definitions,
    ExecutorDefinition,
    JobDefinition,
    ResourceDefinition,
    define_asset_job,
)

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.grouping import groups, step_name
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.names import dagster_name, tag_key
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.asset_checks import asset_checks
from flowhub_assets.to_dagster.automation import automated, outside
from flowhub_assets.to_dagster.checked import refuse_checks
from flowhub_assets.to_dagster.flow_run import flow_run_resource
from flowhub_assets.to_dagster.graphs import pipeline_graph
from flowhub_assets.to_dagster.metadata import definition_metadata, graph_metadata
from flowhub_assets.to_dagster.params import SHARED_PARAMS, params_key
from flowhub_assets.to_dagster.partitions import partitions_definition
from flowhub_assets.to_dagster.run_tags import run_tags

# A graph's resources and a job's owners are worth more than Dagster's promise that the parameters stay; the version is
# pinned.
for _parameter in ("`resource_defs` of .*from_graph", "`owners` of "):
    warnings.filterwarnings("ignore", message=f"Parameter {_parameter}", category=BetaWarning)

#: Python's own limit: what may be on the stack before Dagster takes its first step, and what it calls at the last.
_FRAMES_BESIDES = 1000


@dataclass(frozen=True)
class GraphDefinitions:
    """The job of a pipeline's graph; where some of its tasks are assets, these and their checks too."""

    job: JobDefinition
    assets: tuple[AssetsDefinition, ...] = ()
    checks: tuple[AssetChecksDefinition, ...] = ()
    resources: Mapping[str, ResourceDefinition] | None = None


def graph_definitions(
    runnable: Runnable, name: str, shared: dict[str, Any], executor: ExecutorDefinition
) -> GraphDefinitions:
    """The definitions of ``runnable``, whose job is called ``name``. ``shared`` are the code location's resources."""
    pipeline = runnable.pipeline
    refuse_checks(pipeline)
    _require_distinct_steps(pipeline)
    _allow_recursion(len(pipeline.tasks))
    keys = asset_keys(pipeline)
    if keys:
        return _assets(runnable, name, keys, shared, executor)
    job = pipeline_graph(pipeline, SHARED_PARAMS).to_job(
        name=name,
        resource_defs={**shared, SHARED_PARAMS: flow_run_resource(runnable)},
        executor_def=executor,
        description=pipeline.description or None,
        tags=run_tags(pipeline),
        owners=list(pipeline.owners) or None,
        metadata=graph_metadata(pipeline),
        partitions_def=partitions_definition(pipeline),
    )
    return GraphDefinitions(job)


def _require_distinct_steps(pipeline: Pipeline) -> None:
    """Raises DefinitionError for a task whose step has the name of one that a loop or several fused tasks make."""
    if not pipeline.fuse and not any(task.loop for task in pipeline.tasks):
        return
    owner: dict[str, str] = {}
    for name, task in _steps(pipeline):
        other = owner.setdefault(name, task.name)
        if other != task.name:
            raise DefinitionError(
                f"step {name!r} of {task.name!r} has the name of a step of {other!r}",
                where=task.source,
                effect="Dagster takes each name of a step once: the pipeline is not loaded.",
                remedy=f"Rename {task.name!r} or {other!r}.",
            )


def _steps(pipeline: Pipeline) -> Iterator[tuple[str, Task]]:
    for group in groups(pipeline):
        name = step_name(group)
        yield name, group[0]
        if group[0].loop is not None:
            yield f"{name}__items", group[0]
            yield f"{name}__each", group[0]
    yield from ((dagster_name(task.name), task) for task in pipeline.finally_tasks)


def _allow_recursion(depth: int) -> None:
    """Dagster walks along a graph's edges by recursion, also when it is run in part: a chain of 1,000 was too deep."""
    sys.setrecursionlimit(max(sys.getrecursionlimit(), _FRAMES_BESIDES + depth))


def asset_keys(pipeline: Pipeline) -> dict[str, AssetKey]:
    """Task → the asset that its value is.

    Functions in Python are assets each; typed nodes if they say so. In a graph of assets Dagster wants one at every
    end: a last node that names none is the asset pipeline/node.
    """
    keys: dict[str, AssetKey] = {}
    for task in pipeline.tasks:
        if task.asset is not None:
            keys[task.name] = AssetKey(list(task.asset.key))
        elif task.node is None and not task.ports:
            keys[task.name] = _own_key(pipeline, task)
    return keys and {**{task.name: _own_key(pipeline, task) for task in _last(pipeline)}, **keys}


def _own_key(pipeline: Pipeline, task: Task) -> AssetKey:
    return AssetKey([dagster_name(pipeline.name), dagster_name(task.name)])


def _last(pipeline: Pipeline) -> list[Task]:
    if pipeline.finally_tasks:
        return list(pipeline.finally_tasks)
    taken = {name for task in pipeline.tasks for name in waits_for(task)}
    return [task for task in pipeline.tasks if task.name not in taken]


def _assets(
    runnable: Runnable, name: str, keys: Mapping[str, AssetKey], shared: dict[str, Any], executor: ExecutorDefinition
) -> GraphDefinitions:
    pipeline = runnable.pipeline
    resources = {params_key(pipeline): flow_run_resource(runnable)}
    inputs = {f"outside_{number}": key for number, key in enumerate(outside(pipeline))}
    prefix = f"{dagster_name(pipeline.name)}__"
    graph = pipeline_graph(pipeline, params_key(pipeline), prefix, tuple(keys), tuple(inputs))
    assets = AssetsDefinition.from_graph(
        graph,
        keys_by_input_name=inputs,
        keys_by_output_name={dagster_name(task): key for task, key in keys.items()},
        resource_defs=resources,
        partitions_def=partitions_definition(pipeline),
    )
    tasks = (*pipeline.tasks, *pipeline.finally_tasks)
    of_key = {keys[task.name]: task for task in tasks if task.name in keys}
    assets = assets.map_asset_specs(lambda spec: _spec(pipeline, of_key[spec.key], spec))
    checks = asset_checks(runnable, keys)
    unresolved = define_asset_job(
        name,
        selection=AssetSelection.assets(*keys.values()),
        description=pipeline.description or None,
        tags=run_tags(pipeline),
        owners=list(pipeline.owners) or None,
        metadata=graph_metadata(pipeline),
    )
    alone = Definitions(assets=[assets], asset_checks=checks, jobs=[unresolved], resources=shared, executor=executor)
    return GraphDefinitions(alone.resolve_job_def(name), (assets,), tuple(checks), resources)


def _spec(pipeline: Pipeline, task: Task, found: AssetSpec) -> AssetSpec:
    """The spec of a task's asset; ``found`` is what Dagster has found of it in the graph."""
    spec = AssetSpec(
        found.key,
        deps=[dep for dep in found.deps if dep.asset_key not in outside(pipeline)],
        description=task.description or None,
        group_name=dagster_name(pipeline.name),
        owners=list(pipeline.owners),
        tags={tag_key(tag): "" for tag in pipeline.tags},
        kinds=set(task.kinds) or ({"python"} if task.node is None else {"yaml"}),
        metadata=definition_metadata(pipeline, task),
        skippable=True,
        partitions_def=partitions_definition(pipeline),
    )
    return automated(pipeline, task, spec)
