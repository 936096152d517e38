"""JSON Schemas that refer to others, written out where that ends."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.ir.schema_references import BEFORE

#: Where schemas stand in a schema: one, several in a list, several by name.
_ONE = ("items", "additionalProperties", "propertyNames", "contains", "not")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_NAMED = ("properties", "patternProperties", "$defs")

#: What a machine writes into a schema that says nothing: a title is the name again.
_NOISE = ("title", "discriminator")


def inlined(schema: Mapping[str, Any], defs: Mapping[str, Any]) -> dict[str, Any]:
    """``schema`` with what it refers to in the place of each ``$ref``; what refers to itself stays, with its $defs."""
    written = _Inlining(defs)
    made: dict[str, Any] = written.form(schema, ())
    if not written.kept:
        return made
    kept: dict[str, Any] = {}
    while written.kept - kept.keys():
        name = min(written.kept - kept.keys())
        kept[name] = written.form(defs[name], (name,))
    return {**made, "$defs": dict(sorted(kept.items()))}


class _Inlining:
    def __init__(self, defs: Mapping[str, Any]) -> None:
        self.defs = defs
        #: The names of those that refer to themselves.
        self.kept: set[str] = set()

    def form(self, schema: Any, inside: tuple[str, ...]) -> Any:
        if not isinstance(schema, Mapping):
            return schema
        reference = schema.get("$ref")
        if isinstance(reference, str) and reference.startswith(BEFORE):
            name = reference[len(BEFORE) :]
            rest = {key: value for key, value in schema.items() if key != "$ref"}
            if name in inside:
                self.kept.add(name)
                return {"$ref": reference, **self.form(rest, inside)}
            return {**self.form(self.defs.get(name, {}), (*inside, name)), **self.form(rest, inside)}
        return {key: self.part(key, value, inside) for key, value in schema.items() if key not in _NOISE}

    def part(self, key: str, value: Any, inside: tuple[str, ...]) -> Any:
        if key in _ONE:
            return self.form(value, inside)
        if key in _LISTS and isinstance(value, (list, tuple)):
            return [self.form(one, inside) for one in value]
        if key in _NAMED and isinstance(value, Mapping):
            return {name: self.form(one, inside) for name, one in value.items()}
        return value
