"""What a run gave: the pipeline's own value, from the storage in which its tasks have left theirs."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, cast

from dagster import DagsterInstance, DagsterRun, DagsterRunStatus, OpExecutionContext

from flowhub_assets.errors import Conflict
from flowhub_assets.ir.pipeline import FLOW_INPUT
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.run_views import no_run, view_of
from flowhub_assets.to_dagster.flow_run import FlowRun


@dataclass(frozen=True)
class _Resources:
    """As a step of the run finds them."""

    profile: ProfileResource
    storage: StorageResource


@dataclass(frozen=True)
class _Asked:
    """As much of a step's context as reading a value takes."""

    run: DagsterRun
    instance: DagsterInstance


def result_of(backend: Backend, run_id: str) -> dict[str, Any]:
    """The outputs that the pipeline names as its result, merged left to right.

    Raises NotFound, Conflict for a run that is not over or has not succeeded, StorageError, ProfileError.
    """
    run = backend.instance.get_run_by_id(run_id)
    if run is None:
        view = view_of(backend, run_id)
        raise _no_result(run_id, view.status)
    if run.status is not DagsterRunStatus.SUCCESS:
        raise _no_result(run_id, run.status.value)
    entry = backend.catalogue.get(run.job_name)
    if entry.flow.job.name != run.job_name:
        raise no_run(run_id)
    config: Any = (run.run_config or {}).get("resources", {})
    given = config.get(entry.params_key, {}).get("config", {})
    flow = FlowRun(entry.runnable, given, _resources(config), run)
    # A run that took only some of a pipeline's tasks up again finds the others' values in the runs before it.
    asked = cast(OpExecutionContext, _Asked(run, backend.instance))
    merged: dict[str, Any] = {}
    for name in entry.pipeline.result:
        value = flow.given if name == FLOW_INPUT else flow.load(asked, name)
        merged |= value or {}
    return merged


def _no_result(run_id: str, status: str) -> Conflict:
    return Conflict(
        f"run {run_id} is {status}, so that it has no result",
        effect="There is nothing to give.",
        remedy="A run that has succeeded has one.",
    )


def _resources(config: Any) -> _Resources:
    profile = {"name": read_settings().profile, **config.get("profile", {}).get("config", {})}
    fields = config.get("storage", {}).get("config", {})
    return _Resources(ProfileResource(**profile), StorageResource(**{key: _text(one) for key, one in fields.items()}))


def _text(value: Any) -> Any:
    """A text of run config; {"env": NAME} stands for the variable, as Dagster takes it."""
    return os.environ.get(value["env"]) if isinstance(value, dict) and set(value) == {"env"} else value
