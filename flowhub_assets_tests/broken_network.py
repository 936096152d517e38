"""A TCP relay in front of a server, which damages or cuts what passes, as a bad network would."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from urllib.parse import urlsplit

#: Takes a chunk that passes and gives what is passed on instead.
Damage = Callable[[bytes], bytes]


@contextlib.contextmanager
def relay(endpoint: str, *, up: Damage | None = None, down: Damage | None = None) -> Iterator[str]:
    """Yields the endpoint of the relay; ``up`` changes what goes to the server, ``down`` what comes from it."""
    server = urlsplit(endpoint)
    listener = socket.create_server(("127.0.0.1", 0))
    open_sockets: list[socket.socket] = [listener]

    def pump(source: socket.socket, target: socket.socket, damage: Damage | None) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(1 << 16):
                target.sendall(damage(data) if damage else data)
        for end in (source, target):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def accept() -> None:
        with contextlib.suppress(OSError):
            while True:
                client, _ = listener.accept()
                try:
                    upstream = socket.create_connection((server.hostname or "", server.port or 80), timeout=5)
                except OSError:
                    client.close()
                    continue
                upstream.settimeout(None)
                open_sockets.extend((client, upstream))
                for ends in ((client, upstream, up), (upstream, client, down)):
                    threading.Thread(target=pump, args=ends, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        for one in open_sockets:
            one.close()
