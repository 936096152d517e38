"""Clients of databases that live as long as the process, one for each connection."""

from __future__ import annotations

import atexit
import contextlib
import os
import threading
from collections.abc import Callable
from typing import Generic, TypeVar

Client = TypeVar("Client")


class ClientCache(Generic[Client]):
    """``make(url)`` gives a client that threads may share; ``close(client)`` is called when the process ends.

    A forked child makes clients of its own: two processes that share one socket read each other's answers. What it
    inherits it keeps without using it, for a client that is thrown away says goodbye on its parent's sockets.
    """

    def __init__(self, make: Callable[[str], Client], close: Callable[[Client], object]) -> None:
        self._make = make
        self._close = close
        self._clients: dict[str, Client] = {}
        self._inherited: list[Client] = []
        self._lock = threading.Lock()
        os.register_at_fork(after_in_child=self._begin_anew)
        atexit.register(self.close)

    def get(self, url: str) -> Client:
        """The client for ``url``, made when it is first asked for."""
        with self._lock:
            if url not in self._clients:
                self._clients[url] = self._make(url)
            return self._clients[url]

    def close(self) -> None:
        """Closes all clients of this process; the next ``get`` makes a new one."""
        with self._lock:
            clients, self._clients = list(self._clients.values()), {}
        for client in clients:
            # At the end of a process there is nobody to tell.
            with contextlib.suppress(Exception):
                self._close(client)

    def _begin_anew(self) -> None:
        # The lock may have been held by a thread that the child does not have.
        self._lock = threading.Lock()
        self._inherited += self._clients.values()
        self._clients = {}
