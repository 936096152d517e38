"""GET /health, /healthz, /readyz: whether the server lives, and whether it can take requests."""

from __future__ import annotations

from fastapi import APIRouter

from flowhub_assets.server.rest.callers import TheBackend

router = APIRouter(tags=["health"])


@router.get("/healthz")
@router.get("/health")
async def health() -> dict[str, str]:
    """The server lives."""
    return {"status": "ok"}


@router.get("/readyz")
def ready(backend: TheBackend) -> dict[str, str]:
    """It can take requests: its database answers. Raises Unavailable."""
    with backend.database.begin():
        return {"status": "ready"}
