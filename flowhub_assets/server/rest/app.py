"""The HTTP application: reads like a table of contents."""

from __future__ import annotations

from fastapi import FastAPI

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rest import health, starting
from flowhub_assets.server.rest.problems import add_problems


def create_app(backend: Backend) -> FastAPI:
    """The application of this backend, to be served by uvicorn."""
    app = FastAPI(title="FlowHub", version="1", description="Starts pipelines, and tells of their runs.")
    app.state.backend = backend
    add_problems(app)
    app.include_router(health.router)
    app.include_router(starting.router)
    return app
