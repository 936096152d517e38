"""The params that a run is given, against the whole of their JSON Schemas: what run config cannot say of them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ir.param_checks import given_faults
from flowhub_assets.runtime.step import Runnable


def require_params(runnable: Runnable, given: Mapping[str, Any]) -> None:
    """Raises one InputError that names every param which is missing, unknown, or not what its schema says."""
    pipeline = runnable.pipeline
    if not pipeline.param_schemas:
        return
    faults = list(given_faults(pipeline, given)) or list(runnable.input_faults(given))
    if faults:
        raise InputError(
            "; ".join(what for what, _ in faults),
            where=pipeline.source,
            effect="Nothing of this run was started.",
            remedy=faults[0][1] if len(faults) == 1 else "Launch it again with other params.",
        )
