"""The JSON Schemas of a kind's config and inputs, as an editor needs them: a template may stand for any value."""

from __future__ import annotations

from typing import Any

from flowhub_assets.nodes.sdk import Node, NodeModel
from flowhub_assets.nodes.verbatim import verbatim_fields

Schema = dict[str, Any]

#: A text that is rendered when the node starts.
TEMPLATE: Schema = {"type": "string", "pattern": r"\{\{|\{%", "description": "A template: {{other-node.output}}."}

#: Where a schema holds others: by name, in a list, or one.
_BY_NAME = ("properties", "patternProperties", "$defs")
_LISTS = ("anyOf", "oneOf", "allOf", "prefixItems")
_SINGLE = ("items", "additionalProperties")


def kind_schema(kind: type[Node]) -> tuple[Schema, dict[str, Schema]]:
    """What an entry of this kind holds under config and inputs, and the definitions that it refers to."""
    definitions: dict[str, Schema] = {}
    inputs = _model_schema(kind, kind.Input, "Input", definitions)
    if kind.Config is None:
        # Whatever stands under config is input too, so neither can say alone what is missing.
        both = {key: value for key, value in inputs.items() if key not in ("required", "allOf")}
        definitions[f"{kind.name}.inputs"] = both
        reference = {"$ref": f"#/$defs/{kind.name}.inputs"}
        return {"properties": {"config": reference, "inputs": reference}}, definitions
    definitions[f"{kind.name}.config"] = config = _model_schema(kind, kind.Config, "Config", definitions)
    definitions[f"{kind.name}.inputs"] = inputs
    required = [name for name, one in (("config", config), ("inputs", inputs)) if "required" in one or "allOf" in one]
    part: Schema = {
        "properties": {name: {"$ref": f"#/$defs/{kind.name}.{name}"} for name in ("config", "inputs")},
    }
    return {**part, **({"required": required} if required else {})}, definitions


def _model_schema(kind: type[Node], model: type[NodeModel], what: str, definitions: dict[str, Schema]) -> Schema:
    schema = model.model_json_schema(ref_template=f"#/$defs/{kind.name}.{what}.{{model}}")
    for name, inner in schema.pop("$defs", {}).items():
        definitions[f"{kind.name}.{what}.{name}"] = _with_templates(inner, frozenset())
    schema = _with_templates(schema, verbatim_fields(model))
    schema.pop("title", None)
    schema.pop("description", None)
    return _with_python_names(schema, model)


def _with_python_names(schema: Schema, model: type[NodeModel]) -> Schema:
    """A field may also be written as Python does, max_tokens; an editor proposes maxTokens alone."""
    properties: dict[str, Schema] = schema.get("properties", {})
    required: list[str] = schema.pop("required", [])
    patterns: dict[str, Schema] = {}
    either: list[Schema] = []
    for name, field in model.model_fields.items():
        alias = field.alias or name
        if alias == name or alias not in properties:
            continue
        patterns[f"^{name}$"] = properties[alias]
        if alias in required:
            required.remove(alias)
            either.append({"anyOf": [{"required": [alias]}, {"required": [name]}]})
    return {
        **schema,
        **({"patternProperties": patterns} if patterns else {}),
        **({"required": required} if required else {}),
        **({"allOf": either} if either else {}),
    }


def _with_templates(schema: Any, verbatim: frozenset[str]) -> Any:
    """``schema`` with a template allowed for each value in it; not for what is ``verbatim``."""
    if not isinstance(schema, dict):
        return schema
    changed = dict(schema)
    for key in _BY_NAME:
        if key in changed:
            changed[key] = {name: inner if name in verbatim else _value(inner) for name, inner in changed[key].items()}
    for key in _LISTS:
        if key in changed:
            changed[key] = [_with_templates(inner, frozenset()) for inner in changed[key]]
    for key in _SINGLE:
        if isinstance(changed.get(key), dict):
            changed[key] = _value(changed[key])
    return changed


def _value(schema: Any) -> Any:
    inner = _with_templates(schema, frozenset())
    if not isinstance(inner, dict) or not _refuses_text(inner):
        return inner
    outside = {key: inner.pop(key) for key in ("description", "default", "title", "examples") if key in inner}
    outside.pop("title", None)
    options = inner["anyOf"] if set(inner) == {"anyOf"} else [inner]
    return {**outside, "anyOf": [*options, TEMPLATE]}


def _refuses_text(schema: Schema) -> bool:
    """Whether some text does not fit, so that a template has to be allowed by itself."""
    if not set(schema) - {"description", "default", "title", "examples"}:
        return False
    if schema.get("type") == "string":
        return bool({"pattern", "format", "enum", "const", "minLength", "maxLength"} & set(schema))
    if "anyOf" in schema:
        return all(_refuses_text(one) for one in schema["anyOf"] if isinstance(one, dict))
    return True
