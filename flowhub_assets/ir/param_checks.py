"""Checks of a pipeline's params: that each default is what its schema says, as far as the schema is plain.

The whole of JSON Schema is minded where params are given to a run; here stands what needs no library.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.regex_cost import can_take_forever
from flowhub_assets.ir.schema_references import resolved
from flowhub_assets.ir.spelling import did_you_mean, listed

#: The types of JSON Schema, and what Python calls them.
TYPES: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "number": (int, float),
    "integer": (int, float),
    "boolean": (bool,),
    "array": (list, tuple),
    "object": (Mapping,),
    "null": (type(None),),
}

#: How a message names them.
_TOLD_TYPES: Mapping[str, str] = {
    **{kind: f"a {kind}" for kind in ("string", "number", "boolean")},
    **{kind: f"an {kind}" for kind in ("integer", "array", "object")},
}

#: The keys and indices that lead to what is wrong, and what is wrong with it, to be read behind its name.
Fault = tuple[tuple[Union[str, int], ...], str]

_DAY, _CLOCK = r"[0-9]{4}-[0-9]{2}-[0-9]{2}", r"[0-9]{2}:[0-9]{2}(:[0-9]{2}([.,][0-9]+)?)?"
_ZONE = r"([Zz]|[+-][0-9]{2}:?[0-9]{2})?"

#: A format of JSON Schema → how a message names it, and what its texts look like; a model knows more.
_FORMS: Mapping[str, tuple[str, str]] = {
    "date": ("a date, as 2026-01-31", rf"{_DAY}([Tt ]00:00(:00(\.0+)?)?{_ZONE})?"),
    "date-time": ("a time, as 2026-01-31T09:00:00+09:00", rf"{_DAY}([Tt _ ]{_CLOCK}{_ZONE})?"),
}

_WORD = re.compile(r"[^\W\d][\w-]*")

_LONGEST_SHOWN = 60
_LONGEST_PATTERN = 1_000


def params_fit_their_schemas(pipeline: Pipeline) -> Iterator[Problem]:
    """A param's schema can be read, and its default is one that it takes."""
    schemas: Mapping[str, object] = pipeline.param_schemas
    for name, schema in schemas.items():
        if name == "env":
            effect = "each task finds its profile under that name"
            yield Problem("a param is named 'env'", pipeline.source, effect, "choose another name")
        if not isinstance(schema, Mapping):
            remedy = "write {type: string}, or another type of JSON Schema"
            yield Problem(f"the schema of param {name!r} is {_shown(schema)}", pipeline.source, remedy=remedy)
            continue
        faults = list(_schema_faults(schema))
        for what, remedy in faults:
            yield Problem(f"the schema of param {name!r} {what}", pipeline.source, "no value could fit", remedy)
        if not faults and name in pipeline.params:
            path, fault = value_fault(pipeline.params[name], schema)
            if fault:
                what = f"the default of param {name!r}{f': {param_path(name, path)}' if path else ''} {fault}"
                remedy = "mend the default or the schema; leave the default out where the param must be given"
                yield Problem(what, pipeline.source, "a run without that param would be refused", remedy)


#: What a run may be given beside its params: what started it, a webhook's body say.
TRIGGER = "trigger"


