"""POST /api/v1/pipelines/{name}/runs: starts a run."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Header, Response
from pydantic import BaseModel, ConfigDict, Field

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.matrix import PATIENCE, StartedCell, start_each
from flowhub_assets.server.rest.callers import TheBackend, TheCaller
from flowhub_assets.server.runs import KEY_LIFETIME, Started, StartRequest

router = APIRouter(tags=["runs"])

_PARTITION = "Which; of spans of time the last one if none is named. Of keys a pattern, iris|*, starts a run for each."


class StartBody(BaseModel):
    """What a run is started with."""

    model_config = ConfigDict(extra="forbid")

    params: dict[str, Any] = Field(default_factory=dict, description="The params of the pipeline.")
    env: str | None = Field(None, max_length=255, description="The profile that the run takes.")
    queue: str | None = Field(None, max_length=63, description="The queue that it waits in.")
    priority: int | None = Field(None, ge=-1_000_000, le=1_000_000, description="A higher number goes first.")
    partition: str | None = Field(None, max_length=255, description=_PARTITION)
    key_lifetime: float = Field(KEY_LIFETIME, gt=0, le=366 * 24 * 3_600, description="Seconds for which the key holds.")
    force: bool = Field(False, description="Start also if the key was used before.")
    latest_of: str | None = Field(None, max_length=255, description="Runs of this key that still wait are dropped.")


class StartedBody(BaseModel):
    """The run that was started, or that had been started by the same key."""

    run_id: str
    pipeline: str
    is_new: bool
    reason: str
    url: str


class StartedCellBody(StartedBody):
    """The run of one of the partitions that a pattern means."""

    partition: str


@router.post("/api/v1/pipelines/{pipeline}/runs", status_code=202)
def start_run(
    pipeline: str,
    body: StartBody,
    backend: TheBackend,
    caller: TheCaller,
    response: Response,
    idempotency_key: Annotated[str | None, Header(max_length=255)] = None,
) -> StartedBody | list[StartedCellBody]:
    """Starts a run and answers 202 once it can no longer be lost; 200 with the earlier run of the same key.

    Of a pipeline whose partitions are keys a pattern starts a run for each that it means, and all of them answer.
    """
    caller.require("runner", f"start {pipeline}")
    request = StartRequest(
        pipeline=pipeline,
        params=body.params,
        profile=body.env,
        queue=body.queue,
        priority=body.priority,
        partition=body.partition,
        key=idempotency_key,
        key_lifetime=body.key_lifetime,
        force=body.force,
        latest_of=body.latest_of,
        door="http",
        caller=caller.name,
        peer=caller.peer,
    )
    cells = start_each(backend, request, PATIENCE)
    if cells:
        if not any(cell.started.is_new for cell in cells):
            response.status_code = 200
        return [_cell_body(backend, cell) for cell in cells]
    started = backend.runs.start(request)
    if not started.is_new:
        response.status_code = 200
    response.headers["Location"] = f"/api/v1/runs/{started.run_id}"
    return started_body(backend, started)


def _cell_body(backend: Backend, cell: StartedCell) -> StartedCellBody:
    return StartedCellBody(**started_body(backend, cell.started).model_dump(), partition=cell.partition)


def started_body(backend: Backend, started: Started) -> StartedBody:
    """The answer to whoever started a run."""
    url = backend.run_url(started.run_id)
    return StartedBody(
        run_id=started.run_id, pipeline=started.pipeline, is_new=started.is_new, reason=started.reason, url=url
    )
