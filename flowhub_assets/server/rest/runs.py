"""GET /api/v1/runs and what lies below: what becomes of runs, their logs, their values; cancel and retry."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from typing import Annotated, Any

from fastapi import APIRouter, Query
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field

from flowhub_assets.server import run_acts, run_events, run_results, run_views
from flowhub_assets.server.audit import note
from flowhub_assets.server.rest.callers import TheBackend, TheCaller
from flowhub_assets.server.rest.starting import StartedBody, started_body

router = APIRouter(prefix="/api/v1/runs", tags=["runs"])

_MOST = 500


class StepBody(BaseModel):
    """One step of a run. Times are seconds since 1970."""

    step: str
    status: str
    attempt: int
    started: float | None
    ended: float | None


class RunBody(BaseModel):
    """One run; ``status`` is Dagster's, or what only FlowHub knows: ACCEPTED, DELAYED, SUPERSEDED, FAILED_TO_LAUNCH."""

    run_id: str
    pipeline: str
    job: str
    status: str
    created: float
    started: float | None
    ended: float | None
    queue: str
    priority: int
    door: str
    caller: str
    tags: dict[str, str]
    steps: list[StepBody]
    error: str
    url: str
    parent_run_id: str


class RunsBody(BaseModel):
    """Runs, the newest first."""

    runs: list[RunBody]


class EventBody(BaseModel):
    """One event; ``kind`` LOG is a line that a task has printed."""

    cursor: str
    time: float
    kind: str
    step: str
    level: str
    message: str
    attempt: int


class EventsBody(BaseModel):
    """Events, and where the next ones begin."""

    events: list[EventBody]
    cursor: str


class RetryBody(BaseModel):
    """What is run again: what had not ended well, or some steps with all that follows them."""

    model_config = ConfigDict(extra="forbid")

    from_failure: bool = True
    steps: list[str] = Field(default_factory=list, max_length=1_000)


@router.get("")
def list_runs(
    backend: TheBackend,
    caller: TheCaller,
    pipeline: Annotated[str | None, Query(max_length=255)] = None,
    status: Annotated[list[str] | None, Query(max_length=20)] = None,
    limit: Annotated[int, Query(ge=1, le=_MOST)] = 50,
    before: Annotated[str | None, Query(max_length=255)] = None,
) -> RunsBody:
    """Runs, the newest first; ``before`` is the id of the last one that is known."""
    caller.require("viewer", "list runs")
    found = run_views.list_runs(backend, pipeline=pipeline, statuses=status or (), limit=limit, before=before)
    return RunsBody(runs=[_body(run) for run in found])


@router.get("/{run_id}")
def get_run(run_id: str, backend: TheBackend, caller: TheCaller) -> RunBody:
    """One run with its steps."""
    caller.require("viewer", "look at runs")
    return _body(run_views.view_run(backend, run_id))


@router.get("/{run_id}/events")
def get_events(
    run_id: str,
    backend: TheBackend,
    caller: TheCaller,
    after: Annotated[str | None, Query(max_length=100_000)] = None,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 1_000,
) -> EventsBody:
    """Its events and log lines behind the cursor ``after``."""
    caller.require("viewer", "look at runs")
    events, cursor = run_events.events_after(backend, run_id, after, limit=limit)
    return EventsBody(events=[EventBody(**asdict(event)) for event in events], cursor=cursor)


@router.get(
    "/{run_id}/watch",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/event-stream": {}}}},
)
def watch_run(
    run_id: str,
    backend: TheBackend,
    caller: TheCaller,
    after: Annotated[str | None, Query(max_length=100_000)] = None,
) -> StreamingResponse:
    """Its events as they come, as server-sent events, until it is over."""
    caller.require("viewer", "look at runs")
    run_views.view_run(backend, run_id)

    def told() -> Iterator[str]:
        for event in run_events.watch(backend, run_id, cursor=after):
            yield f"data: {json.dumps(asdict(event), ensure_ascii=False)}\n\n"
        end = json.dumps(asdict(run_views.view_run(backend, run_id)), ensure_ascii=False)
        yield f"event: end\ndata: {end}\n\n"

    return StreamingResponse(told(), media_type="text/event-stream", headers={"Cache-Control": "no-store"})


@router.get(
    "/{run_id}/logs/{step}",
    response_class=StreamingResponse,
    responses={200: {"content": {"text/plain": {}}}},
)
def get_log(
    run_id: str,
    step: str,
    backend: TheBackend,
    caller: TheCaller,
    attempt: Annotated[int | None, Query(ge=1, le=1_000)] = None,
    follow: bool = False,
) -> StreamingResponse:
    """What a step has printed; with ``follow`` until the run is over."""
    caller.require("viewer", "look at runs")
    if follow:
        lines: Iterator[str] = run_events.follow_log(backend, run_id, step, attempt)
        first = next(lines, "")
        return _plain(_after(first, lines))
    return _plain(iter([run_events.log_text(backend, run_id, step, attempt)]))


@router.get("/{run_id}/result")
def get_result(run_id: str, backend: TheBackend, caller: TheCaller) -> dict[str, Any]:
    """The pipeline's own value. 409 while there is none."""
    caller.require("viewer", "look at runs")
    return run_results.result_of(backend, run_id)


@router.post("/{run_id}/cancel")
def cancel_run(run_id: str, backend: TheBackend, caller: TheCaller) -> RunBody:
    """Stops it. 409 if it is over."""
    caller.require("runner", "cancel runs")
    run = run_acts.cancel_run(backend, run_id, caller)
    note(backend.database, caller, "http", "cancel", run_id)
    return _body(run)


@router.post("/{run_id}/retry", status_code=202)
def retry_run(run_id: str, body: RetryBody, backend: TheBackend, caller: TheCaller) -> StartedBody:
    """Starts it once more, as a new run. 409 if it is not over."""
    caller.require("runner", "retry runs")
    started = run_acts.retry_run(
        backend, run_id, from_failure=body.from_failure and not body.steps, steps=body.steps, caller=caller
    )
    note(backend.database, caller, "http", "retry", run_id, detail=started.run_id)
    return started_body(backend, started)


def _body(run: run_views.RunView) -> RunBody:
    return RunBody.model_validate(asdict(run))


def _plain(lines: Iterator[str]) -> StreamingResponse:
    return StreamingResponse(lines, media_type="text/plain; charset=utf-8", headers={"Cache-Control": "no-store"})


def _after(first: str, lines: Iterator[str]) -> Iterator[str]:
    yield first
    yield from lines
