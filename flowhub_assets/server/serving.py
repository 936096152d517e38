"""HTTP and gRPC in one process, until it is told to end: requests that have begun are answered first."""

from __future__ import annotations

import asyncio
import contextlib
import signal
from collections.abc import Iterator
from dataclasses import dataclass

import uvicorn

from flowhub_assets.server.backend import Backend, launching_in_background
from flowhub_assets.server.rest.app import create_app

#: Seconds that requests which have begun may take when the server ends.
_LAST_SECONDS = 20


@dataclass(frozen=True)
class Listening:
    """Where to listen; ``grpc_port`` 0 is no gRPC."""

    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int = 50051


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The two servers of this process end together: see serve.
        yield


def serve(backend: Backend, listening: Listening) -> None:
    """Serves until SIGTERM or SIGINT. Raises OSError where a port is taken."""
    with launching_in_background(backend):
        asyncio.run(_serve(backend, listening))


async def _serve(backend: Backend, listening: Listening) -> None:
    config = uvicorn.Config(
        create_app(backend),
        host=listening.host,
        port=listening.port,
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
        server_header=False,
    )
    http = _Uvicorn(config)
    loop = asyncio.get_running_loop()

    def end() -> None:
        http.should_exit = True

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    await http.serve()
