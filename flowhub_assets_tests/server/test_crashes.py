"""The server is killed while clients ask it, or its database goes away: nothing accepted is lost, nothing doubled."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import dagster as dg
import httpx
import pytest

from flowhub_assets_tests.broken_network import relay
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres
from flowhub_assets_tests.server.backends import GREET
from flowhub_assets_tests.server.server_process import ServerProcess, within

__all__ = ["shared_postgres"]

CLIENTS, KEYS_OF_EACH, KILLS = 6, 6, 3


class Client:
    """Asks for one run for each of its keys, as often as it takes until it is answered."""

    def __init__(self, server: ServerProcess, name: str, ended: threading.Event) -> None:
        self._server = server
        self._keys = [f"{name}-{number}" for number in range(KEYS_OF_EACH)]
        self._ended = ended
        self.answered: dict[str, str] = {}
        self.statuses: Counter[int] = Counter()

    def ask(self) -> None:
        for key in self._keys:
            while key not in self.answered and not self._ended.is_set():
                run_id = self._ask(key)
                if run_id is None:
                    time.sleep(0.2)
                else:
                    self.answered[key] = run_id

    def _ask(self, key: str) -> str | None:
        url = f"{self._server.url}/api/v1/pipelines/greet/runs"
        body = {"params": {"city": key}}
        try:
            answer = httpx.post(url, json=body, headers={"Idempotency-Key": key}, timeout=30)
        except httpx.TransportError:
            return None
        self.statuses[answer.status_code] += 1
        return str(answer.json()["run_id"]) if answer.status_code in (200, 202) else None


def cities(server: ServerProcess) -> dict[str, list[str]]:
    """The runs in Dagster's queue, by the city that they were given."""
    found: dict[str, list[str]] = {}
    with dg.DagsterInstance.from_config(str(server.base / "home")) as instance:
        for run in instance.get_runs():
            if run.status is dg.DagsterRunStatus.NOT_STARTED:
                continue  # made, and not queued yet
            assert run.status is dg.DagsterRunStatus.QUEUED, run.status
            config: dict[str, dict[str, dict[str, dict[str, str]]]] = dict(run.run_config)  # type: ignore[arg-type]
            found.setdefault(config["resources"]["params"]["config"]["city"], []).append(run.run_id)
    return found


@pytest.fixture
def server(tmp_path: Path) -> ServerProcess:
    server = ServerProcess(tmp_path)
    (tmp_path / "workflows" / "greet.yaml").write_text(GREET)
    return server


@pytest.mark.timeout(400)
def test_a_server_that_is_killed_again_and_again_loses_and_doubles_nothing(server: ServerProcess) -> None:
    chance, ended = random.Random(6), threading.Event()
    clients = [Client(server, f"c{number}", ended) for number in range(CLIENTS)]
    with ThreadPoolExecutor(CLIENTS) as pool:
        asking = [pool.submit(client.ask) for client in clients]
        try:
            for _ in range(KILLS):
                server.start()
                before = sum(len(client.answered) for client in clients)
                within(60, lambda: sum(len(client.answered) for client in clients) > before)  # noqa: B023
                time.sleep(chance.uniform(0, 0.5))
                server.kill()
            server.start()
            for one in asking:
                one.result(120)
        finally:
            ended.set()
    answered = {key: run_id for client in clients for key, run_id in client.answered.items()}
    assert len(answered) == CLIENTS * KEYS_OF_EACH
    # What the killed ones had accepted and not launched is launched within some seconds.
    within(60, lambda: cities(server).keys() >= answered.keys())
    assert cities(server) == {key: [run_id] for key, run_id in answered.items()}
    assert server.stop() == 0, server.log()


@pytest.mark.timeout(300)
def test_the_database_away_for_half_a_minute(tmp_path: Path, shared_postgres: PostgresServer) -> None:
    away, ended = threading.Event(), threading.Event()

    def cut(data: bytes) -> bytes:
        if away.is_set():
            raise ConnectionResetError
        return data

    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "greet.yaml").write_text(GREET)
    url = shared_postgres.new_database()
    with relay(url, up=cut, down=cut) as between:
        port = between.rpartition(":")[2]
        database = url.replace(f":{shared_postgres.port}/", f":{port}/")
        with ServerProcess(tmp_path, environment={"FLOWHUB_DATABASE": database}) as server:
            first, second = Client(server, "before", ended), Client(server, "meanwhile", ended)
            first.ask()
            away.set()
            began = time.monotonic()
            with ThreadPoolExecutor(1) as pool:
                asking = pool.submit(second.ask)
                within(60, lambda: second.statuses[503] >= 3)
                assert httpx.get(f"{server.url}/health", timeout=60).status_code == 200
                assert httpx.get(f"{server.url}/readyz", timeout=60).status_code == 503
                time.sleep(max(0.0, 30 - (time.monotonic() - began)))
                assert not second.answered
                away.clear()
                asking.result(120)
            answered = {**first.answered, **second.answered}
            assert len(answered) == 2 * KEYS_OF_EACH
            within(60, lambda: cities(server).keys() >= answered.keys())
            assert cities(server) == {key: [run_id] for key, run_id in answered.items()}
            assert shared_postgres.password not in server.log()


@pytest.mark.timeout(300)
def test_two_hundred_clients_at_once(server: ServerProcess) -> None:
    together = threading.Barrier(200)

    def ask(number: int) -> tuple[int, str]:
        together.wait(60)
        url = f"{server.url}/api/v1/pipelines/greet/runs"
        # Two of them have the same key: half of the runs are the other half's.
        key = f"shared-{number % 100}"
        answer = httpx.post(url, json={"params": {"city": key}}, headers={"Idempotency-Key": key}, timeout=200)
        return answer.status_code, answer.json().get("run_id", answer.text)

    with server, ThreadPoolExecutor(200) as pool:
        answers = list(pool.map(ask, range(200)))
        assert Counter(status for status, _ in answers) == {202: 100, 200: 100}, answers
        assert len({run_id for _, run_id in answers}) == 100
        within(60, lambda: len(cities(server)) == 100)
        assert all(len(runs) == 1 for runs in cities(server).values())
