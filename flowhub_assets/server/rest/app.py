"""The HTTP application: reads like a table of contents."""

from __future__ import annotations

from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.server.rest import health, hooks, pipelines, queues, runs, starting, workflows
from flowhub_assets.server.rest.guard import Guard, Limits
from flowhub_assets.server.rest.problems import PROBLEMS, add_problems


def create_app(
    backend: Backend, limits: Limits | None = None, origins: tuple[str, ...] = (), metrics: Metrics | None = None
) -> ASGIApp:
    """The application of this backend, to be served by uvicorn. ``origins`` are those of pages that may ask it."""
    metrics = metrics or Metrics(backend.database)
    # The pages at /docs bring their own scripts: nothing is loaded from elsewhere.
    app = FastAPIOffline(title="FlowHub", version="1", description="Starts pipelines, and tells of their runs.")
    app.state.backend = backend
    app.state.metrics = metrics
    add_problems(app)
    for room in (health, hooks, pipelines, workflows, starting, runs, queues):
        app.include_router(room.router, responses=PROBLEMS)
    if origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=list(origins),
            allow_methods=["GET", "POST", "PUT", "DELETE"],
            allow_headers=["*"],
            expose_headers=["ETag"],
        )
    return Guard(app, limits or Limits(), metrics, is_open=backend.doorkeeper.is_open, origins=origins)
