"""What --help says of a pipeline's params: the name, the type, the default and the description of each."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime.secret_values import mask_secrets

_LONGEST_DEFAULT = 60
_WIDEST_NAME = 20
_JSON_TYPES: Mapping[type, str] = {
    bool: "boolean",
    int: "integer",
    float: "number",
    str: "string",
    list: "array",
    tuple: "array",
    dict: "object",
    type(None): "null",
}


def param_lines(pipeline: Pipeline) -> list[str]:
    """A line for each param: ``city  string (default: "Seoul"): Where.``; the default is JSON, a secret one ***."""
    names = list(dict.fromkeys([*pipeline.param_schemas, *pipeline.params]))
    width = min(max(map(len, names), default=0), _WIDEST_NAME)
    return [f"  {name:{width}}  {_told(pipeline, name)}" for name in names]


def _told(pipeline: Pipeline, name: str) -> str:
    schema: Mapping[str, Any] = pipeline.param_schemas.get(name, {})
    parts = [*_types(pipeline, name), *_choices(schema)]
    default = f"(default: {_short(pipeline.params[name])})" if name in pipeline.params else "(required)"
    description = " ".join(str(schema.get("description", "")).split())
    told = " ".join([", ".join(parts), default]).strip() + (f": {description}" if description else "")
    return mask_secrets(told, {name: pipeline.params.get(name)})


def _types(pipeline: Pipeline, name: str) -> Iterator[str]:
    kinds = _kinds(pipeline.param_schemas.get(name, {}))
    if kinds:
        yield " or ".join(kinds)
    elif name in pipeline.params and name not in pipeline.param_schemas:
        yield _JSON_TYPES.get(type(pipeline.params[name]), "any")


def _kinds(schema: Mapping[str, Any]) -> list[str]:
    kind, ways = schema.get("type"), schema.get("anyOf")
    if kind is None and isinstance(ways, (list, tuple)):
        return list(dict.fromkeys(one for way in ways if isinstance(way, Mapping) for one in _kinds(way)))
    return [] if kind is None else list(map(str, kind)) if isinstance(kind, (list, tuple)) else [str(kind)]


def _choices(schema: Mapping[str, Any]) -> Iterator[str]:
    choices = schema.get("enum")
    if isinstance(choices, (list, tuple)):
        yield f"one of {', '.join(map(_short, choices))}"


def _short(value: object) -> str:
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= _LONGEST_DEFAULT else f"{text[:_LONGEST_DEFAULT]}..."
