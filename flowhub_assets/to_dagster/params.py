"""A flow's params as run config: a resource of the flow's own, whose typed fields the launchpad offers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import Any as AnyJson
from dagster import (
    Array,
    Bool,
    Field,
    Float,
    InitResourceContext,
    Int,
    Noneable,
    Permissive,
    ResourceDefinition,
    String,
)

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.names import dagster_name
from flowhub_assets.to_dagster.schema_types import config_type, description

#: The resource key of a graph's params where its ops are shared by all pipelines.
SHARED_PARAMS = "params"

#: Where a graph's input holds what started the run: a webhook's body, say.
TRIGGER = "trigger"

_REQUIRED = object()


def params_key(pipeline: Pipeline) -> str:
    """The resource key of a flow's params: ``<flow>_params``."""
    return f"{dagster_name(pipeline.name)}_params"


def params_resource(pipeline: Pipeline) -> ResourceDefinition:
    """The resource that gives a flow's first tasks their input, a dict.

    Its config has one field for each param, typed by the param's default. A flow without params takes any input,
    as its script does.
    """
    return ResourceDefinition(
        _flow_input,
        config_schema=params_config(pipeline),
        description=f"What the flow {pipeline.name} is given.",
    )


def params_config(pipeline: Pipeline) -> Any:
    """The config schema of a pipeline's params; beside them, for a graph, ``trigger``: what started the run."""
    fields = {name: param_field(default) for name, default in pipeline.params.items()}
    for name, schema in pipeline.param_schemas.items():
        fields[name] = _schema_field(schema, pipeline.params.get(name, _REQUIRED))
    if not fields:
        return _ANYTHING
    return {**fields, TRIGGER: _TRIGGER_FIELD} if pipeline.triggers else fields


def flow_input(pipeline: Pipeline, given: Mapping[str, Any]) -> dict[str, Any]:
    """What a run of ``pipeline`` is given: ``given`` over the defaults of its params."""
    return {**pipeline.params, **given}


def param_field(default: Any) -> Field:
    """The config field of a param with this default: bool, int, float and str are typed, lists and dicts are open."""
    return Field(_param_type(default), default_value=default, is_required=False)


def _schema_field(schema: Mapping[str, Any], default: Any) -> Field:
    required = default is _REQUIRED
    more = {} if required else {"default_value": default}
    return Field(config_type(schema), is_required=required, description=description(schema), **more)


def _param_type(default: Any) -> Any:
    if isinstance(default, bool):
        return Bool
    if isinstance(default, int):
        return Int
    if isinstance(default, float):
        return Float
    if isinstance(default, str):
        return String
    if isinstance(default, dict):
        return Permissive({})  # type: ignore[no-untyped-call]
    if isinstance(default, list):
        return Array(AnyJson)
    return Noneable(AnyJson)


#: Made once, for there may be thousands of pipelines.
_ANYTHING = param_field({})
_TRIGGER_FIELD = Field(Permissive({}), is_required=False)  # type: ignore[no-untyped-call]


def _flow_input(context: InitResourceContext) -> dict[str, Any]:
    return dict(context.resource_config or {})
