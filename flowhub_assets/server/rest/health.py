"""GET /health, /healthz, /readyz, /metrics: whether the server lives, whether it can take requests, what it did."""

from __future__ import annotations

from typing import Literal

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from flowhub_assets.server.metrics import CONTENT_TYPE, Metrics
from flowhub_assets.server.rest.callers import TheBackend, TheCaller

router = APIRouter(tags=["health"])


class Health(BaseModel):
    """``status`` is ok or ready."""

    status: Literal["ok", "ready"]


@router.get("/healthz", include_in_schema=False)
@router.get("/health")
async def health() -> Health:
    """The server lives."""
    return Health(status="ok")


@router.get("/readyz")
def ready(backend: TheBackend) -> Health:
    """It can take requests: its database answers. 503 where it does not."""
    with backend.database.read() as connection:
        connection.exec_driver_sql("SELECT 1")
    return Health(status="ready")


@router.get("/metrics", response_class=Response, responses={200: {"content": {"text/plain": {}}}})
def metrics(request: Request, caller: TheCaller) -> Response:
    """For Prometheus."""
    caller.require("viewer", "read the metrics")
    found: Metrics = request.app.state.metrics
    return Response(found.text(), media_type=CONTENT_TYPE)
