"""What a door tells of a pipeline: its params as JSON Schema, when it starts by itself, its tasks."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.triggers import Trigger
from flowhub_assets.server.catalogue import Entry

#: A default's Python type → JSON Schema's word. A bool is an int in Python: it stands first.
_TYPES = ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (list, "array"), (dict, "object"))


@dataclass(frozen=True)
class PipelineView:
    """``params`` is a JSON Schema of type object; ``triggers`` are words, as ``cron: 0 6 * * * (UTC)``.

    ``partitions`` are as a file has them: every, start and timezone, or the lists of keys by their names.
    """

    name: str
    job: str
    description: str
    tags: tuple[str, ...]
    owners: tuple[str, ...]
    params: Mapping[str, Any]
    profiles: tuple[str, ...]
    triggers: tuple[str, ...]
    tasks: tuple[str, ...]
    queue: str | None
    priority: int
    partitions: Mapping[str, Any] | None = None


def view_pipeline(entry: Entry) -> PipelineView:
    """What is told of one pipeline."""
    pipeline = entry.pipeline
    return PipelineView(
        name=pipeline.name,
        job=entry.flow.job.name,
        description=pipeline.description,
        tags=pipeline.tags,
        owners=pipeline.owners,
        params=params_schema(pipeline),
        profiles=tuple(sorted(pipeline.profiles)),
        triggers=tuple(_triggers(pipeline)),
        tasks=tuple(task.name for task in pipeline.tasks),
        queue=pipeline.queue,
        priority=pipeline.priority,
        partitions=_partitions(pipeline),
    )


def params_schema(pipeline: Pipeline) -> dict[str, Any]:
    """The params as one JSON Schema. A pipeline without params takes anything, as its script does."""
    properties: dict[str, Any] = {}
    for name, default in pipeline.params.items():
        kind = next((word for type_, word in _TYPES if isinstance(default, type_)), None)
        properties[name] = {**({"type": kind} if kind else {}), "default": default}
    for name, schema in pipeline.param_schemas.items():
        default = {"default": pipeline.params[name]} if name in pipeline.params else {}
        properties[name] = {**schema, **default}
    required = [name for name in pipeline.param_schemas if name not in pipeline.params]
    schema = {"type": "object", "properties": properties, "additionalProperties": not pipeline.param_schemas}
    return {**schema, **({"required": required} if required else {})}


def _partitions(pipeline: Pipeline) -> dict[str, Any] | None:
    asked = pipeline.partitions
    if asked is None:
        return None
    if asked.dimensions:
        return {dimension.name: list(dimension.keys) for dimension in asked.dimensions}
    return {"every": asked.every, "start": asked.start, "timezone": asked.timezone}


def _triggers(pipeline: Pipeline) -> list[str]:
    told = []
    schedules = [("schedule", pipeline.schedule)] if pipeline.schedule else []
    schedules += [(trigger.type, trigger.schedule) for trigger in pipeline.triggers if trigger.schedule]
    for kind, schedule in schedules:
        when = schedule.cron or f"every {schedule.interval:g} s"
        told.append(f"{kind}: {when} ({schedule.timezone})")
    told += [_told(trigger) for trigger in pipeline.triggers if trigger.schedule is None]
    return told


def _told(trigger: Trigger) -> str:
    if trigger.type == "model-alias":
        return f"model-alias: {trigger.config['model']}@{trigger.config['alias']}"
    if trigger.type != "run":
        return trigger.type
    return f"run: {trigger.config['pipeline']}, {trigger.config.get('status', 'success')}"
