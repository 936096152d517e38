"""A server tells that Dagster's daemons have stopped; it is no worse off for an endpoint that is away."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from dagster._daemon.types import DaemonHeartbeat

from flowhub_assets.resources.alerts import Alerts
from flowhub_assets.server.daemon_watch import watching_daemons
from flowhub_assets_tests.http_server import Answer, http_server
from flowhub_assets_tests.server.backends import GREET, backend_over


def wait(until: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not until():
        assert time.monotonic() < end, "nobody was told"
        time.sleep(0.02)


def test_a_daemon_that_has_stopped_is_told_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "greet.yaml").write_text(GREET)
    monkeypatch.setenv("DAGSTER_HOME", "")
    monkeypatch.delenv("FLOWHUB_ALERTS", raising=False)
    with http_server() as server, backend_over(folder, tmp_path) as backend:
        server.in_turn("/in", Answer(status=500), Answer.json({}))
        monkeypatch.setenv("TEAM_URL", f"json://127.0.0.1:{server.port}/in")
        backend.instance.add_daemon_heartbeat(DaemonHeartbeat(time.time() - 999, "SENSOR", "daemon-1"))
        location = replace(backend.surroundings.location, alerts=Alerts(("TEAM_URL",)))
        watched = replace(backend, surroundings=replace(backend.surroundings, location=location))
        with watching_daemons(watched, seconds=0.05):
            wait(lambda: len(server.requests) == 2)
            time.sleep(0.3)  # several looks more
        titles = [request.json()["title"] for request in server.requests]
        assert titles == ["Dagster's daemon SENSOR has stopped"] * 2, "the first time the endpoint was away"


def test_where_nobody_is_told_nobody_looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import threading

    folder = tmp_path / "pipelines"
    folder.mkdir()
    (folder / "greet.yaml").write_text(GREET)
    monkeypatch.delenv("FLOWHUB_ALERTS", raising=False)
    with backend_over(folder, tmp_path) as backend, watching_daemons(backend, seconds=0.05):
        assert "flowhub-daemon-watch" not in {thread.name for thread in threading.enumerate()}
