"""JSON Schema → the config types that the launchpad offers; the schema itself is minded when a run starts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from dagster import Any as AnyJson
from dagster import Array, Bool, Field, Float, Int, Noneable, Permissive, Shape, String

_SCALARS: Mapping[str, Any] = {"string": String, "integer": Int, "number": Float, "boolean": Bool}
# Made once, for there may be thousands of pipelines.
_ANYTHING, _LIST = Noneable(AnyJson), Array(AnyJson)
_OPEN = Permissive({})  # type: ignore[no-untyped-call]
#: Objects that lie deeper inside one another are open; a class may hold itself.
_DEEPEST = 5


def config_type(schema: Mapping[str, Any], depth: int = 0) -> Any:
    """The type of a param's config. An object whose fields are known has them, typed too."""
    kind, ways = schema.get("type"), schema.get("anyOf")
    if isinstance(ways, (list, tuple)) and kind is None:
        return _one_of([one for one in ways if isinstance(one, Mapping)], depth)
    if not isinstance(kind, str):
        return _ANYTHING
    if kind == "array":
        items = _items(schema, depth)
        return _LIST if items is AnyJson else Array(items)
    return _object(schema, depth) if kind == "object" else _SCALARS.get(kind, _ANYTHING)


def _one_of(ways: list[Mapping[str, Any]], depth: int) -> Any:
    others = [one for one in ways if one.get("type") != "null"]
    if len(others) != 1 or len(others) == len(ways):
        return _ANYTHING
    inner = config_type(others[0], depth)
    return _ANYTHING if inner is _ANYTHING else Noneable(inner)


def _items(schema: Mapping[str, Any], depth: int) -> Any:
    items = schema.get("items")
    return config_type(items, depth + 1) if isinstance(items, Mapping) and depth < _DEEPEST else AnyJson


def _object(schema: Mapping[str, Any], depth: int) -> Any:
    properties = schema.get("properties")
    if not isinstance(properties, Mapping) or depth >= _DEEPEST:
        return _OPEN
    required = schema.get("required")
    needed = required if isinstance(required, (list, tuple)) else ()
    fields = {
        name: Field(config_type(part, depth + 1), is_required=name in needed, description=description(part))
        for name, part in properties.items()
        if isinstance(part, Mapping)
    }
    if schema.get("additionalProperties") is False:
        return Shape(fields)  # type: ignore[no-untyped-call]
    return Permissive(fields)  # type: ignore[no-untyped-call]


def description(schema: Mapping[str, Any]) -> str | None:
    """What the launchpad says of a field: its description, and its choices."""
    text, choices = schema.get("description"), schema.get("enum")
    told = [text] if isinstance(text, str) and text else []
    if isinstance(choices, (list, tuple)):
        told.append(f"One of {', '.join(map(str, choices))}.")
    return " ".join(told) or None
