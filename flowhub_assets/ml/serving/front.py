"""The one address that callers know: forwards to the version that is served, splits between two, counts, never ends.

An ASGI program of its own process. Which server answers stands in route files (routes.py), so a switch is one file
that is replaced: no request is lost, none is answered by half of each. Where Docker is, nginx has this place.

    POST /predict                the model that was served first, POST /iris/predict the model iris
      X-Model-Alias: challenger  asks that version, whatever the split
      X-Request-Key: user-17     the same key is always answered by the same version
    GET /metrics                 requests, seconds and who is served; /metrics/champion is BentoML's of that version
    GET /front                   what is served by whom, and how many requests are under way
    GET /docs /docs.json /readyz ...  as BentoML has them
"""

from __future__ import annotations

import json
import os
import sys
import time
from collections import Counter as Counted
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from pathlib import Path
from typing import Any

from flowhub_assets.ml.serving.front_metrics import FrontMetrics
from flowhub_assets.ml.serving.routes import Arm, Route, Routes
from flowhub_assets.ml.serving.rows import MOST_BYTES

_Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
_Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
_Headers = list[tuple[bytes, bytes]]
_Answer = tuple[int, _Headers, bytes]

_SECONDS = 30
_MOST_UNDER_WAY = 512
#: What of a server is for callers. Everything else is answered with 404 here.
_ASKED = ("/", "/docs", "/docs.json", "/healthz", "/livez", "/readyz")
_KEPT = ("content-type", "x-bentoml-request-id")


class Front:
    """The ASGI program over the folder ``<WORKSPACE>/serving``."""

    def __init__(self, folder: Path) -> None:
        self._routes = Routes(folder)
        self._metrics = FrontMetrics()
        self._under_way: Counted[str] = Counted()
        self._session: Any = None

    async def __call__(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        """One request, or the life of the process."""
        if scope["type"] == "lifespan":
            await self._live(receive, send)
        elif scope["type"] == "http":
            await self._respond(scope, receive, send)

    async def _respond(self, scope: MutableMapping[str, Any], receive: _Receive, send: _Send) -> None:
        status, headers, body = await self._answer(scope, receive)
        headers = [*headers, (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    async def _live(self, receive: _Receive, send: _Send) -> None:
        import aiohttp

        await receive()
        # No proxy of the surroundings, no cookies: all it speaks to is this machine's loopback.
        self._session = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=_MOST_UNDER_WAY),
            timeout=aiohttp.ClientTimeout(total=_SECONDS),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
        )
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self._session.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, scope: Mapping[str, Any], receive: _Receive) -> _Answer:
        routes, method, path = self._routes.now(), scope["method"], scope["path"]
        if path == "/front":
            return self._told(routes)
        if path == "/metrics":
            return 200, [(b"content-type", b"text/plain; version=0.0.4; charset=utf-8")], self._metrics.text(routes)
        name, rest = _model_and_path(path, routes)
        if not _is_asked(method, rest):
            return _problem(404, f"there is no {method} {path[:200]}", "POST /predict, or see / for what there is.")
        route = routes.get(name) if name else next(iter(routes.values()), None)
        if route is None:
            return _problem(503, "no model is served now", "Run the pipeline serving, or wait for its end.")
        if self._under_way.total() >= _MOST_UNDER_WAY:
            return _problem(503, f"{_MOST_UNDER_WAY} requests are under way", "Ask again in a second.")
        body = await _body(receive)
        if body is None:
            return _problem(413, f"the body has more than {MOST_BYTES:,} bytes", "Send fewer rows in a request.")
        return await self._asked(route, method, rest, scope, body)

    async def _asked(self, route: Route, method: str, path: str, scope: Mapping[str, Any], body: bytes) -> _Answer:
        given = {name: value.decode("latin-1") for name, value in scope["headers"]}
        alias = given.get(b"x-model-alias")
        if path.startswith("/metrics/"):
            alias, path = path.removeprefix("/metrics/"), "/metrics"
        elif path == "/docs":
            path = "/"
        arm = route.arm(alias, given.get(b"x-request-key"))
        if arm is None:
            served = ", ".join(one.alias for one in route.arms)
            return _problem(404, f"{alias!r:.80} is not served", f"Of {route.model} these are: {served}.")
        answered = await self._forward(route, arm, method, path, body)
        if answered[0] == 502 and not alias and arm is not route.champion:
            # A caller who did not ask for the challenger does not suffer from it.
            answered = await self._forward(route, route.champion, method, path, body)
        return answered

    async def _forward(self, route: Route, arm: Arm, method: str, path: str, body: bytes) -> _Answer:
        import aiohttp

        began = time.perf_counter()
        self._under_way[arm.server] += 1
        try:
            for last in (False, True):
                try:
                    headers = {"Content-Type": "application/json"} if body else None
                    asked = self._session.request(
                        method, arm.url + path, data=body or None, headers=headers, allow_redirects=False
                    )
                    async with asked as answer:
                        status, content = answer.status, await answer.read()
                        kept = [(name, answer.headers[name]) for name in _KEPT if name in answer.headers]
                    break
                except aiohttp.ClientConnectionError:
                    # A connection that was kept may have been closed meanwhile. Predicting twice changes nothing.
                    if last:
                        raise
            headers_out = [(name.encode(), value.encode("latin-1")) for name, value in kept]
            answered = status, headers_out, content
        except TimeoutError:
            answered = _problem(504, f"version {arm.version} took longer than {_SECONDS} seconds", "Send fewer rows.")
        except aiohttp.ClientError:
            answered = _problem(502, f"version {arm.version} does not answer", "Run the pipeline serving.")
        finally:
            self._under_way[arm.server] -= 1
        if path == "/predict":
            self._metrics.request(route.model, arm, answered[0], time.perf_counter() - began)
        status, headers_out, content = answered
        who = {"x-model": route.model, "x-model-version": arm.version, "x-model-alias": arm.alias}
        return status, headers_out + [(name.encode(), value.encode()) for name, value in who.items()], content

    def _told(self, routes: Mapping[str, Route]) -> _Answer:
        models = {
            name: {"share": route.share, **{arm.alias: [arm.version, arm.server] for arm in route.arms}}
            for name, route in routes.items()
        }
        under_way = {server: count for server, count in self._under_way.items() if count}
        told = {"pid": os.getpid(), "models": models, "under_way": under_way}
        return 200, [(b"content-type", b"application/json")], json.dumps(told).encode()


