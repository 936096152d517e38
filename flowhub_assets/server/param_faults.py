"""The params of a request against what the pipeline takes: told field by field, before a run exists."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.ir.param_checks import TRIGGER, field_faults
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.typed_values import form_of, typed_path


def checked_params(runnable: Runnable, params: Mapping[str, Any], trigger: Mapping[str, Any] | None) -> dict[str, Any]:
    """The params as they will be given to the run. Raises ParamsRefused, which names every wrong field."""
    given = dict(params) if trigger is None else {**params, TRIGGER: trigger}
    faults = list(field_faults(runnable.pipeline, given))
    if not faults and runnable.params_type is not None:
        faults = typed_faults(runnable.params_type, params)
    elif not faults:
        faults = [("", what, remedy) for what, remedy in runnable.input_faults(given)]
    if faults:
        name = runnable.pipeline.name
        told = "; ".join(what for _, what, _ in faults[:10])
        raise ParamsRefused(
            f"{name} cannot be started with these params: {told}",
            effect="Nothing was started.",
            remedy=faults[0][2] if len(faults) == 1 else f"flowhub run {name} --help shows its params.",
            fields=tuple(faults),
        )
    return dict(params)


def typed_faults(kind: type[Any], params: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """What the class of the params finds wrong in them: the path of each field, what is wrong, what to do."""
    return [told_fault(path, what) for path, what in form_of(kind).faults(params)]


def told_fault(path: tuple[Any, ...], what: str) -> tuple[str, str, str]:
    """One fault of a typed value as ParamsRefused tells it."""
    place = typed_path(path)
    return place, f"params.{place}: {what}" if place else what, "give it another value"
