"""What the shipped pipelines ask over HTTP: topics, a table, and a stand-in for a language model.

The stand-in speaks the part of OpenAI's API that the pipelines need. It is no model: its article is put together
from the topic that it finds in the question, and says so.
"""

from __future__ import annotations

import contextlib
import json
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from flowhub_assets import pipelines

TOPIC = {"topic": "반도체", "angle": "첨단 공정 경쟁", "keywords": ["파운드리", "HBM", "수율"]}

_LARGEST_REQUEST = 1_000_000
_TOPIC_LINE = "주제:"


@contextlib.contextmanager
def demo_api() -> Iterator[str]:
    """Serves it on a free port of the loopback until the block ends; yields the address, without a path."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


def article_about(prompt: str) -> str:
    """A short article, in Markdown, on the topic that ``prompt`` names after ``주제:``."""
    lines = [line.strip() for line in prompt.splitlines()]
    topics = [line.removeprefix(_TOPIC_LINE).strip() for line in lines if line.startswith(_TOPIC_LINE)]
    topic = topics[0] if topics and topics[0] else "오늘의 소식"
    return (
        f"## {topic}, 다시 주목받다\n\n"
        f"{topic} 분야의 움직임이 빨라지고 있다. 업계는 올해의 투자와 인력 계획을 다시 살피고 있으며, "
        "전문가들은 기술과 공급망을 함께 보아야 한다고 말한다.\n\n"
        f"{topic}의 다음 걸음은 품질과 속도의 균형에 달려 있다.\n\n"
        "_데모용 대역이 쓴 글입니다. 실제 언어 모델의 답이 아닙니다._"
    )


def _completion(body: dict[str, Any]) -> dict[str, Any]:
    prompt = "\n".join(str(message.get("content", "")) for message in body["messages"])
    text = article_about(prompt)
    asked, written = len(prompt.split()), len(text.split())
    return {
        "id": "chatcmpl-demo",
        "object": "chat.completion",
        "created": 0,
        "model": body["model"],
        "choices": [{"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}],
        "usage": {"prompt_tokens": asked, "completion_tokens": written, "total_tokens": asked + written},
    }


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    timeout = 30

    def do_GET(self) -> None:
        """Topics, the table of wines, the models."""
        if self.path == "/topics":
            self._send(HTTPStatus.OK, TOPIC)
        elif self.path == "/wine.csv":
            self._send_bytes(HTTPStatus.OK, _wines().read_bytes(), "text/csv; charset=utf-8")
        elif self.path == "/v1/models":
            self._send(HTTPStatus.OK, {"object": "list", "data": [{"id": "demo", "object": "model"}]})
        else:
            self._refuse(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}")

    def do_POST(self) -> None:
        """A chat completion."""
        length = int(self.headers.get("Content-Length") or 0)
        if length > _LARGEST_REQUEST:
            self.close_connection = True
            self._refuse(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"more than {_LARGEST_REQUEST:,} bytes")
            return
        raw = self.rfile.read(length)
        if self.path != "/v1/chat/completions":
            self._refuse(HTTPStatus.NOT_FOUND, f"there is nothing at {self.path}: the demo's stand-in knows chats only")
            return
        try:
            body = json.loads(raw)
            if body.get("stream"):
                self._refuse(HTTPStatus.BAD_REQUEST, "the demo's stand-in for a language model does not stream")
                return
            answer = _completion(body)
        except (ValueError, KeyError, TypeError, AttributeError):
            self._refuse(HTTPStatus.BAD_REQUEST, "this is no request for a chat completion")
            return
        self._send(HTTPStatus.OK, answer)

    def _refuse(self, status: HTTPStatus, message: str) -> None:
        self._send(status, {"error": {"message": message}})

    def _send(self, status: HTTPStatus, value: Any) -> None:
        self._send_bytes(status, json.dumps(value, ensure_ascii=False).encode(), "application/json")

    def _send_bytes(self, status: HTTPStatus, data: bytes, kind: str) -> None:
        self.send_response(status)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *_: Any) -> None:
        """Says nothing: the terminal shows the runs."""


def _wines() -> Path:
    return Path(next(iter(pipelines.__path__))) / "wine_warehouse" / "wine.csv"
