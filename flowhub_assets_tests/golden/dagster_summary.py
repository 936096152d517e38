"""All that Dagster gets of a flow, as JSON that is the same on every machine."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from typing import Any

import dagster as dg

from flowhub_assets.definitions import location
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.params import params_key


def dagster_summary(runnable: Runnable) -> dict[str, Any]:
    """Assets, ops, jobs, what starts them, and the typed config of the flow's params."""
    flow = location.flow(runnable)
    folder = os.path.dirname(runnable.pipeline.source.file)
    return {
        "assets": [_asset(asset, folder) for asset in flow.assets],
        "job": _job(flow.job),
        "job of on_failure": _job(flow.failure_job) if flow.failure_job else None,
        "params": _fields(flow.job.resource_defs[params_key(runnable.pipeline)]),
        "schedules": [_schedule(schedule) for schedule in flow.schedules],
        "sensors": [_sensor(sensor) for sensor in flow.sensors],
    }


def _asset(asset: dg.AssetsDefinition, folder: str) -> dict[str, Any]:
    (spec,) = asset.specs
    assert isinstance(asset.node_def, dg.OpDefinition)
    return {
        "key": spec.key.to_user_string(),
        "deps": [dep.asset_key.to_user_string() for dep in spec.deps],
        "group": spec.group_name,
        "kinds": sorted(spec.kinds),
        "owners": list(spec.owners),
        "tags": {name: value for name, value in sorted(spec.tags.items()) if not name.startswith("dagster/kind/")},
        "description": spec.description,
        "metadata": {name: _metadata(value, folder) for name, value in spec.metadata.items()},
        "op": _op(asset.node_def),
    }


def _op(op: dg.OpDefinition) -> dict[str, Any]:
    retry = op.retry_policy
    return {
        "name": op.name,
        "description": op.description,
        "inputs": [one.name for one in op.input_defs],
        "outputs": {one.name: one.io_manager_key for one in op.output_defs},
        "resources": sorted(op.required_resource_keys),
        "config": sorted(getattr(op.config_schema.config_type, "fields", None) or ()),
        "tags": {name: _read(value) for name, value in sorted(op.tags.items())},
        "retry": {"times": retry.max_retries, "delay (s)": retry.delay} if retry else None,
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
    return {
        "name": job.name,
        "description": job.description,
        "tags": dict(sorted(job.tags.items())),
        "assets": sorted(key.to_user_string() for key in job.asset_layer.selected_asset_keys),
        "ops": [_op(node.definition) for node in job.nodes if isinstance(node.definition, dg.OpDefinition)]
        if not job.asset_layer.selected_asset_keys
        else sorted(node.name for node in job.nodes),
    }


def _fields(resource: dg.ResourceDefinition) -> Mapping[str, Any] | str:
    """Each param with the type that the launchpad offers, and its default."""
    schema = resource.config_schema.config_type
    fields = getattr(schema, "fields", None) or {}
    return {
        name: {"type": field.config_type.given_name or field.config_type.kind.name, "default": field.default_value}
        for name, field in fields.items()
    } or "anything"


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
