"""GET /api/v1/queues: what runs, what waits in which order, and for what."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query

from flowhub_assets.server.queue_views import MOST_LISTED, QueuesView, view_queues
from flowhub_assets.server.rest.callers import TheBackend, TheCaller

router = APIRouter(tags=["runs"])


@router.get("/api/v1/queues")
def list_queues(
    backend: TheBackend, caller: TheCaller, limit: Annotated[int, Query(ge=1, le=1_000)] = MOST_LISTED
) -> QueuesView:
    """All queues and pools; ``limit`` bounds the runs that are listed of each queue, not their counts."""
    caller.require("viewer", "look at queues")
    return view_queues(backend, most=limit)
