"""The way into the Kubernetes double: every request is counted, and can be delayed, refused or cut off."""

from __future__ import annotations

import asyncio
import contextlib
import random
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence

from aiohttp import web

from flowhub_assets_tests.kubernetes.api import answer_refusals, status_document

_VERBS = {"GET": "get", "POST": "create", "PUT": "update", "PATCH": "patch", "DELETE": "delete"}
# Below the ports that Linux gives out: nobody takes the port while the API is down.
_PORTS = range(20_000, 32_000)

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Gate:
    """Listens on a port of its own; ``calls`` counts (verb, resource), ``delay`` is in seconds for each request."""

    def __init__(self, routes: Sequence[web.RouteDef]) -> None:
        self.calls: Counter[tuple[str, str]] = Counter()
        self.delay = 0.0
        self.port = 0
        self._refusing = False
        self._downs = 0
        self._site: web.TCPSite | None = None
        application = web.Application(client_max_size=3 * 1024 * 1024, middlewares=[self._pass, answer_refusals])
        application.add_routes(routes)
        self._runner = web.AppRunner(application, access_log=None, shutdown_timeout=0.1)

    async def open(self) -> None:
        await self._runner.setup()
        for port in random.sample(_PORTS, 100):
            with contextlib.suppress(OSError):
                await self._listen(port)
                self.port = port
                return
        raise OSError("no port is free")

    async def close(self) -> None:
        self._cut()
        await self._runner.cleanup()

    async def go_down(self, seconds: float, answering: bool) -> None:
        """Cuts every connection; for ``seconds`` nobody listens or, ``answering``, every answer is 503."""
        self._downs += 1
        await self._refuse(answering)
        asyncio.get_running_loop().call_later(seconds, self._come_back, self._downs)

    async def _refuse(self, answering: bool) -> None:
        self._refusing = True
        if not answering and self._site is not None:
            site, self._site = self._site, None
            await site.stop()
        self._cut()

    def _come_back(self, which: int) -> None:
        # A later outage lasts for its own time.
        if which == self._downs:
            self._refusing = False
            if self._site is None:
                self._coming = asyncio.get_running_loop().create_task(self._listen(self.port))

    async def _listen(self, port: int) -> None:
        self._site = web.TCPSite(self._runner, "127.0.0.1", port, reuse_address=True, backlog=1024)
        await self._site.start()

    def _cut(self) -> None:
        server = self._runner.server
        for connection in list(server.connections) if server is not None else []:
            if connection.transport is not None:
                connection.transport.abort()

    @web.middleware
    async def _pass(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.path != "/control":
            self.calls[call(request)] += 1
            if self._refusing:
                text = "apiserver not ready"
                return web.json_response(status_document(503, "ServiceUnavailable", text), status=503)
            if self.delay:
                await asyncio.sleep(self.delay)
        return await handler(request)


def call(request: web.Request) -> tuple[str, str]:
    """``("list", "pods")``, ``("get", "jobs/status")``, ``("watch", "events")``, ``("follow", "pods/log")``."""
    found = request.match_info
    resource = found.get("resource", request.path)
    if "name" in found:
        below = request.path.partition(f"/{found['name']}/")[2]
        if request.query.get("follow", "").lower() in ("true", "1"):
            return "follow", f"{resource}/{below}"
        return _VERBS.get(request.method, request.method), f"{resource}/{below}".rstrip("/")
    if request.method == "GET" and "resource" in found:
        return ("watch" if request.query.get("watch", "").lower() in ("true", "1") else "list"), resource
    return _VERBS.get(request.method, request.method), resource
