"""Before any route: sizes, rates, and who may speak through a browser of this machine."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from flowhub_assets.server.backend import Backend
from flowhub_assets.server.rest.guard import Limits
from flowhub_assets.store import audit, tokens
from flowhub_assets_tests.server.backends import GREET, backend_over, served

RUNS = "/api/v1/pipelines/greet/runs"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    folder = tmp_path_factory.mktemp("pipelines")
    (folder / "greet.yaml").write_text(GREET)
    with backend_over(folder, tmp_path_factory.mktemp("backend")) as backend:
        yield backend


@pytest.fixture(scope="module")
def url(backend: Backend) -> Iterator[str]:
    with served(backend, Limits(body=2_000, per_second=0), origins=("https://friend.test",)) as url:
        yield url


def test_a_body_that_is_too_large_is_refused_by_its_length_and_while_it_comes(url: str) -> None:
    large = b'{"params": {"city": "' + b"x" * 3_000 + b'"}}'
    told = httpx.post(url + RUNS, content=large, headers={"Content-Type": "application/json"}, timeout=60)
    chunks = (large[start : start + 500] for start in range(0, len(large), 500))
    streamed = httpx.post(url + RUNS, content=chunks, headers={"Content-Type": "application/json"}, timeout=60)
    for answer in (told, streamed):
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert "2000 bytes" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        ({}, 200),
        ({"Origin": "https://evil.test"}, 403),
        ({"Origin": "null"}, 403),
        ({"Host": "evil.test"}, 403),
        ({"Host": "localhost.evil.test:80"}, 403),
        ({"Host": "["}, 403),
        ({"Origin": "https://friend.test"}, 200),
        ({"X-Forwarded-For": "192.0.2.1"}, 401),
        ({"Forwarded": "for=192.0.2.1"}, 401),
        ({"Authorization": "Basic eDp5"}, 401),
        ({"Authorization": "Bearer nobodys"}, 401),
    ],
)
def test_who_may_ask_without_a_token(url: str, headers: dict[str, str], status: int) -> None:
    answer = httpx.get(f"{url}/api/v1/pipelines", headers=headers, timeout=60)
    assert answer.status_code == status
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"


def test_a_page_may_ask_only_where_its_origin_is_named(url: str) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "content-type"}
    friend = httpx.options(url + RUNS, headers={"Origin": "https://friend.test", **asked})
    assert friend.headers["access-control-allow-origin"] == "https://friend.test"
    evil = httpx.options(url + RUNS, headers={"Origin": "https://evil.test", **asked})
    assert evil.status_code == 403
    assert "access-control-allow-origin" not in evil.headers


def test_too_many_requests_are_told_when_to_come_back(backend: Backend) -> None:
    with served(backend, Limits(per_second=0.01, burst=2)) as url:
        answers = [httpx.get(f"{url}/health", timeout=60) for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[2].headers["retry-after"]) > 0


def test_a_client_that_leaves_in_the_middle_of_its_body_leaves_the_server_well(url: str) -> None:
    port = int(url.rpartition(":")[2])
    for _ in range(5):
        with socket.create_connection(("127.0.0.1", port), timeout=60) as connection:
            head = (
                f"POST {RUNS} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 900\r\n"
            )
            connection.sendall(f"{head}\r\n{{".encode())
    assert httpx.get(f"{url}/health", timeout=60).status_code == 200


def test_each_role_may_do_its_own(tmp_path: Path) -> None:
    (tmp_path / "greet.yaml").write_text(GREET)
    with backend_over(tmp_path, tmp_path, is_open=False) as closed:
        with closed.database.begin() as connection:
            made = {role: tokens.create(connection, role, role, 0.0) for role in ("viewer", "runner")}
        with served(closed) as url:
            assert httpx.get(f"{url}/health", timeout=60).status_code == 200
            assert httpx.get(f"{url}/api/v1/pipelines", timeout=60).status_code == 401
            for role, status in (("viewer", 403), ("runner", 202)):
                headers = {"Authorization": f"Bearer {made[role]}"}
                assert httpx.get(f"{url}/api/v1/pipelines", headers=headers, timeout=60).status_code == 200
                assert httpx.get(f"{url}/metrics", headers=headers, timeout=60).status_code == 200
                answer = httpx.post(url + RUNS, json={}, headers=headers, timeout=60)
                assert answer.status_code == status, answer.text
            (run,) = closed.instance.get_runs()
            assert run.tags["flowhub/by"] == "runner"
            cancel = f"{url}/api/v1/runs/{run.run_id}/cancel"
            assert (
                httpx.post(cancel, headers={"Authorization": f"Bearer {made['runner']}"}, timeout=60).status_code == 200
            )
        with closed.database.read() as connection:
            acts = [(act.caller, act.action, act.target, act.result) for act in audit.newest(connection)]
        assert acts == [
            ("runner", "cancel", run.run_id, "done"),
            ("runner", "start", "greet", "done"),
            ("viewer", "ask", f"POST {RUNS}", "refused"),
        ]
