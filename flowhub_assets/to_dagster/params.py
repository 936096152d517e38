"""A flow's params as run config: a resource of the flow's own, whose typed fields the launchpad offers."""

from __future__ import annotations

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


def params_key(pipeline: Pipeline) -> str:
    """The resource key of a flow's params: ``<flow>_params``."""
    return f"{dagster_name(pipeline.name)}_params"


def params_resource(pipeline: Pipeline) -> ResourceDefinition:
    """The resource that gives a flow's first tasks their input, a dict.

    Its config has one field for each param, typed by the param's default. A flow without params takes any input,
    as its script does.
    """
    fields = {name: param_field(default) for name, default in pipeline.params.items()}
    return ResourceDefinition(
        _flow_input,
        config_schema=fields or param_field({}),
        description=f"What the flow {pipeline.name} is given.",
    )


def param_field(default: Any) -> Field:
    """The config field of a param with this default: bool, int, float and str are typed, lists and dicts are open."""
    return Field(_param_type(default), default_value=default, is_required=False)


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


def _flow_input(context: InitResourceContext) -> dict[str, Any]:
    return dict(context.resource_config or {})
