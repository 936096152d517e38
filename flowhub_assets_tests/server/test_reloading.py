"""Dagster is told to reload by its own GraphQL: once for many that ask at a time, and nothing depends on its answer."""

from __future__ import annotations

import json
import logging
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler

import pytest

from flowhub_assets.executor.dagster_runs import origins_here
from flowhub_assets.server.reloading import Reloading
from flowhub_assets_tests.loopback_server import LoopbackServer

ORIGINS = origins_here("flowhub_assets.definitions", "my-location")
_WAIT = 60


class Webserver:
    """What it was asked; it answers ``answer`` once ``may_answer`` is set."""

    def __init__(self) -> None:
        self.asked: list[dict[str, object]] = []
        self.answer: dict[str, object] = {"__typename": "WorkspaceLocationEntry", "loadStatus": "LOADED"}
        self.began = threading.Event()
        self.may_answer = threading.Event()


@pytest.fixture
def dagster() -> Iterator[tuple[Webserver, str]]:
    webserver = Webserver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            webserver.asked.append({"path": self.path, **body})
            webserver.began.set()
            webserver.may_answer.wait(_WAIT)
            answer = json.dumps({"data": {"reloadRepositoryLocation": webserver.answer}}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Says nothing."""

    with LoopbackServer(Handler) as server:
        yield webserver, f"http://127.0.0.1:{server.port}/"
        webserver.may_answer.set()


def test_many_who_ask_meanwhile_are_one_more_reload(dagster: tuple[Webserver, str]) -> None:
    webserver, url = dagster
    reloading = Reloading(url, lambda: ORIGINS)
    reloading.ask()
    assert webserver.began.wait(_WAIT)
    for _ in range(5):
        reloading.ask()
    assert not reloading.wait(0)
    webserver.may_answer.set()
    assert reloading.wait(_WAIT)
    assert len(webserver.asked) == 2, "what came while it was loading is in the second"
    first = webserver.asked[0]
    assert first["path"] == "/graphql"
    assert first["variables"] == {"location": "my-location"}
    reloading.ask()
    assert reloading.wait(_WAIT)
    assert len(webserver.asked) == 3


def test_what_dagster_says_is_told_in_the_log(dagster: tuple[Webserver, str], caplog: pytest.LogCaptureFixture) -> None:
    webserver, url = dagster
    webserver.may_answer.set()
    webserver.answer = {"__typename": "ReloadNotSupported"}
    with caplog.at_level(logging.WARNING, "flowhub.server"):
        for ui in (url, "http://127.0.0.1:1", "file:///etc/passwd#"):
            reloading = Reloading(ui, lambda: ORIGINS)
            reloading.ask()
            assert reloading.wait(_WAIT)
    not_supported, away, no_http = (record.getMessage() for record in caplog.records)
    assert not_supported == "Dagster did not reload my-location: ReloadNotSupported"
    assert "http://127.0.0.1:1" in away
    assert "no address of HTTP" in no_http


def test_where_no_webserver_is_known_nobody_is_asked() -> None:
    reloading = Reloading("", lambda: ORIGINS)
    reloading.ask()
    assert reloading.wait(0)
