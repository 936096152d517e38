"""Before any route: the size of a body, the rate, and, where no token is asked for, who may speak from a browser."""

from __future__ import annotations

import time
from dataclasses import dataclass
from urllib.parse import urlsplit

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from flowhub_assets.server.access import is_loopback
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.server.rate_limit import RateLimit
from flowhub_assets.server.rest.problems import problem


@dataclass(frozen=True)
class Limits:
    """``body`` is the most bytes of one request; ``per_second`` and ``burst`` are requests of one caller."""

    body: int = 1 << 20
    per_second: float = 100.0
    burst: int = 400


class Guard:
    """The outermost part of the app. ``is_open``: no token is asked for on this machine."""

    def __init__(
        self, app: ASGIApp, limits: Limits, metrics: Metrics, *, is_open: bool, origins: tuple[str, ...] = ()
    ) -> None:
        self._app = app
        self._limits = limits
        self._rate = RateLimit(limits.per_second, limits.burst)
        self._metrics = metrics
        self._is_open = is_open
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        begun, status = time.monotonic(), 500

        async def watched(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        try:
            refusal = self._refusal(scope)
            if refusal is not None:
                await refusal(scope, receive, watched)
            else:
                await self._bounded(scope, receive, watched)
        finally:
            path = getattr(scope.get("route"), "path", "") or "other"
            self._metrics.request("http", path, str(status), time.monotonic() - begun)

    def _refusal(self, scope: Scope) -> Response | None:
        headers = Headers(scope=scope)
        if self._is_open and (wrong := self._not_from_here(headers)):
            return problem(403, wrong, remedy="Make a token and start the server with --require-token.")
        length = headers.get("content-length", "0")
        if length.isdigit() and int(length) > self._limits.body:
            return self._too_large()
        peer = scope["client"][0] if scope.get("client") else ""
        wait = self._rate.wait_for(peer)
        if wait:
            answer = problem(429, "too many requests from here", remedy=f"Come back in {wait:.1f} seconds.")
            answer.headers["Retry-After"] = str(max(1, round(wait)))
            return answer
        return None

    def _not_from_here(self, headers: Headers) -> str:
        """A page in a browser of this machine could speak for its user: by another Origin, or by a name of its own."""
        host = _name(f"//{headers.get('host', '')}")
        if not is_loopback(host):
            return f"the host {host[:100]!r} is not this machine's own name"
        origin = headers.get("origin")
        if origin is None or origin in self._origins:
            return ""
        if is_loopback(_name(origin)) and origin.partition("//")[2] == headers.get("host"):
            return ""
        return f"a page of {origin[:100]!r} may not ask this server"

    async def _bounded(self, scope: Scope, receive: Receive, send: Send) -> None:
        taken, begun = 0, False

        async def bounded() -> Message:
            nonlocal taken
            message = await receive()
            taken += len(message.get("body", b""))
            if taken > self._limits.body:
                # FastAPI lets this one through where it reads a body; rest/problems.py tells it.
                raise HTTPException(413, self._too_large_words)
            return message

        async def watched(message: Message) -> None:
            nonlocal begun
            begun = begun or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, bounded, watched)
        except Exception:
            # Told in the log and answered already, by rest/problems.py.
            if not begun:
                raise

    def _too_large(self) -> Response:
        return problem(413, self._too_large_words, remedy="Put large data into storage.")

    @property
    def _too_large_words(self) -> str:
        return f"a body may have {self._limits.body} bytes at most"


def _name(address: str) -> str:
    """The host in a Host header or an Origin; "" where there is none to be read."""
    try:
        return urlsplit(address).hostname or ""
    except ValueError:
        return ""
