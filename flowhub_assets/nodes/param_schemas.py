"""Values of params against the whole of JSON Schema; ir.param_checks minds the plain parts, and tells them better."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.ir.param_checks import param_path

_LONGEST_TOLD = 300


def schema_faults(schemas: Mapping[str, Mapping[str, Any]], given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What is wrong with each of the ``given`` params that has a schema, and what to do.

    Schemas are of draft 2020-12; what a ``$ref`` names elsewhere is not fetched.
    """
    for name, schema in schemas.items():
        if name in given:
            yield from _faults_of(name, schema, given[name])


def _faults_of(name: str, schema: Mapping[str, Any], value: Any) -> Iterator[tuple[str, str]]:
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    try:
        Draft202012Validator.check_schema(schema)
        # A registry of its own: the default one would fetch what a $ref names from the network.
        error = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(value))
    except SchemaError as wrong:
        yield f"the schema of param {name!r} is wrong: {_short(wrong.message)}", "mend the schema"
    except Unresolvable as wrong:
        yield f"the schema of param {name!r} refers to what it does not hold: {_short(str(wrong))}", "write it out"
    else:
        if error is not None:
            path = tuple(error.absolute_path)
            place = param_path(name, path) if path else f"param {name!r}"
            yield f"{place} does not fit its schema: {_short(error.message)}", "give it another value"


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."
