"""What the tests' servers have in common: a free port of the loopback; those of HTTP a thread, and an end in order."""

from __future__ import annotations

import socket
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self


def free_port() -> int:
    """A port of the loopback that nothing listens on, for a program that is told its port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


class _ServerIPv6(ThreadingHTTPServer):
    address_family = socket.AF_INET6


class LoopbackServer:
    """Answers from ``with`` on, a thread for each caller.

    ``gone`` is there for a handler to set when its caller hangs up; ``closing`` is set when the block ends.
    """

    def __init__(self, handler: type[BaseHTTPRequestHandler], address: str = "127.0.0.1") -> None:
        self.gone = threading.Event()
        self.closing = threading.Event()
        self._server = (_ServerIPv6 if ":" in address else ThreadingHTTPServer)((address, 0), handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self.port: int = self._server.server_port

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closing.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(5)
