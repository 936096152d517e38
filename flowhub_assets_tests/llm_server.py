"""A double of an OpenAI-compatible server such as vLLM: it speaks the wire, and its answers are made of the question.

    with llm_server() as llm:
        profile = {"VLLM_URL": llm.url}          # http://127.0.0.1:<port>/v1

It offers POST /v1/chat/completions, /v1/completions (both streamed as server-sent events if asked) and
/v1/embeddings, and GET /v1/models. Tokens are words. ``llm.next(Fault...)`` makes the next requests fail as such
servers do; ``llm.requests`` is what came. It needs the standard library only.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import math
import threading
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler
from typing import Any

from flowhub_assets_tests.loopback_server import LoopbackServer

_CREATED = 1_700_000_000
DIMENSIONS = 8


@dataclass(frozen=True)
class Fault:
    """How one request goes wrong.

    ``status`` is answered instead of a text, with ``headers``; ``after`` words of a stream it breaks off, or, with
    ``tell``, sends an error as an event; ``hang`` holds the answer, or the stream after so many words, back until the
    server ends.
    """

    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes | None = None
    after: int | None = None
    tell: bool = False
    hang: bool = False


@dataclass(frozen=True)
class Asked:
    """A request that came: header names in small letters."""

    path: str
    headers: Mapping[str, str]
    body: dict[str, Any]


def said_back(prompt: str, body: Mapping[str, Any]) -> str:
    """The text that the double writes unless it is given another way: a headline and the question's words."""
    return f"[{body.get('model')}] " + " ".join(prompt.split())


class LlmServer(LoopbackServer):
    """A running double; it waits ``pace`` seconds before each word of a stream.

    ``asked`` is set when a request has come.
    """

    def __init__(
        self, write: Callable[[str, Mapping[str, Any]], str] = said_back, api_key: str = "", pace: float = 0.0
    ) -> None:
        super().__init__(_handler(self))
        self.requests: list[Asked] = []
        self.asked = threading.Event()
        self.api_key = api_key
        self.write = write
        self.pace = pace
        self._faults: list[Fault] = []

    @property
    def url(self) -> str:
        """The base address, as VLLM_URL takes it."""
        return f"http://127.0.0.1:{self.port}/v1"

    def next(self, *faults: Fault) -> None:
        """What becomes of the next requests, one after the other; those after them are answered well."""
        self._faults.extend(faults)

    def take_fault(self) -> Fault:
        return self._faults.pop(0) if self._faults else Fault()


@contextlib.contextmanager
def llm_server(write: Callable[[str, Mapping[str, Any]], str] = said_back, api_key: str = "") -> Iterator[LlmServer]:
    """A double on a free port of the loopback until the block ends; with ``api_key`` it asks for that key."""
    with LlmServer(write, api_key) as server:
        yield server


def vector(text: str, dimensions: int = DIMENSIONS) -> list[float]:
    """The embedding of a text: made of its digest, of length 1, the same every time."""
    digest = hashlib.shake_128(text.encode()).digest(dimensions)
    raw = [byte - 127.5 for byte in digest]
    length = math.sqrt(sum(one * one for one in raw))
    return [round(one / length, 6) for one in raw]


