"""The gRPC server over a backend, on a free port of the loopback, for the tests of its methods.

with rpc_over(backend) as address, grpc.insecure_channel(address) as channel: FlowHubStub(channel)...
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Iterator
from typing import Any

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rpc.server import RpcServer, start_grpc


@contextlib.contextmanager
def rpc_over(backend: Backend, **options: Any) -> Iterator[str]:
    """``options`` are those of start_grpc. It ends in order: no thread is left."""
    began, ended = threading.Event(), asyncio.Event()
    found: dict[str, Any] = {}

    async def run() -> None:
        found["loop"] = asyncio.get_running_loop()
        try:
            rpc: RpcServer = await start_grpc(backend, "127.0.0.1", 0, **options)
            found["port"] = rpc.port
        finally:
            began.set()
        await ended.wait()
        await rpc.end(5)

    thread = threading.Thread(target=lambda: asyncio.run(run()), daemon=True)
    thread.start()
    assert began.wait(60)
    assert "port" in found, "the server did not start"
    try:
        yield f"127.0.0.1:{found['port']}"
    finally:
        found["loop"].call_soon_threadsafe(ended.set)
        thread.join(30)
        assert not thread.is_alive()
