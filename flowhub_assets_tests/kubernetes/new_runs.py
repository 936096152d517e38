"""A run in Dagster's storage that a run launcher can start, made without the webserver and the queue."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

import dagster as dg
from dagster._core.definitions.assets.graph.asset_graph import AssetGraph


def new_run(
    instance: dg.DagsterInstance, job: str, code: Any, config: Mapping[str, Any] | None = None, *, remote: Any = None
) -> dg.DagsterRun:
    """A run of ``job``, not started. ``code`` is its Python origin, ``remote`` its origin in a workspace."""
    return instance.create_run(
        job_name=job,
        run_id=str(uuid.uuid4()),
        run_config=dict(config or {}),
        status=dg.DagsterRunStatus.NOT_STARTED,
        tags={},
        remote_job_origin=remote,
        job_code_origin=code,
        resolved_op_selection=None,
        step_keys_to_execute=None,
        execution_plan_snapshot=None,
        job_snapshot=None,
        parent_job_snapshot=None,
        root_run_id=None,
        parent_run_id=None,
        op_selection=None,
        asset_selection=None,
        asset_check_selection=None,
        asset_graph=AssetGraph.from_assets([]),
    )
