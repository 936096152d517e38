"""The gRPC server: flowhub.v1, the services beside it, reflection and health; on the loop that serves HTTP too."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import grpc
import grpc.aio
from google.protobuf.descriptor_pb2 import FileDescriptorProto, FileDescriptorSet
from google.protobuf.descriptor_pool import DescriptorPool
from grpc_health.v1 import health_pb2, health_pb2_grpc
from grpc_reflection.v1alpha import reflection, reflection_pb2

from flowhub_assets.errors import InputError
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.metrics import Metrics
from flowhub_assets.server.rate_limit import RateLimit
from flowhub_assets.server.rpc.calls import CallGuard
from flowhub_assets.server.rpc.flowhub.v1 import flowhub_pb2
from flowhub_assets.server.rpc.flowhub.v1.flowhub_pb2_grpc import add_FlowHubServicer_to_server
from flowhub_assets.server.rpc.health import Health
from flowhub_assets.server.rpc.service import SERVICE, FlowHub
from flowhub_assets.server.rpc.threads import Threads
from flowhub_assets.server.rpc.watching import Watching

logger = logging.getLogger("flowhub.server")

#: Threads for calls, and for those who watch runs.
_CALL_THREADS, _WATCH_THREADS = 16, 4
#: Calls that may be open at once; more are answered RESOURCE_EXHAUSTED.
_MOST_OPEN = 1_000
_OPTIONS = (
    # A second server at the port is an error, and does not share it unseen.
    ("grpc.so_reuseport", 0),
    ("grpc.max_metadata_size", 16 << 10),
    # Who is gone is noticed within a minute and a half; who asks more than once in ten seconds is sent away.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
    ("grpc.keepalive_permit_without_calls", 1),
    ("grpc.http2.min_recv_ping_interval_without_data_ms", 10_000),
    ("grpc.http2.max_ping_strikes", 2),
)


@dataclass(frozen=True)
class Service:
    """A service beside flowhub.v1: its full name, what answers its methods, and its .proto files, for reflection.

    ``files`` are serialized FileDescriptorProtos, each behind those that it imports.
    """

    name: str
    handler: grpc.GenericRpcHandler
    files: Sequence[bytes] = field(default=())


@dataclass(frozen=True)
class Certificates:
    """In PEM: the certificate with what signed it, and its key."""

    certificate: bytes
    key: bytes


class RpcServer:
    """A server that listens; ``port`` is where."""

    def __init__(self, server: grpc.aio.Server, health: Health, watching: Watching, threads: Sequence[Threads]) -> None:
        self._server = server
        self._health = health
        self._watching = watching
        self._threads = threads
        self.port = 0

    async def begin(self, address: str, certificates: Certificates | None) -> None:
        """Raises InputError where it cannot listen."""
        try:
            if certificates is None:
                self.port = self._server.add_insecure_port(address)
            else:
                pair = (certificates.key, certificates.certificate)
                self.port = self._server.add_secure_port(address, grpc.ssl_server_credentials([pair]))
            if not self.port:
                raise RuntimeError("the port is taken")
        except RuntimeError as error:
            raise InputError(
                f"{address} cannot be listened at: another program has the port, or it is not this machine's address",
                effect="The server does not start.",
                remedy="Take another port: --grpc-port; 0 is no gRPC.",
            ) from error
        await self._health.start()
        await self._server.start()

    async def end(self, seconds: float) -> None:
        """Takes no more calls; those that have begun may take so many seconds."""
        await self._health.end()
        self._watching.end()
        await self._server.stop(seconds)
        for threads in self._threads:
            threads.close()


async def start_grpc(
    backend: Backend,
    host: str,
    port: int,
    *,
    certificates: Certificates | None = None,
    most_bytes: int = 1 << 20,
    rate: RateLimit | None = None,
    metrics: Metrics | None = None,
    services: Sequence[Service] = (),
) -> RpcServer:
    """A server at this address; port 0 is any free one. ``most_bytes`` is the largest message that it takes.

    Raises InputError where the port is taken.
    """
    calls, watchers = Threads(_CALL_THREADS, "flowhub-grpc"), Threads(_WATCH_THREADS, "flowhub-grpc-watch")
    guard = CallGuard(backend, calls, rate or RateLimit(0, 1), metrics)
    options = (*_OPTIONS, ("grpc.max_receive_message_length", most_bytes))
    server = grpc.aio.server(interceptors=[guard], options=options, maximum_concurrent_rpcs=_MOST_OPEN)
    watching = Watching(backend, watchers)
    names = [SERVICE, *(service.name for service in services)]
    health = Health(backend, names)
    add_servicer: Any = add_FlowHubServicer_to_server
    add_servicer(FlowHub(backend, calls, watching), server)
    server.add_generic_rpc_handlers(list(dict.fromkeys(service.handler for service in services)))
    add_health: Any = health_pb2_grpc.add_HealthServicer_to_server
    add_health(health.servicer, server)
    _add_reflection(server, names, services)
    rpc = RpcServer(server, health, watching, (calls, watchers))
    await rpc.begin(f"[{host}]:{port}" if ":" in host else f"{host}:{port}", certificates)
    return rpc


def _add_reflection(server: grpc.aio.Server, names: Sequence[str], services: Sequence[Service]) -> None:
    pool: Any = DescriptorPool()
    ours = (flowhub_pb2.DESCRIPTOR, health_pb2.DESCRIPTOR, reflection_pb2.DESCRIPTOR)
    files = [file for descriptor in ours for file in _with_imports(descriptor)]
    files += [FileDescriptorProto.FromString(text) for service in services for text in service.files]
    known: set[str] = set()
    for file in files:
        if file.name not in known:
            known.add(file.name)
            try:
                pool.AddSerializedFile(file.SerializeToString())
            except TypeError as error:
                # Two teams may name alike what is not: their clients have their own files, and reflection the first.
                logger.warning("reflection does not tell of %s: %s", file.name, error)
    told = [*names, "grpc.health.v1.Health", reflection.SERVICE_NAME]
    reflection.enable_server_reflection(told, server, pool=pool)


def _with_imports(descriptor: Any) -> list[FileDescriptorProto]:
    found = FileDescriptorSet()
    for one in descriptor.dependencies:
        found.file.extend(_with_imports(one))
    descriptor.CopyToProto(found.file.add())
    return list(found.file)
