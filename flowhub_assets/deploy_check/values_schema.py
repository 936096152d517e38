"""Values against the schema of the official chart."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowhub_assets.deploy_check.layers import Layers, at
from flowhub_assets.from_yaml.problem import FileProblem
from flowhub_assets.ir.spelling import did_you_mean

if TYPE_CHECKING:
    from jsonschema.exceptions import ValidationError

_EFFECT = "helm refuses the values"


def schema_problems(layers: Iterable[Layers], schema: Path) -> Iterator[FileProblem]:
    """What the chart would refuse. A key that is only missing is no problem: the chart's own values have it.

    That holds outside lists; inside them Helm merges nothing.
    """
    from jsonschema import Draft202012Validator

    validator = Draft202012Validator(json.loads(schema.read_text("utf-8")))
    for values in layers:
        for error in validator.iter_errors(values.data):
            wrong = _wrong(error)
            if wrong is not None:
                yield _told(wrong, values)


def _wrong(error: ValidationError) -> ValidationError | None:
    """The innermost thing that is wrong, None where keys are missing that the chart's own values have."""
    if error.validator == "required" and not any(isinstance(part, int) for part in error.absolute_path):
        return None
    if error.validator not in ("anyOf", "oneOf") or not error.context:
        return error
    branches: dict[Any, list[ValidationError]] = {}
    for inner in error.context:
        wrong = _wrong(inner)
        branches.setdefault(inner.relative_schema_path[0], []).extend([wrong] if wrong is not None else [])
    if any(not found for found in branches.values()):
        return None
    deepest = max((one for found in branches.values() for one in found), key=lambda one: len(one.absolute_path))
    return deepest if len(deepest.absolute_path) > len(error.absolute_path) else error


def _told(error: ValidationError, values: Layers) -> FileProblem:
    path = tuple(error.absolute_path)
    if error.validator == "additionalProperties" and isinstance(error.instance, dict):
        known = list(at(error.schema, "properties", default={}))
        extra = next(key for key in error.instance if key not in known)
        what = f"the chart has no value {_dotted((*path, extra))}"
        remedy = did_you_mean(extra, known) or f"take it out; the chart knows {', '.join(known)}"
        return FileProblem(*values.place((*path, extra), key=True), what, _EFFECT, remedy)
    return FileProblem(*values.place(path), f"{_dotted(path)}: {error.message}", _EFFECT, "change it as the chart says")


def _dotted(path: Iterable[str | int]) -> str:
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".") or "the values"
