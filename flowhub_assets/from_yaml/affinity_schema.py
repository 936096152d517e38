"""The JSON Schema of an affinity: the shape that ir.affinity_faults asks for, for an editor to complete."""

from __future__ import annotations

from typing import Any

from flowhub_assets.ir import affinity_faults as shape

Schema = dict[str, Any]

_TEXT: Schema = {"type": "string"}
_PLAIN: dict[str, Schema] = {
    shape.TEXT: _TEXT,
    shape.TEXTS: {"type": "array", "items": _TEXT},
    shape.LABELS: {"type": "object", "additionalProperties": _TEXT},
    shape.WEIGHT: {"type": "integer", "minimum": 1, "maximum": 100},
}


def affinity_schema() -> dict[str, Schema]:
    """The parts of an affinity, by the names that the schema refers to them with."""
    return {_name(kind): _kind(kind) for kind in shape.KINDS}


def _kind(kind: str) -> Schema:
    properties = {field: _field(kind, field, wanted) for field, wanted in shape.KINDS[kind].items()}
    needed = shape.NEEDED.get(kind)
    more = {"required": list(needed)} if needed else {}
    return {"type": "object", "properties": properties, **more, "additionalProperties": False}


def _field(kind: str, field: str, wanted: str | list[str]) -> Schema:
    if isinstance(wanted, list):
        return {"type": "array", "items": _ref(wanted[0])}
    if field == "operator":
        return {"enum": list(shape.OPERATORS[kind])}
    return _PLAIN.get(wanted) or _ref(wanted)


def _ref(kind: str) -> Schema:
    return {"$ref": f"#/$defs/{_name(kind)}"}


def _name(kind: str) -> str:
    return f"{kind[0].lower()}{kind[1:]}"
