"""Who sends a request over HTTP."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer

from flowhub_assets.server.access import Caller, authenticate, bearer
from flowhub_assets.server.backend import Backend

#: So that the pages at /docs have a place for the token; caller_of reads the header itself.
_BEARER = HTTPBearer(auto_error=False, description="A token; on this machine, none is needed in dev mode.")
#: What a proxy adds: then the peer is the proxy, and who asks may be anywhere.
_FORWARDED = ("forwarded", "x-forwarded-for", "x-real-ip")


def backend_of(request: Request) -> Backend:
    """The backend of the app that serves this request."""
    backend: Backend = request.app.state.backend
    return backend


def caller_of(request: Request, _token: Annotated[HTTPAuthorizationCredentials | None, Depends(_BEARER)]) -> Caller:
    """Who asks. Raises NotAuthenticated."""
    peer = request.client.host if request.client else ""
    forwarded = any(name in request.headers for name in _FORWARDED)
    token = bearer(request.headers.get("authorization"))
    caller = authenticate(backend_of(request), token, peer, is_forwarded=forwarded)
    # For the audit log, where a route refuses it.
    request.state.caller = caller
    return caller


TheBackend = Annotated[Backend, Depends(backend_of)]
TheCaller = Annotated[Caller, Depends(caller_of)]
