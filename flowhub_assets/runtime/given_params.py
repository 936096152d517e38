"""The params that a run is given, against their schemas: at every door, before anything runs."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.param_checks import given_faults
from flowhub_assets.runtime.step import Runnable


def require_params(runnable: Runnable, given: Mapping[str, Any], *, effect: str, how: str) -> None:
    """Raises one InputError that names every param which is missing, unknown, or not what its schema says.

    ``how`` says, behind "give it", by what a run of this door is given its params; ``effect`` is the error's.
    """
    pipeline = runnable.pipeline
    faults = list(given_faults(pipeline, given)) or list(runnable.input_faults(given))
    if not faults:
        return
    remedy = faults[0][1] if len(faults) == 1 else "give each"
    if remedy.startswith("give "):
        remedy = f"{remedy} {how}"
    where = runnable.params_source or pipeline.source
    raise InputError("; ".join(what for what, _ in faults), where=where, effect=effect, remedy=remedy)
