"""The gRPC server over a backend, on a free port of the loopback, for the tests of its methods.

with rpc_over(backend) as address, grpc.insecure_channel(address) as channel: FlowHubStub(channel)...
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from google.protobuf.message import Message
from google.protobuf.struct_pb2 import Struct

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.flowhub.v1 import error_details_pb2
from flowhub_assets.server.rpc.flowhub.v1.flowhub_pb2_grpc import FlowHubStub
from flowhub_assets.server.rpc.server import RpcServer, start_grpc
from flowhub_assets_tests.server.run_here import run_now

#: No call of a test waits longer.
SECONDS = 60


@contextlib.contextmanager
def rpc_over(backend: Backend, **options: Any) -> Iterator[str]:
    """Its address; ``options`` are those of start_grpc. It ends in order: no thread is left."""
    with running(backend, **options) as (rpc, _):
        yield f"127.0.0.1:{rpc.port}"


@contextlib.contextmanager
def running(backend: Backend, **options: Any) -> Iterator[tuple[RpcServer, asyncio.AbstractEventLoop]]:
    """The server, and the loop that it runs on."""
    began, found = threading.Event(), {}

    async def run() -> None:
        ended = asyncio.Event()
        try:
            rpc = await start_grpc(backend, "127.0.0.1", 0, **options)
            found["it"] = rpc, asyncio.get_running_loop(), ended
        finally:
            began.set()
        await ended.wait()
        await rpc.end(5)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert began.wait(SECONDS)
    assert found, "the server did not start"
    rpc, loop, ended = found["it"]
    try:
        yield rpc, loop
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(SECONDS)
        assert not thread.is_alive()


@contextlib.contextmanager
def stub_over(backend: Backend, **options: Any) -> Iterator[Any]:
    """A client of grpcio with the shipped stubs."""
    with rpc_over(backend, **options) as address, grpc.insecure_channel(address) as channel:
        yield stub_of(channel)


def stub_of(channel: grpc.Channel) -> Any:
    """The shipped stubs, whose methods protoc gives no types."""
    make: Any = FlowHubStub
    return make(channel)


def struct(**values: Any) -> Struct:
    """As a client of google.protobuf makes it."""
    made = Struct()
    made.update(values)
    return made


@contextlib.contextmanager
def refused(code: grpc.StatusCode) -> Iterator[dict[str, Any]]:
    """What is in the block ends with this code; what the error carries, by its name in google.rpc, and its message."""
    told: dict[str, Any] = {}
    with pytest.raises(grpc.RpcError) as caught:
        yield told
    error: Any = caught.value
    assert error.code() is code, (error.code(), error.details())
    told["message"] = error.details()
    told |= details_of(error)


def details_of(error: Any) -> dict[str, Message]:
    """What is in grpc-status-details-bin; nothing where there is none."""
    metadata = dict(error.trailing_metadata() or ())
    if "grpc-status-details-bin" not in metadata:
        return {}
    status = error_details_pb2.Status.FromString(metadata["grpc-status-details-bin"])
    assert (status.code, status.message) == (error.code().value[0], error.details())
    kinds = ((packed.type_url.removeprefix("type.googleapis.com/google.rpc."), packed) for packed in status.details)
    return {kind: getattr(error_details_pb2, kind).FromString(packed.value) for kind, packed in kinds}


def run_here(backend: Backend, run_id: str) -> str:
    """Does what the daemon and a run worker would do with a run that waits; how it stands then."""
    (folder,) = backend.surroundings.location.folders
    return run_now(backend, Path(folder), run_id)
