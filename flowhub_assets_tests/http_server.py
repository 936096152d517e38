"""A web server of a test's own: each path has a function, each request is kept.

with http_server() as server:
    server.on("/topics", lambda request: Answer.json({"topic": "반도체"}))
"""

from __future__ import annotations

import contextlib
import json
import ssl
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any
from urllib.parse import urlsplit

from flowhub_assets_tests.loopback_server import LoopbackServer


@dataclass(frozen=True)
class Request:
    """What came: ``path`` without the query, header names in small letters."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes

    def json(self) -> Any:
        return json.loads(self.body)


@dataclass(frozen=True)
class Answer:
    """``chunks`` are sent one after the other, without a length; the connection breaks off in between if ``cut``."""

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    chunks: Iterator[bytes] | None = None
    cut: bool = False

    @classmethod
    def json(cls, value: Any, status: int = 200, **headers: str) -> Answer:
        return cls(status, json.dumps(value).encode(), {"Content-Type": "application/json", **headers})

    @classmethod
    def text(cls, text: str, status: int = 200, **headers: str) -> Answer:
        return cls(status, text.encode(), {"Content-Type": "text/plain; charset=utf-8", **headers})


class HttpServer(LoopbackServer):
    """A running server; ``requests`` are those that came, in order."""

    def __init__(self, address: str = "127.0.0.1") -> None:
        super().__init__(self._handler(), address)
        self.requests: list[Request] = []
        self._answers: dict[str, Callable[[Request], Answer]] = {}

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def on(self, path: str, answer: Callable[[Request], Answer] | Answer) -> None:
        """What a path answers, to every method."""
        self._answers[path] = answer if callable(answer) else lambda _: answer

    def in_turn(self, path: str, *answers: Answer) -> None:
        """What a path answers the first time, the second time, and so on; the last one for ever."""
        left = list(answers)
        self.on(path, lambda _: left.pop(0) if len(left) > 1 else left[0])

    def wrap(self, context: ssl.SSLContext) -> None:
        """Speaks TLS from now on."""
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)

    def answer(self, request: Request) -> Answer:
        self.requests.append(request)
        given = self._answers.get(request.path)
        return given(request) if given else Answer.text(f"nothing at {request.path}", 404)

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        server = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            timeout = 30

            def respond(self) -> None:
                length = int(self.headers.get("Content-Length") or 0)
                parts = urlsplit(self.path)
                headers = {name.lower(): value for name, value in self.headers.items()}
                body = self.rfile.read(length)
                answer = server.answer(Request(self.command, parts.path, parts.query, headers, body))
                try:
                    self.write(answer)
                except OSError:
                    server.gone.set()
                    self.close_connection = True

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return self.respond
                raise AttributeError(name)

            def write(self, answer: Answer) -> None:
                self.send_response(answer.status)
                for name, value in answer.headers.items():
                    self.send_header(name, value)
                if answer.chunks is None:
                    self.send_header("Content-Length", str(len(answer.body) + (1 if answer.cut else 0)))
                    self.end_headers()
                    if self.command != "HEAD":
                        self.wfile.write(answer.body)
                else:
                    self.send_header("Connection", "close")
                    self.end_headers()
                    for chunk in answer.chunks:
                        self.wfile.write(chunk)
                        self.wfile.flush()
                self.close_connection = self.close_connection or answer.cut or answer.chunks is not None

            def log_message(self, *_: Any) -> None:
                pass

        return Handler


@contextlib.contextmanager
def http_server(address: str = "127.0.0.1") -> Iterator[HttpServer]:
    """A server on a free port of the loopback, until the block ends."""
    with HttpServer(address) as server:
        yield server
