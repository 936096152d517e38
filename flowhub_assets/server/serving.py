"""HTTP and gRPC in one process, until it is told to end: requests that have begun are answered first."""

from __future__ import annotations

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import uvicorn

from flowhub_assets.errors import InputError
from flowhub_assets.server.access import require_token_to_listen
from flowhub_assets.server.backend import Backend, launching_in_background
from flowhub_assets.server.daemon_watch import watching_daemons
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.server.rate_limit import RateLimit
from flowhub_assets.server.recording import recording_in_background
from flowhub_assets.server.rest.app import create_app
from flowhub_assets.server.rest.guard import Limits
from flowhub_assets.server.rpc.server import Certificates, RpcServer, start_grpc
from flowhub_assets.server.rpc.typed_services import typed_services

#: Seconds that requests which have begun may take when the server ends.
_LAST_SECONDS = 20
#: Requests that may be open at once; more are answered 503.
_MOST_OPEN = 1_000


@dataclass(frozen=True)
class Tls:
    """Files in PEM: the certificate with what signed it, and its key."""

    certificate: Path
    key: Path


@dataclass(frozen=True)
class Listening:
    """Where and how to listen; ``grpc_port`` 0 is no gRPC. ``origins`` are those of web pages that may ask."""

    host: str = "127.0.0.1"
    port: int = 8000
    grpc_port: int = 50051
    tls: Tls | None = None
    origins: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)


class _Uvicorn(uvicorn.Server):
    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        # The two servers of this process end together: see _serve.
        yield


def serve(backend: Backend, listening: Listening, ready: Callable[[], None] = lambda: None) -> None:
    """Serves until SIGTERM or SIGINT; ``ready`` is called once it listens. Raises InputError for a port that is taken.

    Raises InputError too where it would listen to other machines while nobody has a token.
    """
    require_token_to_listen(backend.database, listening.host)
    with launching_in_background(backend), recording_in_background(backend), watching_daemons(backend):
        asyncio.run(_serve(backend, listening, ready))


async def _serve(backend: Backend, listening: Listening, ready: Callable[[], None]) -> None:
    metrics = Metrics(backend.database)
    config = uvicorn.Config(
        create_app(backend, listening.limits, listening.origins, metrics),
        log_level="warning",
        access_log=False,
        timeout_graceful_shutdown=_LAST_SECONDS,
        limit_concurrency=_MOST_OPEN,
        server_header=False,
        ssl_certfile=listening.tls.certificate if listening.tls else None,
        ssl_keyfile=listening.tls.key if listening.tls else None,
    )
    http = _Uvicorn(config)

    ended = asyncio.Event()

    def end() -> None:
        http.should_exit = True
        ended.set()

    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, end)
    with contextlib.closing(bound(listening.host, listening.port)) as door:
        rpc = await _start_grpc(backend, listening, metrics) if listening.grpc_port else None
        rpc_ends = asyncio.create_task(_end_rpc(rpc, ended))
        ready()
        try:
            await http.serve([door])
        finally:
            ended.set()
            await rpc_ends


async def _end_rpc(rpc: RpcServer | None, ended: asyncio.Event) -> None:
    await ended.wait()
    if rpc is not None:
        await rpc.end(_LAST_SECONDS)


async def _start_grpc(backend: Backend, listening: Listening, metrics: Metrics) -> RpcServer:
    tls, limits = listening.tls, listening.limits
    certificates = Certificates(tls.certificate.read_bytes(), tls.key.read_bytes()) if tls else None
    return await start_grpc(
        backend,
        listening.host,
        listening.grpc_port,
        certificates=certificates,
        most_bytes=limits.body,
        rate=RateLimit(limits.per_second, limits.burst),
        metrics=metrics,
        services=await asyncio.to_thread(typed_services, backend),
    )


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens. Raises InputError where the port is taken, or the address is not this machine's."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        return socket.create_server((host, port), family=family, backlog=1_024)
    except OSError as error:
        raise InputError(
            f"{host}:{port} cannot be listened at: {error.strerror or error}",
            effect="The server does not start.",
            remedy="Take another port: --port, --grpc-port.",
        ) from None
