"""The sensor that tells what is wrong, through Dagster's own evaluation and to a real endpoint."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from dagster import DagsterInstance, DefaultSensorStatus, SensorDefinition, build_sensor_context
from dagster._daemon.types import DaemonHeartbeat

from flowhub_assets.resources.alerts import Alerts
from flowhub_assets.to_dagster.looking import look_at_daemons
from flowhub_assets.to_dagster.watch import NAME, watch_sensor
from flowhub_assets_tests.http_server import Answer, HttpServer, http_server
from flowhub_assets_tests.workflows import Workflows

FLOW = """
    @task
    def one(args):
        if args.get("fails"):
            raise ValueError("no such city")
        return {}

    @flow(name="watched-flow", params={"fails": False}%s)
    def main(args):
        return one(args)
"""


@pytest.fixture
def server(monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    with http_server() as server:
        monkeypatch.setenv("TEAM_URL", f"json://127.0.0.1:{server.port}/in")
        server.on("/in", Answer.json({}))
        yield server


class Watch:
    """The sensor of a code location whose alerts go to TEAM_URL, tick after tick."""

    def __init__(self, workflows: Workflows, instance: DagsterInstance, words: str = "") -> None:
        workflows.write("watched.py", FLOW % words)
        self.location = replace(workflows.location(), alerts=Alerts(("TEAM_URL",)))
        self.repository = self.location.repository()
        self.sensor: SensorDefinition = self.repository.get_sensor_def(NAME)
        self.instance = instance
        self.cursor: str | None = None

    def tick(self) -> str:
        with build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository) as context:
            data = self.sensor.evaluate_tick(context)
        self.cursor = data.cursor
        assert data.run_requests in (None, [])
        return data.skip_message or ""


def titles(server: HttpServer) -> list[str]:
    return [request.json()["title"] for request in server.requests]


def test_a_failed_run_is_told_once_and_survives_an_endpoint_that_is_away(
    workflows: Workflows, instance_on_disk: DagsterInstance, server: HttpServer
) -> None:
    watch = Watch(workflows, instance_on_disk)
    assert watch.sensor.default_status is DefaultSensorStatus.RUNNING
    assert watch.tick() == "nothing new is wrong"
    server.on("/in", Answer(status=503))
    workflows.run("watched_flow", instance_on_disk, fails=True)
    told = watch.tick()
    assert told == "watched-flow: a run has failed (1 wait to be told; the URL of TEAM_URL did not take it)"
    server.on("/in", Answer.json({}))
    assert watch.tick() == "nothing new is wrong (1 told)"
    assert watch.tick() == "nothing new is wrong"
    server.requests.clear()
    workflows.run("watched_flow", instance_on_disk, fails=True)
    watch.tick()
    assert titles(server) == ["watched-flow: a run has failed"]


def test_a_deadline_and_an_old_success_are_told(
    workflows: Workflows, instance_on_disk: DagsterInstance, server: HttpServer
) -> None:
    watch = Watch(workflows, instance_on_disk, ", deadline=0.000001, freshness=0.000001")
    workflows.run("watched_flow", instance_on_disk)
    for _ in range(3):
        watch.tick()
    assert sorted(titles(server)) == ["watched-flow is out of date", "watched-flow: a run takes too long"]


def test_the_cursor_says_from_when_to_look(
    workflows: Workflows, instance_on_disk: DagsterInstance, server: HttpServer
) -> None:
    workflows.write("watched.py", FLOW % "")
    workflows.run("watched_flow", instance_on_disk, fails=True)
    watch = Watch(workflows, instance_on_disk)
    watch.cursor = json.dumps({"since": time.time() + 3_600})
    watch.tick()
    assert server.requests == [], "the run had failed before"
    watch.cursor = json.dumps({"since": 0})
    watch.tick()
    assert titles(server) == ["watched-flow: a run has failed"], "the sensor was off meanwhile: nothing is missed"


def test_a_process_beside_the_daemons_tells_that_they_have_stopped(
    instance_on_disk: DagsterInstance, server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("DAGSTER_HOME", raising=False)
    now, alerts = time.time(), Alerts(("TEAM_URL",))
    instance_on_disk.add_daemon_heartbeat(DaemonHeartbeat(now - 10, "SENSOR", "daemon-1"))
    assert look_at_daemons(instance_on_disk, alerts, now) == ""
    assert look_at_daemons(instance_on_disk, alerts, now + 300) == "1 told"
    assert look_at_daemons(instance_on_disk, alerts, now + 330) == ""
    assert titles(server) == ["Dagster's daemon SENSOR has stopped"]


def test_where_nobody_asks_there_is_no_sensor(workflows: Workflows, monkeypatch: pytest.MonkeyPatch) -> None:
    workflows.write("watched.py", FLOW % "")
    flows = [workflows.flow("watched_flow")]
    assert watch_sensor(flows, Alerts()) is None
    assert watch_sensor(flows, Alerts(("TEAM_URL",))) is not None
    monkeypatch.setenv("FLOWHUB_ALERTS", "json://x")
    assert watch_sensor(flows, Alerts()) is not None
    monkeypatch.delenv("FLOWHUB_ALERTS")
    workflows.write("watched.py", FLOW % ", deadline=60")
    assert watch_sensor([workflows.flow("watched_flow")], Alerts()) is not None
