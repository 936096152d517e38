"""A run is looked at until it is over, also through a server that is away for a while."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest

from flowhub_assets.cli import watching
from flowhub_assets.cli.remote import remote_access
from flowhub_assets.cli.watching import OutOfTime, events_until_over, wait_until_over
from flowhub_assets.errors import NotFound, Unavailable
from flowhub_assets.server.run_facts import RunEvent, RunView

AWAY: tuple[int, Any] = (503, {"detail": "away"})


def run(status: str) -> tuple[int, Any]:
    return 200, asdict(RunView("0f", "steps", "steps", status, 1.0))


def events(*messages: str, cursor: str) -> tuple[int, Any]:
    told = [asdict(RunEvent(cursor, 1.0, "LOG", "first", "INFO", message, 1)) for message in messages]
    return 200, {"events": told, "cursor": cursor}


@contextmanager
def server(*answers: tuple[int, Any]) -> Iterator[tuple[str, list[str]]]:
    """A server that gives these answers, the last one for ever; its address, and what it was asked."""
    left, asked = list(answers), []

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            status, body = left.pop(0) if len(left) > 1 else left[0]
            told = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(told)))
            self.end_headers()
            self.wfile.write(told)

        def log_message(self, *_: Any) -> None:
            pass

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{http.server_port}", asked
    finally:
        http.shutdown()
        http.server_close()
        thread.join(60)


def test_events_are_told_once_until_the_run_is_over() -> None:
    views: list[str] = []
    answers = [run("STARTED"), events("a", "b", cursor="1"), run("SUCCESS"), events("c", cursor="2")]
    with server(*answers, run("SUCCESS"), events(cursor="2")) as (url, asked), remote_access(url, None) as access:
        told = [one.message for one in events_until_over(access, "0f", None, lambda view: views.append(view.status))]
    assert told == ["a", "b", "c"]
    assert views == ["STARTED", "SUCCESS", "SUCCESS"]
    assert [path.partition("?")[2] for path in asked if "events" in path] == ["", "after=1", "after=2"]


def test_a_server_that_is_away_for_a_while_is_waited_for() -> None:
    answers = [AWAY, run("STARTED"), AWAY, run("SUCCESS"), events("a", cursor="1"), run("SUCCESS")]
    with server(*answers, events(cursor="1")) as (url, _), remote_access(url, None) as access:
        assert [one.message for one in events_until_over(access, "0f", None)] == ["a"]


def test_a_server_that_stays_away_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watching, "_AWAY_SECONDS", 0.3)
    with server(AWAY) as (url, asked), remote_access(url, None) as access:
        with pytest.raises(Unavailable, match="away"):
            wait_until_over(access, "0f", None)
        assert len(asked) > 1


def test_a_run_that_is_not_there_is_told_at_once() -> None:
    with server((404, {"detail": "there is no run"})) as (url, asked), remote_access(url, None) as access:
        with pytest.raises(NotFound):
            wait_until_over(access, "0f", None)
        assert len(asked) == 1


def test_a_time_is_over() -> None:
    with (
        server(run("STARTED"), events("a", cursor="1"), run("STARTED"), events(cursor="1"), AWAY) as (url, _),
        remote_access(url, None) as access,
        pytest.raises(OutOfTime),
    ):
        wait_until_over(access, "0f", 0.5)
