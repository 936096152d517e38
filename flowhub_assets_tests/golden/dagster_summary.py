"""All that Dagster gets of a flow, as JSON that is the same on every machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from flowhub_assets.definitions import location
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.params import SHARED_PARAMS, params_key


def dagster_summary(runnable: Runnable) -> dict[str, Any]:
    """Assets with the graph behind them, ops, jobs, checks, what starts them, and the typed config of the params."""
    flow = location.flow(runnable)
    folder = os.path.dirname(runnable.pipeline.source.file)
    own = params_key(runnable.pipeline)
    resources = flow.job.resource_defs
    return {
        "assets": [_asset(asset, spec, folder) for asset in flow.assets for spec in sorted(asset.specs, key=_key)],
        "checks": [_check(spec) for checks in flow.checks for spec in checks.check_specs],
        "graphs": [_graph(asset.node_def) for asset in flow.assets if isinstance(asset.node_def, dg.GraphDefinition)],
        "job": _job(flow.job),
        "job of on_failure": _job(flow.failure_job) if flow.failure_job else None,
        "params": _fields(resources[own if own in resources else SHARED_PARAMS]),
        "schedules": [_schedule(schedule) for schedule in flow.schedules],
        "sensors": [_sensor(sensor) for sensor in flow.sensors],
    }


def _key(spec: dg.AssetSpec) -> str:
    return spec.key.to_user_string()


def _asset(asset: dg.AssetsDefinition, spec: dg.AssetSpec, folder: str) -> dict[str, Any]:
    return {
        "key": _key(spec),
        "deps": [dep.asset_key.to_user_string() for dep in spec.deps],
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "tags": {name: value for name, value in sorted(spec.tags.items()) if not name.startswith("dagster/kind/")},
        "description": spec.description,
        "metadata": {name: _metadata(value, folder) for name, value in spec.metadata.items()},
        **_maker(asset, spec.key),
    }


def _maker(asset: dg.AssetsDefinition, key: dg.AssetKey) -> dict[str, Any]:
    """The op that makes the asset, or the output of a graph that it is."""
    if isinstance(asset.node_def, dg.OpDefinition):
        return {"op": _op(asset.node_def)}
    return {"output": f"{asset.node_def.name}.{asset.get_output_name_for_asset_key(key)}"}


def _check(spec: dg.AssetCheckSpec) -> dict[str, Any]:
    return {"name": spec.name, "asset": spec.asset_key.to_user_string(), "condition": spec.description}


def _graph(graph: dg.GraphDefinition) -> dict[str, Any]:
    """Its ops by the names they are called by: which op, what it carries, and what it waits for."""
    return {
        "name": graph.name,
        "description": graph.description,
        "ops": {node.name: _called(graph, node) for node in graph.nodes},
    }


def _called(graph: dg.GraphDefinition, node: Any) -> dict[str, Any]:
    retry = node.retry_policy
    structure: Any = graph.dependency_structure
    inputs = [node.get_input(name) for name in node.definition.input_dict]
    upstream = [
        # What has no node is an input of the graph: an asset of another pipeline.
        f"{output.node_name}.{output.output_name}" if hasattr(output, "node_name") else "another pipeline"
        for one in inputs
        for output in (structure.get_fan_in_deps(one) if structure.has_fan_in_deps(one) else _single(structure, one))
    ]
    return {
        "op": node.definition.name,
        "after": sorted(upstream),
        "outputs": [one.name for one in node.definition.output_defs],
        "resources": sorted(node.definition.required_resource_keys),
        "tags": {name: _read(value) for name, value in sorted(node.tags.items())},
        "retry": _retry(retry),
        "pool": node.definition.pool,
    }


def _single(structure: Any, one: Any) -> list[Any]:
    if structure.has_direct_dep(one):
        return [structure.get_direct_dep(one)]
    if structure.has_dynamic_fan_in_dep(one):
        return [structure.get_dynamic_fan_in_dep(one)]
    return []


def _retry(retry: dg.RetryPolicy | None) -> dict[str, Any] | None:
    if retry is None:
        return None
    more = {"backoff": retry.backoff.value} if retry.backoff else {}
    return {"times": retry.max_retries, "delay (s)": retry.delay, **more}


def _op(op: dg.OpDefinition) -> dict[str, Any]:
    return {
        "name": op.name,
        "description": op.description,
        "inputs": [one.name for one in op.input_defs],
        "outputs": {one.name: one.io_manager_key for one in op.output_defs},
        "resources": sorted(op.required_resource_keys),
        "config": sorted(getattr(op.config_schema.config_type, "fields", None) or ()),
        "tags": {name: _read(value) for name, value in sorted(op.tags.items())},
        "retry": _retry(op.retry_policy),
        "pool": op.pool,
    }


def _metadata(value: Any, folder: str) -> Any:
    if isinstance(value, dg.CodeReferencesMetadataValue):
        return [_reference(one, folder) for one in value.code_references]
    plain = value.value if isinstance(value, dg.MetadataValue) else value
    return plain.replace(folder + os.sep, "") if isinstance(plain, str) else plain


def _reference(reference: Any, folder: str) -> str:
    return f"{reference.label} at {os.path.relpath(reference.file_path, folder)}:{reference.line_number}"


def _read(tag: str) -> Any:
    """A tag that holds JSON as what it says: a difference then shows the line."""
    return json.loads(tag) if tag.startswith("{") else tag


def _job(job: dg.JobDefinition) -> dict[str, Any]:
    assets = sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys)
    told = {
        "name": job.name,
        "description": job.description,
        "tags": dict(sorted(job.tags.items())),
        "assets": assets,
    }
    if _is_shared(job):
        return {**told, "graph": _graph(job.graph)}
    return {**told, "ops": sorted(node.name for node in job.nodes) if assets else [_op(op) for op in _ops(job)]}


def _is_shared(job: dg.JobDefinition) -> bool:
    """Whether its ops are those that all pipelines of nodes share."""
    return SHARED_PARAMS in job.resource_defs


def _ops(job: dg.JobDefinition) -> list[dg.OpDefinition]:
    return [node.definition for node in job.nodes if isinstance(node.definition, dg.OpDefinition)]


def _fields(resource: dg.ResourceDefinition) -> Mapping[str, Any] | str:
    """Each param with the type that the launchpad offers, and its default."""
    schema = resource.config_schema.config_type
    fields = getattr(schema, "fields", None) or {}
    return {name: _field(field) for name, field in fields.items()} or "anything"


def _field(field: Any) -> dict[str, Any]:
    kind = field.config_type.given_name or field.config_type.kind.name
    return {"type": kind, **({"default": field.default_value} if field.default_provided else {})}


def _schedule(schedule: dg.ScheduleDefinition) -> dict[str, Any]:
    return {
        "name": schedule.name,
        "job": schedule.job_name,
        "cron": schedule.cron_schedule,
        "timezone": schedule.execution_timezone,
        "description": schedule.description,
    }


def _sensor(sensor: dg.SensorDefinition) -> dict[str, Any]:
    return {
        "name": sensor.name,
        "job": sensor.job_name,
        "seconds": sensor.minimum_interval_seconds,
        "description": sensor.description,
    }
