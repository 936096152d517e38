"""The JSON Schema (draft 2020-12) of pipeline files, with which an editor completes and checks them.

A file names it in its first line: ``# yaml-language-server: $schema=flowhub.schema.json``.
"""

from __future__ import annotations

from typing import Any

from flowhub_assets.from_yaml import format_schema
from flowhub_assets.from_yaml.kind_schema import kind_schema
from flowhub_assets.from_yaml.triggers import OPEN
from flowhub_assets.nodes import implied, registry

DIALECT = "https://json-schema.org/draft/2020-12/schema"


def schema() -> dict[str, Any]:
    """The schema of the format with all kinds of node that are registered; a kind that cannot be loaded is left out."""
    kinds = [kind for kind in map(implied.kind_of, registry.names()) if kind is not None]
    definitions = {**format_schema.definitions(), **format_schema.node_parts()}
    rules = [_only_loops_have_nodes(), _a_type_or_a_task()]
    for kind in kinds:
        part, own = kind_schema(kind)
        definitions.update(own)
        rules.append({"if": _is_of(kind.name), "then": part})
        if kind.name in OPEN:
            told = own[f"{kind.name}.config"].get("properties", {})
            definitions["trigger"]["allOf"].append({"if": _is_of(kind.name), "then": {"properties": told}})
    definitions["node"] = {
        "type": "object",
        "properties": format_schema.node_properties([kind.name for kind in kinds]),
        "required": ["id"],
        "additionalProperties": False,
        "allOf": rules,
    }
    return {
        "$schema": DIALECT,
        "title": "A pipeline of FlowHub",
        **format_schema.pipeline_schema(),
        "$defs": definitions,
    }


def _is_of(name: str) -> dict[str, Any]:
    return {"properties": {"type": {"const": name}}, "required": ["type"]}


def _only_loops_have_nodes() -> dict[str, Any]:
    loops = {"anyOf": [_is_of(implied.LOOP), {"required": ["loop"]}]}
    return {"if": loops, "then": {"required": ["nodes"]}, "else": {"properties": {"nodes": False, "edges": False}}}


def _a_type_or_a_task() -> dict[str, Any]:
    return {"oneOf": [{"required": ["type"]}, {"required": ["task"]}]}
