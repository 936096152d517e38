"""The params that a run is given, against the whole of their JSON Schemas: what run config cannot say of them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.param_checks import given_faults
from flowhub_assets.ir.pipeline import Pipeline

_LONGEST_TOLD = 300


def require_params(pipeline: Pipeline, given: Mapping[str, Any]) -> None:
    """Raises one InputError that names every param which is missing, unknown, or not what its schema says."""
    faults = list(given_faults(pipeline, given)) or list(_schema_faults(pipeline, given))
    if faults:
        raise InputError(
            "; ".join(what for what, _ in faults),
            where=pipeline.source,
            effect="Nothing of this run was started.",
            remedy=faults[0][1] if len(faults) == 1 else "Launch it again with other params.",
        )


def _schema_faults(pipeline: Pipeline, given: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """What the plain checks do not mind: combined schemas, formats of objects, references and the like."""
    schemas = {name: schema for name, schema in pipeline.param_schemas.items() if name in given}
    if not schemas:
        return
    from jsonschema import Draft202012Validator, SchemaError
    from jsonschema.exceptions import best_match
    from referencing import Registry
    from referencing.exceptions import Unresolvable

    for name, schema in schemas.items():
        try:
            Draft202012Validator.check_schema(schema)
            # A registry of its own: the default one would fetch what a $ref names from the network.
            error = best_match(Draft202012Validator(schema, registry=Registry()).iter_errors(given[name]))
        except SchemaError as wrong:
            yield f"the schema of param {name!r} is wrong: {_short(wrong.message)}", "mend the schema"
        except Unresolvable as wrong:
            yield f"the schema of param {name!r} refers to what it does not hold: {_short(str(wrong))}", "write it out"
        else:
            if error is not None:
                place = "".join(f"[{part!r}]" for part in error.absolute_path)
                yield (
                    f"param {name!r} does not fit its schema: {place and place + ': '}{_short(error.message)}",
                    ("give it another value"),
                )


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST_TOLD else f"{text[:_LONGEST_TOLD]}..."
