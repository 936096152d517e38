"""GET /api/v1/queues by a real client, and ``flowhub queue list --url`` over it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from flowhub_assets.cli.queue import queue
from flowhub_assets.resources.queues import Queue, Queues
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.queue_views import view_queues
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.backends import GREET, backend_over, served
from flowhub_assets_tests.to_dagster.queued_runs import move

QUEUES = Queues({"priority": Queue("priority", 10, 1)}, pools={"db-lock": 1})


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder: Path = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, tmp_path_factory.mktemp("backend"), queues=QUEUES) as backend:
        yield backend


@pytest.fixture(scope="module")
def runs(backend: Backend) -> list[str]:
    runs = [backend.runs.start(StartRequest("greet", queue="priority")).run_id for _ in range(3)]
    move(backend.instance, runs[0], "PIPELINE_STARTING", "PIPELINE_START")
    return runs


def test_the_queues_as_json(backend: Backend, runs: list[str]) -> None:
    with served(backend) as url:
        told = httpx.get(f"{url}/api/v1/queues", params={"limit": 1}, timeout=60).json()
        refused = httpx.get(f"{url}/api/v1/queues", params={"limit": 0}, timeout=60)
    assert told == json.loads(json.dumps(asdict(view_queues(backend, most=1))))
    (one,) = told["queues"]
    assert (one["name"], one["running_count"], one["waiting_count"], len(one["waiting"])) == ("priority", 1, 2, 1)
    assert refused.status_code == 422


def test_the_command_asks_a_server(backend: Backend, runs: list[str]) -> None:
    with served(backend) as url:
        done = CliRunner().invoke(queue, ["list", "--url", url])
        as_json = CliRunner().invoke(queue, ["list", "--url", url, "--json"])
    assert done.exit_code == 0, done.output
    first, second, third = runs
    limit = f"queue priority takes 1 run at a time: run {first} holds it"
    assert "queue priority (priority 10, 1 run at a time)" in done.output
    assert f"  1. {second}  greet  waits for 0 s, priority 10: {limit}" in done.output.replace("1 s, ", "0 s, ")
    assert f"  2. {third}  greet" in done.output
    assert "pool db-lock (0 of 1 taken)" in done.output
    assert "Nothing starts: Dagster's daemon has never run here" in done.output
    assert json.loads(as_json.output)["waiting_count"] == 2