class _Exchange:
    """One request and the answer to it."""

    def __init__(self, server: LlmServer, path: str, body: dict[str, Any], fault: Fault) -> None:
        self.server = server
        self.chat = path.endswith("/chat/completions")
        self.body = body
        self.fault = fault
        self.head = {
            "id": "cmpl-1",
            "created": _CREATED,
            "model": body.get("model"),
        }

    def words(self) -> tuple[list[str], str]:
        """The words of the answer, as far as max_tokens lets them, and the reason of their end."""
        words = self.server.write(self.prompt(), self.body).split(" ")
        most = self.body.get("max_tokens")
        if most is not None and len(words) > most:
            return words[:most], "length"
        return words, "stop"

    def prompt(self) -> str:
        if self.chat:
            return "\n".join(str(message.get("content", "")) for message in self.body["messages"])
        return str(self.body["prompt"])

    def usage(self, words: list[str]) -> dict[str, int]:
        asked = len(self.prompt().split())
        return {"prompt_tokens": asked, "completion_tokens": len(words), "total_tokens": asked + len(words)}

    def whole(self) -> dict[str, Any]:
        words, reason = self.words()
        text = " ".join(words)
        said: dict[str, Any] = {"message": {"role": "assistant", "content": text}} if self.chat else {"text": text}
        return {
            **self.head,
            "object": "chat.completion" if self.chat else "text_completion",
            "choices": [{"index": 0, **said, "finish_reason": reason}],
            "usage": self.usage(words),
        }

    def events(self) -> Iterator[str]:
        """The server-sent events of a stream, a word each."""
        words, reason = self.words()
        if self.chat:
            yield self.event({"role": "assistant", "content": ""})
        for number, word in enumerate(words):
            if self.fault.after == number:
                if self.fault.hang:
                    self.server.closing.wait(60)
                if self.fault.tell:
                    yield 'data: {"error": {"message": "engine is dead", "code": 500}}\n\n'
                return
            self.server.closing.wait(self.server.pace)
            piece = word if number == len(words) - 1 else f"{word} "
            yield self.event({"content": piece} if self.chat else piece)
        yield self.event({} if self.chat else "", reason)
        if (self.body.get("stream_options") or {}).get("include_usage"):
            yield f"data: {json.dumps({**self.head, 'choices': [], 'usage': self.usage(words)})}\n\n"
        yield "data: [DONE]\n\n"

    def event(self, piece: dict[str, Any] | str, reason: str | None = None) -> str:
        said = {"delta": piece} if self.chat else {"text": piece}
        choice = {"index": 0, **said, "finish_reason": reason}
        return f"data: {json.dumps({**self.head, 'choices': [choice]}, ensure_ascii=False)}\n\n"

    def embeddings(self) -> dict[str, Any]:
        texts = self.body["input"] if isinstance(self.body["input"], list) else [self.body["input"]]
        size = self.body.get("dimensions") or DIMENSIONS
        data = [
            {"object": "embedding", "index": index, "embedding": vector(text, size)} for index, text in enumerate(texts)
        ]
        tokens = sum(len(text.split()) for text in texts)
        # The order of the list is not promised, the indexes are.
        data.reverse()
        return {
            "object": "list",
            "model": self.body.get("model"),
            "data": data,
            "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
        }


def _handler(server: LlmServer) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        timeout = 60

        def do_GET(self) -> None:
            if self.path == "/v1/models":
                self.send_json(200, {"object": "list", "data": [{"id": "double", "object": "model"}]})
            else:
                self.send_json(404, {"detail": "Not Found"})

        def do_POST(self) -> None:
            raw = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            try:
                self.answer(raw)
            except OSError:
                server.gone.set()
                self.close_connection = True

        def answer(self, raw: bytes) -> None:
            body = json.loads(raw)
            headers = {name.lower(): value for name, value in self.headers.items()}
            server.requests.append(Asked(self.path, headers, body))
            server.asked.set()
            if server.api_key and headers.get("authorization") != f"Bearer {server.api_key}":
                self.send_json(401, {"error": {"message": f"no access with {headers.get('authorization')}"}})
                return
            fault = server.take_fault()
            if fault.hang and fault.after is None:
                server.closing.wait(60)
            if fault.body is not None:
                self.send_bytes(fault.status, fault.body, fault.headers)
            elif fault.status != 200:
                self.send_json(fault.status, {"error": {"message": "the double was told to fail"}}, fault.headers)
            else:
                self.speak(_Exchange(server, self.path, body, fault), body)

        def speak(self, exchange: _Exchange, body: dict[str, Any]) -> None:
            if self.path == "/v1/embeddings":
                self.send_json(200, exchange.embeddings())
            elif self.path not in ("/v1/chat/completions", "/v1/completions"):
                self.send_json(404, {"detail": "Not Found"})
            elif body.get("stream"):
                self.stream(exchange)
            else:
                self.send_json(200, exchange.whole())

        def stream(self, exchange: _Exchange) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/event-stream; charset=utf-8")
            self.send_header("Transfer-Encoding", "chunked")
            self.end_headers()
            for event in exchange.events():
                data = event.encode()
                self.wfile.write(b"%x\r\n%b\r\n" % (len(data), data))
                self.wfile.flush()
            if exchange.fault.after is not None and not exchange.fault.tell:
                # Without the last chunk the caller sees that the stream broke.
                self.close_connection = True
                return
            self.wfile.write(b"0\r\n\r\n")

        def send_json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
            self.send_bytes(status, json.dumps(value).encode(), {"Content-Type": "application/json", **(headers or {})})

        def send_bytes(self, status: int, data: bytes, headers: Mapping[str, str]) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: Any) -> None:
            pass

    return Handler
