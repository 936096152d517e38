"""POST /hooks/{pipeline}: deliveries of webhooks and bucket notifications."""

from __future__ import annotations

import asyncio

from fastapi import APIRouter, HTTPException, Request, Response
from fastapi.concurrency import run_in_threadpool

from flowhub_assets.errors import NotAllowed
from flowhub_assets.server.access import Caller
from flowhub_assets.server.hooks import receiving
from flowhub_assets.server.hooks.receiving import Arrived, Pending
from flowhub_assets.server.hooks.signatures import Request as Delivered
from flowhub_assets.server.rest.callers import TheBackend, caller_of
from flowhub_assets.store.deliveries import Answer

router = APIRouter(tags=["hooks"])

#: Seconds that a sender may take for its body, and that one waits whose delivery another request is answering.
_BODY_SECONDS, _WAIT_SECONDS, _LOOK_SECONDS = 30.0, 60.0, 0.05


@router.post(
    "/hooks/{hook:path}",
    responses={
        200: {"description": "The pipeline's own answer, whatever its status"},
        202: {"description": "Accepted: Location and url are the run's"},
    },
)
async def deliver(hook: str, request: Request, backend: TheBackend) -> Response:
    """Starts a run by a signed delivery; one that comes again is answered the same and starts nothing."""
    return await _deliver(hook, request, backend)


@router.api_route("/hooks/{hook:path}", methods=["GET", "PUT", "PATCH", "DELETE"], include_in_schema=False)
async def deliver_otherwise(hook: str, request: Request, backend: TheBackend) -> Response:
    """As POST, for hooks whose ``methods`` name more."""
    return await _deliver(hook, request, backend)


async def _deliver(hook: str, request: Request, backend: TheBackend) -> Response:
    try:
        body = await asyncio.wait_for(request.body(), _BODY_SECONDS)
    except TimeoutError:
        raise HTTPException(408, f"the body did not come within {_BODY_SECONDS:g} seconds") from None
    peer = request.client.host if request.client else ""
    arrived = Arrived(Delivered(request.headers.raw, body), request.method, hook, request.scope["query_string"], peer)
    found = await run_in_threadpool(receiving.receive, backend, arrived, lambda: _caller(request))
    last = asyncio.get_running_loop().time() + _WAIT_SECONDS
    while isinstance(found, Pending):
        if asyncio.get_running_loop().time() > last:
            raise HTTPException(503, "this delivery is still being answered", {"Retry-After": "5"})
        await asyncio.sleep(_LOOK_SECONDS)
        found = await run_in_threadpool(receiving.answer_of, backend, found)
    return _response(found)


def _caller(request: Request) -> Caller:
    """Who asks without a signature: on this machine a page could, by a mere link or picture, for whoever reads it."""
    caller = caller_of(request, None)
    if request.headers.get("sec-fetch-site", "none") not in ("none", "same-origin"):
        raise NotAllowed("a page of another site may not start runs", effect="Nothing was started.")
    return caller


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, dict(answer.headers))
