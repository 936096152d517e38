"""Runs over HTTP: started, seen, followed, cancelled, retried; and what is wrong is told as a problem."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from flowhub_assets.server.backend import Backend
from flowhub_assets_tests.server.backends import GREET, backend_over, served


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


@pytest.fixture(scope="module")
def client(backend: Backend) -> Iterator[httpx.Client]:
    with served(backend) as url, httpx.Client(base_url=url, timeout=30) as client:
        yield client


def start(client: httpx.Client, key: str | None = None, **body: Any) -> httpx.Response:
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post("/api/v1/pipelines/greet/runs", json=body, headers=headers)


def run_here(backend: Backend, run_id: str) -> None:
    """Does what the daemon and a run worker would do."""
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    job = backend.catalogue.get("greet").flow.job
    config = {**run.run_config, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}
    backend.instance.delete_run(run_id)
    assert job.execute_in_process(run_config=config, instance=backend.instance, run_id=run_id, tags=run.tags).success


def test_a_start_is_answered_with_where_its_run_is(client: httpx.Client) -> None:
    answer = start(client, params={"city": "Busan"}, priority=3, queue="night")
    assert answer.status_code == 202
    body = answer.json()
    assert body["is_new"] is True
    assert body["url"] == f"http://dagster.test/runs/{body['run_id']}"
    run = client.get(answer.headers["location"]).json()
    told = {key: run[key] for key in ("pipeline", "status", "queue", "priority", "door", "caller")}
    assert told == {
        "pipeline": "greet",
        "status": "QUEUED",
        "queue": "night",
        "priority": 3,
        "door": "http",
        "caller": "local",
    }


def test_the_same_key_answers_200_with_the_same_run(client: httpx.Client) -> None:
    first, again = start(client, "k-1"), start(client, "k-1")
    assert (first.status_code, again.status_code) == (202, 200)
    assert first.json()["run_id"] == again.json()["run_id"]
    other = start(client, "k-1", params={"city": "Jeju"})
    assert other.status_code == 409
    assert other.json()["remedy"]


@pytest.mark.parametrize(
    ("body", "status", "pointers"),
    [
        ({"params": {"city": 3, "town": 1}}, 422, ["town", "city"]),
        ({"env": "production"}, 422, ["env"]),
        ({"parms": {}}, 422, ["body.parms"]),
        ({"priority": "high"}, 422, ["body.priority"]),
        ({"params": []}, 422, ["body.params"]),
    ],
)
def test_wrong_params_are_told_field_by_field(
    client: httpx.Client, body: dict[str, Any], status: int, pointers: list[str]
) -> None:
    answer = start(client, **body)
    assert answer.status_code == status
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == status
    assert [error["pointer"] for error in problem["errors"]] == pointers


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/nothing", 404),
        ("DELETE", "/health", 405),
        ("GET", "/api/v1/pipelines/nobodys", 404),
        ("GET", "/api/v1/runs/nobodys", 404),
        ("GET", "/api/v1/runs/nobodys/events", 404),
        ("GET", "/api/v1/runs/nobodys/watch", 404),
        ("GET", "/api/v1/runs/nobodys/logs/say", 404),
        ("GET", "/api/v1/runs/nobodys/result", 404),
        ("POST", "/api/v1/runs/nobodys/cancel", 404),
        ("GET", "/api/v1/runs?limit=0", 422),
        ("GET", "/api/v1/runs?status=NOBODYS", 422),
    ],
)
def test_what_is_not_there_is_a_problem(client: httpx.Client, method: str, path: str, status: int) -> None:
    answer = client.request(method, path)
    assert answer.status_code == status, answer.text
    assert answer.json()["status"] == status


def test_a_body_that_is_no_json_is_a_problem(client: httpx.Client) -> None:
    answer = client.post("/api/v1/pipelines/greet/runs", content=b"{", headers={"Content-Type": "application/json"})
    assert answer.status_code == 422
    assert answer.json()["detail"]


def test_a_run_is_followed_to_its_end(client: httpx.Client, backend: Backend) -> None:
    run_id = start(client, params={"city": "Busan"}).json()["run_id"]
    early = client.get(f"/api/v1/runs/{run_id}/result")
    assert early.status_code == 409
    run_here(backend, run_id)
    run = client.get(f"/api/v1/runs/{run_id}").json()
    assert run["status"] == "SUCCESS"
    assert [step["status"] for step in run["steps"]] == ["SUCCESS"]
    events = client.get(f"/api/v1/runs/{run_id}/events").json()
    kinds = [event["kind"] for event in events["events"]]
    assert "STEP_SUCCESS" in kinds
    assert client.get(f"/api/v1/runs/{run_id}/events", params={"after": events["cursor"]}).json()["events"] == []
    with client.stream("GET", f"/api/v1/runs/{run_id}/watch") as watched:
        text = watched.read().decode()
    parts = [part for part in text.split("\n\n") if part]
    assert [json.loads(part.removeprefix("data: "))["kind"] for part in parts[:-1]] == kinds
    assert parts[-1].startswith("event: end\n")
    assert client.get(f"/api/v1/runs/{run_id}/result").status_code == 200
    over = client.post(f"/api/v1/runs/{run_id}/cancel")
    assert over.status_code == 409


def test_a_waiting_run_is_cancelled(client: httpx.Client) -> None:
    run_id = start(client).json()["run_id"]
    assert client.post(f"/api/v1/runs/{run_id}/cancel").json()["status"] == "CANCELED"
    listed = client.get("/api/v1/runs", params={"status": "CANCELED", "pipeline": "greet"}).json()["runs"]
    assert run_id in [run["run_id"] for run in listed]


def test_pipelines_are_told_with_the_schema_of_their_params(client: httpx.Client) -> None:
    (pipeline,) = client.get("/api/v1/pipelines").json()["pipelines"]
    assert pipeline == client.get("/api/v1/pipelines/greet").json()
    assert pipeline["params"] == {
        "type": "object",
        "properties": {
            "city": {"type": "string", "maxLength": 20, "default": "Seoul"},
            "times": {"type": "integer", "minimum": 1, "default": 1},
        },
        "additionalProperties": False,
    }


def test_metrics_count_routes_not_what_callers_write(client: httpx.Client) -> None:
    client.get("/api/v1/runs/somebodys-secret")
    text = client.get("/metrics").text
    assert 'flowhub_requests_total{door="http",path="/api/v1/runs/{run_id}",status="404"}' in text
    assert "somebodys-secret" not in text
    assert "flowhub_submissions{state=" in text


def test_the_pages_load_nothing_from_elsewhere(client: httpx.Client) -> None:
    page = client.get("/docs").text
    assert "swagger-ui-bundle.js" in page
    assert "//cdn" not in page
    assert "fonts.googleapis" not in page


@pytest.mark.parametrize(
    "body",
    [
        b'{"params": {"city": "\\ud800"}}',
        b'{"params": {"\\udfff": 1}}',
        b'{"params": {"city": "\\u0000"}}',
        b'{"latest_of": "\\u0000"}',
        b'{"latest_of": "\\ud800"}',
        b'{"queue": "\\ud800"}',
        b'{"queue": "\\u0000"}',
        b'{"env": "\\ud800"}',
        b'{"params": {"times": 1e400}}',
        b'{"params": {"times": NaN}}',
        b'{"params": {"times": 99999999999999999999999999}}',
        b'{"params": ' + b'{"a":' * 900 + b"1" + b"}" * 900 + b"}",
        b'{"params": {"city": "a", "city": 3}}',
        b'{"key_lifetime": 1e308}',
        b"\xff\xfe",
        b"",
    ],
)
def test_no_text_ends_in_a_500(client: httpx.Client, body: bytes) -> None:
    answer = client.post("/api/v1/pipelines/greet/runs", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 202, 400, 404, 422), answer.text


@pytest.mark.parametrize("key", [b"\xff\xfe", "열쇠".encode(), b"a" * 256, b"a" * 255])
def test_no_key_ends_in_a_500(client: httpx.Client, key: bytes) -> None:
    answer = client.post("/api/v1/pipelines/greet/runs", json={}, headers={b"Idempotency-Key": key})
    assert answer.status_code in (200, 202, 422), answer.text
