"""What a JSON Schema refers to: its own $defs, by their names."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

#: What a reference to one begins with.
BEFORE = "#/$defs/"


def resolved(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Mapping[str, Any]:
    """``schema``, or what its ``$ref`` names among ``defs``; one that names nothing there takes anything."""
    seen: set[str] = set()
    while isinstance(schema.get("$ref"), str) and schema["$ref"].startswith(BEFORE):
        name = schema["$ref"][len(BEFORE) :]
        found = defs.get(name)
        if name in seen or not isinstance(found, Mapping):
            return {}
        seen.add(name)
        schema = {**found, **{key: value for key, value in schema.items() if key != "$ref"}}
    return schema
