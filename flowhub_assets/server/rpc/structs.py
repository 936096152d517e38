"""google.protobuf.Struct ↔ the JSON of Python. A Struct knows doubles alone; JSON Schema says which number is meant."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from flowhub_assets.errors import ParamsRefused

#: Up to here a double holds each integer.
_EXACT = 2**53
#: So deep a schema is followed; what lies deeper, or in a circle, says nothing of a number.
_DEEPEST = 20

_Fault = tuple[str, str, str]


def params_of(struct: Struct, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The params that a Struct holds, for a pipeline whose params have this schema.

    A whole number is an int, except where the schema says ``number``. Raises ParamsRefused, which names each field:
    a number beyond 2**53 that is to be an integer, one that is not finite, a value of no kind.
    """
    faults: list[_Fault] = []
    params = {name: _json(value, [schema], (name,), schema, faults) for name, value in struct.fields.items()}
    if faults:
        raise ParamsRefused(
            f"these params cannot be read: {'; '.join(what for _, what, _ in faults[:10])}",
            effect="Nothing was started.",
            remedy=faults[0][2],
            fields=tuple(faults),
        )
    return params


def struct_of(values: Mapping[str, Any]) -> Struct:
    """A JSON object as a Struct; an integer that a double does not hold becomes a string of its digits."""
    struct = Struct()
    for name, item in values.items():
        _set(struct.fields[str(name)], item)
    return struct


def value_of(value: Any) -> Value:
    """A JSON value as a Value, as struct_of does it."""
    told = Value()
    _set(told, value)
    return told


def _set(into: Value, value: Any) -> None:
    if value is None:
        into.null_value = 0  # type: ignore[assignment]
    elif isinstance(value, bool):
        into.bool_value = value
    elif isinstance(value, int):
        if abs(value) <= _EXACT:
            into.number_value = value
        else:
            into.string_value = str(value)
    elif isinstance(value, float):
        into.number_value = value
    elif isinstance(value, Mapping):
        into.struct_value.CopyFrom(struct_of(value))
    elif isinstance(value, (list, tuple)):
        into.list_value.CopyFrom(ListValue(values=[value_of(item) for item in value]))
    else:
        into.string_value = str(value)


def _json(
    value: Value, schemas: list[Any], path: tuple[str | int, ...], whole: Mapping[str, Any], faults: list[_Fault]
) -> Any:
    """``schemas`` are those of what the value stands in; ``path`` ends with its name or index there."""
    mine = list(_inside(schemas, path[-1], whole))
    kind = value.WhichOneof("kind")
    if kind == "struct_value":
        fields = value.struct_value.fields
        return {name: _json(item, mine, (*path, name), whole, faults) for name, item in fields.items()}
    if kind == "list_value":
        items = value.list_value.values
        return [_json(item, mine, (*path, number), whole, faults) for number, item in enumerate(items)]
    if kind == "number_value":
        return _number(value.number_value, {word for schema in mine for word in _words(schema)}, path, faults)
    if kind is None:
        faults.append((_told(path), f"{_told(path)} has no value, not even null", "set one of its kinds"))
    return {"bool_value": value.bool_value, "string_value": value.string_value}.get(kind or "")


def _number(number: float, words: set[str], path: tuple[str | int, ...], faults: list[_Fault]) -> int | float:
    if not math.isfinite(number):
        faults.append((_told(path), f"{_told(path)} is {number}, which JSON does not have", "send a finite number"))
        return 0
    if not number.is_integer() or "number" in words or (number == 0 and math.copysign(1, number) < 0):
        return number
    if abs(number) <= _EXACT:
        return int(number)
    if "integer" in words:
        what = f"{_told(path)} is {number:.17g}: beyond 2^53 a Struct does not hold each integer"
        faults.append((_told(path), what, "send it over HTTP, or make the param a string"))
    return number


def _inside(schemas: list[Any], step: str | int, whole: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The schemas of what stands at ``step`` in a value of any of ``schemas``, choices and references followed."""
    for schema in schemas:
        if isinstance(step, str):
            properties = schema.get("properties")
            inner = properties.get(step) if isinstance(properties, Mapping) else None
            inner = schema.get("additionalProperties") if inner is None else inner
        else:
            first = schema.get("prefixItems")
            listed = isinstance(first, (list, tuple)) and step < len(first)
            inner = first[step] if listed else schema.get("items")
        yield from _followed(inner, whole, _DEEPEST)


def _followed(schema: Any, whole: Mapping[str, Any], deeper: int) -> Iterator[Mapping[str, Any]]:
    if not isinstance(schema, Mapping) or deeper == 0:
        return
    yield schema
    for word in ("anyOf", "oneOf", "allOf"):
        choices = schema.get(word)
        for choice in choices if isinstance(choices, (list, tuple)) else ():
            yield from _followed(choice, whole, deeper - 1)
    if isinstance(reference := schema.get("$ref"), str):
        yield from _followed(_found(reference, whole), whole, deeper - 1)


def _found(reference: str, whole: Any) -> Any:
    """What ``#/$defs/City`` names: in the whole, or in the schema of one of its properties, which is a whole too."""
    steps = reference.removeprefix("#/").split("/")
    for root in (whole, *whole.get("properties", {}).values()):
        found = root
        for step in steps:
            found = found.get(step) if isinstance(found, Mapping) else None
        if found is not None:
            return found
    return None


def _words(schema: Mapping[str, Any]) -> list[str]:
    word = schema.get("type")
    return [word] if isinstance(word, str) else list(word) if isinstance(word, (list, tuple)) else []


def _told(path: tuple[str | int, ...]) -> str:
    """As the other doors name a field: ``cities[0].name``."""
    return "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in path).removeprefix(".")