def _model_and_path(path: str, routes: Mapping[str, Route]) -> tuple[str | None, str]:
    first, _, rest = path.removeprefix("/").partition("/")
    return (first, f"/{rest}") if first in routes else (None, path)


def _is_asked(method: str, path: str) -> bool:
    if path == "/predict":
        return method == "POST"
    if method not in ("GET", "HEAD") or ".." in path:
        return False
    return path in _ASKED or path.startswith(("/metrics/", "/static_content/"))


async def _body(receive: _Receive) -> bytes | None:
    """The whole body; None if it is too large."""
    body = b""
    while True:
        message = await receive()
        body += bytes(message.get("body", b""))
        if len(body) > MOST_BYTES:
            return None
        if not message.get("more_body", False):
            return body


def _problem(status: int, what: str, remedy: str) -> _Answer:
    headers = [(b"content-type", b"application/json")]
    if status == 503:
        headers.append((b"retry-after", b"1"))
    return status, headers, json.dumps({"error": what, "remedy": remedy}, ensure_ascii=False).encode()


def main() -> None:
    """``python -m flowhub_assets.ml.serving.front FOLDER HOST PORT``, until it is ended."""
    import uvicorn

    folder, host, port = sys.argv[1:]
    uvicorn.run(
        Front(Path(folder)),
        host=host,
        port=int(port),
        log_level="warning",
        access_log=False,
        server_header=False,
        limit_concurrency=2 * _MOST_UNDER_WAY,
        timeout_graceful_shutdown=_SECONDS,
    )


if __name__ == "__main__":
    main()
