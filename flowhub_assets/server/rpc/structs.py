"""google.protobuf.Struct ↔ the JSON of Python. A Struct knows doubles alone; JSON Schema says which number is meant."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from google.protobuf.struct_pb2 import ListValue, Struct, Value

from flowhub_assets.errors import ParamsRefused

#: Up to here a double tells each integer from its neighbours: 2**53 might have been 2**53 + 1.
_EXACT = 2**53 - 1

_Fault = tuple[str, str, str]


def params_of(struct: Struct, schema: Mapping[str, Any]) -> dict[str, Any]:
    """The params that a Struct holds, for a pipeline whose params have this schema.

    A whole number is an int, except where the schema says ``number``. Raises ParamsRefused, which names each field:
    a number of 2**53 or more that is to be an integer, one that is not finite, a value of no kind.
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
        _set(struct.fields[utf8(str(name))], item)
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
        into.string_value = utf8(str(value))


def utf8(text: str) -> str:
    """The text as a message can hold it: half of a surrogate pair, which JSON may have, is a question mark."""
    return text.encode("utf-8", "replace").decode("utf-8")


def _json(
    value: Value,
    schemas: list[Mapping[str, Any]],
    path: tuple[str | int, ...],
    whole: Mapping[str, Any],
    faults: list[_Fault],
) -> Any:
    """``schemas`` are those of what the value stands in; ``path`` ends with its name or index there."""
    mine = _inside(schemas, path[-1], whole)
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
        what = f"{_told(path)} is {number:.17g}: from 2^53 on a Struct does not hold each integer"
        faults.append((_told(path), what, "send it over HTTP, or make the param a string"))
    return number


def _inside(schemas: list[Mapping[str, Any]], step: str | int, whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """The schemas of what stands at ``step`` in a value of any of ``schemas``, choices and references followed."""
    return _followed([_part(schema, step) for schema in schemas], whole)


def _part(schema: Mapping[str, Any], step: str | int) -> Any:
    if isinstance(step, str):
        properties = schema.get("properties")
        inner = properties.get(step) if isinstance(properties, Mapping) else None
        return schema.get("additionalProperties") if inner is None else inner
    first = schema.get("prefixItems")
    return first[step] if isinstance(first, (list, tuple)) and step < len(first) else schema.get("items")


def _followed(waiting: list[Any], whole: Mapping[str, Any]) -> list[Mapping[str, Any]]:
    """Each schema once: references may go in circles."""
    found: dict[int, Mapping[str, Any]] = {}
    while waiting:
        one = waiting.pop()
        if not isinstance(one, Mapping) or id(one) in found:
            continue
        found[id(one)] = one
        for word in ("anyOf", "oneOf", "allOf"):
            choices = one.get(word)
            waiting += choices if isinstance(choices, (list, tuple)) else ()
        if isinstance(reference := one.get("$ref"), str):
            waiting.append(_found(reference, whole))
    return list(found.values())


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