def given_faults(pipeline: Pipeline, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with the params that a run is ``given``, and what to do; for a pipeline with schemas alone.

    A pipeline without schemas takes any input, as a workflow script does.
    """
    for _, what, remedy in field_faults(pipeline, given):
        yield what, remedy


def field_faults(pipeline: Pipeline, given: Mapping[str, Any]) -> Iterator[tuple[str, str, str]]:
    """As given_faults, each behind the field that it is about, as ``cities[0].name``."""
    if not pipeline.param_schemas:
        return
    known = dict.fromkeys([*pipeline.params, *pipeline.param_schemas])
    for name in given:
        if name not in known and name != TRIGGER:
            remedy = did_you_mean(name, known) or f"the params are {listed(known)}"
            yield name, f"there is no param {name!r}", remedy
    for name, schema in pipeline.param_schemas.items():
        if name not in given and name not in pipeline.params:
            yield name, f"param {name!r} is missing, and it has no default", "give it"
        elif name in given:
            path, fault = value_fault(given[name], schema)
            if fault:
                what = f"{param_path(name, path) if path else f'param {name!r}'} {fault}"
                yield param_path(name, path).removeprefix("params."), what, "give it another value"


def param_path(name: str, path: Sequence[str | int]) -> str:
    """How a message calls what stands at ``path`` in param ``name``: ``params.cities[0].name``."""
    return f"params{''.join(map(_step, (name, *path)))}"


def _step(step: str | int) -> str:
    return f".{step}" if isinstance(step, str) and _WORD.fullmatch(step) else f"[{step!r}]"


def _schema_faults(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    for kind in _types(schema):
        if not isinstance(kind, str) or kind not in TYPES:
            hint = did_you_mean(str(kind), TYPES) or f"the types are {listed(TYPES)}"
            yield f"has the type {_shown(kind)}", hint
    choices = schema.get("enum")
    if choices is not None and (not isinstance(choices, (list, tuple)) or not choices):
        yield f"has the enum {_shown(choices)}", "write a list of the values that it takes"
    for least, most in (("minimum", "maximum"), ("minLength", "maxLength"), ("minItems", "maxItems")):
        bounds = [schema[key] for key in (least, most) if key in schema]
        wrong = [bound for bound in bounds if not _is_number(bound)]
        if wrong:
            yield f"has the bound {_shown(wrong[0])}", "write a number"
        elif len(bounds) == 2 and bounds[0] > bounds[1]:
            yield f"has {least} {bounds[0]} above {most} {bounds[1]}", "exchange them"
    fault = _pattern_fault(schema["pattern"]) if schema.get("pattern") is not None else ""
    if fault:
        remedy = "write a regular expression that a text fits in one way only"
        yield f"has the pattern {_shown(schema['pattern'])}, {fault}", remedy
    required = schema.get("required")
    if required is not None and not (isinstance(required, (list, tuple)) and all(isinstance(k, str) for k in required)):
        yield f"has {_shown(required)} as what is required", "write a list of keys"
    yield from _inner_schema_faults(schema)


def _inner_schema_faults(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    inner = schema.get("properties")
    parts = [(f"property {key!r}", part) for key, part in inner.items()] if isinstance(inner, Mapping) else []
    for place, part in [*parts, ("items", schema.get("items"))]:
        if isinstance(part, Mapping):
            yield from ((f"{what} in its {place}", remedy) for what, remedy in _schema_faults(part))


def _pattern_fault(pattern: object) -> str:
    if not isinstance(pattern, str):
        return "which is no text"
    if len(pattern) > _LONGEST_PATTERN:
        return f"which is longer than {_LONGEST_PATTERN:,} characters"
    try:
        re.compile(pattern)
        forever = can_take_forever(pattern)
    except (re.error, OverflowError, RecursionError) as error:
        return f"in which there is a mistake: {error}"
    if forever:
        return "which can take forever on a text that nearly fits: a repetition in it holds another one"
    return ""


def value_fault(value: object, schema: Mapping[str, Any], defs: Optional[Mapping[str, Any]] = None) -> Fault:
    """Why ``value`` does not fit the plain parts of ``schema``; no words if it does.

    Minded are type, enum, const, pattern, the form of dates, bounds of numbers, texts and lists, required, anyOf, and
    the same in properties, further properties and items, and in what a $ref names among ``defs``: the schema's own.
    """
    if defs is None:
        found = schema.get("$defs")
        defs = found if isinstance(found, Mapping) else {}
    schema = resolved(schema, defs)
    kinds = _types(schema)
    if kinds and not any(_is_of(value, kind) for kind in kinds):
        return (), f"is {_shown(value)}, and is to be {' or '.join(_TOLD_TYPES.get(kind, kind) for kind in kinds)}"
    fault = _choice_fault(value, schema.get("enum"))
    if not fault and "const" in schema:
        fault = _choice_fault(value, [schema["const"]])
    fault = fault or _mismatch(value, schema.get("pattern")) or _bound_fault(value, schema)
    fault = fault or _date_fault(value, schema.get("format"))
    return (
        ((), fault)
        if fault
        else _any_fault(value, schema, defs)
        if "anyOf" in schema
        else _inner_fault(value, schema, defs)
    )


def _any_fault(value: object, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Fault:
    """No fault where one of the ways fits; else that of the only way beside null, or of the one that goes furthest."""
    ways = [one for one in schema["anyOf"] if isinstance(one, Mapping)] if isinstance(schema["anyOf"], list) else []
    faults = [value_fault(value, one, defs) for one in ways]
    if not all(fault for _, fault in faults) or not faults:
        return _inner_fault(value, schema, defs)
    told = [fault for way, fault in zip(ways, faults) if _types(resolved(way, defs)) != ["null"]]
    deepest = max(told or faults, key=lambda fault: len(fault[0]))
    kinds = dict.fromkeys(kind for way in ways for kind in _types(resolved(way, defs)))
    if deepest[0] or len(told) == 1 or not kinds:
        return deepest
    return (), f"is {_shown(value)}, and is to be {' or '.join(_TOLD_TYPES.get(kind, kind) for kind in kinds)}"


def _date_fault(value: object, form: object) -> str:
    if not isinstance(value, str) or form not in _FORMS:
        return ""
    told, pattern = _FORMS[str(form)]
    return "" if re.fullmatch(pattern, value) else f"is {_shown(value)}, and is to be {told}"


def _choice_fault(value: object, choices: object) -> str:
    if not isinstance(choices, (list, tuple)) or any(_same(value, choice) for choice in choices):
        return ""
    hint = did_you_mean(value, [c for c in choices if isinstance(c, str)]) if isinstance(value, str) else ""
    told = f"is {_shown(value)}, not one of {listed(_shown(choice) for choice in choices)}"
    return f"{told}: {hint}" if hint else told


def _mismatch(value: object, pattern: object) -> str:
    if not isinstance(value, str) or not isinstance(pattern, str) or _pattern_fault(pattern):
        return ""
    return "" if re.search(pattern, value) else f"is {_shown(value)}, which does not match {pattern}"


def _bound_fault(value: object, schema: Mapping[str, Any]) -> str:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        size, words, told = value, ("minimum", "maximum"), _shown(value)
        above, below = _bound(schema, "exclusiveMinimum"), _bound(schema, "exclusiveMaximum")
        if above is not None and value <= above:
            return f"is {told}, not above {above}"
        if below is not None and value >= below:
            return f"is {told}, not below {below}"
    elif isinstance(value, str):
        size, words, told = len(value), ("minLength", "maxLength"), f"{len(value)} characters long"
    elif isinstance(value, (list, tuple)):
        size, words, told = len(value), ("minItems", "maxItems"), f"{len(value)} items long"
    else:
        return ""
    least, most = _bound(schema, words[0]), _bound(schema, words[1])
    if least is not None and size < least:
        return f"is {told}, below the {words[0]} {least}"
    if most is not None and size > most:
        return f"is {told}, above the {words[1]} {most}"
    return ""


def _bound(schema: Mapping[str, Any], key: str) -> Optional[float]:
    return schema[key] if _is_number(schema.get(key)) else None


def _inner_fault(value: object, schema: Mapping[str, Any], defs: Mapping[str, Any]) -> Fault:
    parts: list[tuple[str | int, object, Optional[object]]] = []
    if isinstance(value, Mapping):
        missing = [key for key in _listed(schema.get("required")) if key not in value]
        if missing:
            return (), f"has no {listed(map(repr, missing))}"
        found, others = schema.get("properties"), schema.get("additionalProperties")
        inner = found if isinstance(found, Mapping) else {}
        parts = [(key, item, inner.get(key, others)) for key, item in value.items()]
        extra = [key for key in value if others is False and key not in inner and "patternProperties" not in schema]
        if extra:
            hint = did_you_mean(str(extra[0]), inner) or f"it has {listed(inner)}"
            return (), f"has a field {extra[0]!r} that it does not take: {hint}"
    elif isinstance(value, (list, tuple)):
        parts = [(number, item, schema.get("items")) for number, item in enumerate(value)]
    for step, item, part in parts:
        path, fault = value_fault(item, part, defs) if isinstance(part, Mapping) else ((), "")
        if fault:
            return (step, *path), fault
    return (), ""


def _types(schema: Mapping[str, Any]) -> list[Any]:
    kind = schema.get("type")
    return [] if kind is None else list(kind) if isinstance(kind, (list, tuple)) else [kind]


def _listed(value: object) -> list[str]:
    return list(value) if isinstance(value, (list, tuple)) else []


def _is_of(value: object, kind: str) -> bool:
    if isinstance(value, bool):
        return kind == "boolean"
    if kind == "integer" and isinstance(value, float):
        return value.is_integer()
    return kind not in TYPES or isinstance(value, TYPES[kind])


def _same(one: object, other: object) -> bool:
    return one == other and isinstance(one, bool) == isinstance(other, bool)


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."


CHECKS = (params_fit_their_schemas,)
