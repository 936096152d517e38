"""A model's fields as a reader of documentation wants them, taken from its JSON Schema."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from flowhub_assets.nodes.sdk import NodeModel

_TYPES = {
    "string": "text",
    "integer": "whole number",
    "number": "number",
    "boolean": "true or false",
    "null": "null",
    "object": "object",
}
_BOUNDS = {
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minItems": "at least {} items",
    "maxItems": "at most {} items",
    "pattern": "matches {}",
}


@dataclass(frozen=True)
class Field:
    """One field: its ``default`` is JSON, '' if there is none; ``required`` where it must be given."""

    name: str
    type: str
    required: bool
    default: str
    description: str


def json_schema(model: type[NodeModel], *, written: bool) -> dict[str, Any]:
    """The model's JSON Schema; ``written``: with the names of a pipeline file (maxTokens), else with Python's."""
    return model.model_json_schema(by_alias=written, mode="validation" if written else "serialization")


def fields_of(schema: Mapping[str, Any]) -> Iterator[Field]:
    """The fields of an object's JSON Schema, in their order."""
    required, definitions = schema.get("required", ()), schema.get("$defs", {})
    for name, value in schema.get("properties", {}).items():
        yield Field(
            name,
            type_text(value, definitions),
            name in required,
            json.dumps(value["default"], ensure_ascii=False) if value.get("default") is not None else "",
            " ".join(value.get("description", "").split()),
        )


def nested_objects(schema: Mapping[str, Any]) -> Iterator[tuple[str, Mapping[str, Any]]]:
    """The objects with fields of their own that stand in a schema: name and schema, in the order of the names."""
    definitions = schema.get("$defs", {})
    for name in sorted(definitions):
        if definitions[name].get("properties"):
            yield name, {**definitions[name], "$defs": definitions}


def type_text(schema: Any, definitions: Mapping[str, Any]) -> str:
    """A JSON Schema in a few words: ``list of text``, ``"GET" or "POST"``, ``whole number (at least 1)``."""
    if not isinstance(schema, Mapping):
        return "anything"
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        target = definitions.get(name, {})
        return name if target.get("properties") else type_text(target, definitions)
    if "const" in schema:
        return json.dumps(schema["const"], ensure_ascii=False)
    if "enum" in schema:
        return " or ".join(json.dumps(one, ensure_ascii=False) for one in schema["enum"])
    for union in ("anyOf", "oneOf", "allOf"):
        if union in schema:
            return " or ".join(dict.fromkeys(type_text(one, definitions) for one in schema[union]))
    return _with_bounds(_plain(schema, definitions), schema)


def _plain(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        return " or ".join(_TYPES.get(str(one), str(one)) for one in kind)
    if kind == "array":
        return f"list of {type_text(schema['items'], definitions)}" if schema.get("items") else "list"
    if kind == "object" and isinstance(schema.get("additionalProperties"), Mapping):
        return f"object of {type_text(schema['additionalProperties'], definitions)}"
    return _TYPES.get(str(kind), str(kind)) if kind else "anything"


def _with_bounds(text: str, schema: Mapping[str, Any]) -> str:
    bounds = [_bound(key, schema[key]) for key in _BOUNDS if key in schema]
    return f"{text} ({', '.join(bounds)})" if bounds else text


def _bound(key: str, value: Any) -> str:
    return "not empty" if value == 1 and key in ("minLength", "minItems") else _BOUNDS[key].format(value)
