"""Deliveries through several servers at once, a server that ends in between, and one that starts again."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest
from sqlalchemy import update

from flowhub_assets.server import warm
from flowhub_assets.server.access import Caller
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.hooks.receiving import Arrived, Pending, answer_of, receive
from flowhub_assets.server.hooks.signatures import Request
from flowhub_assets.store import submissions
from flowhub_assets.store.deliveries import Answer
from flowhub_assets.store.tables import submissions as table
from flowhub_assets_tests.postgres_server import PostgresServer, shared_postgres
from flowhub_assets_tests.server.backends import backend_over

__all__ = ["shared_postgres"]

HEAD = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: %s}\ntrigger: {type: webhook, signature: none%s}\n"
NODES = 'nodes: [{id: say, type: log, inputs: {message: "{{trigger.body}}"}}]\n'
REPLY = 'nodes: [{id: reply, type: http-response, inputs: {body: "{{$run_id}}"}}]\n'


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    found = tmp_path_factory.mktemp("pipelines")
    for name, more, nodes in (
        ("each", "", NODES),
        ("calm", ", mode: debounce, wait: 200ms", NODES),
        ("calmer", ", mode: debounce, wait: 1h", NODES),
        ("reply", "", REPLY),
    ):
        (found / f"{name}.yaml").write_text(HEAD % (name, more) + nodes)
    return found


@pytest.fixture
def backend(folder: Path, tmp_path: Path) -> Iterator[Backend]:
    with backend_over(folder, tmp_path) as backend:
        yield backend


def deliver(backend: Backend, hook: str, body: object, key: str | None = None) -> Answer | Pending:
    headers = [(b"content-type", b"application/json"), *([(b"idempotency-key", key.encode())] if key else [])]
    arrived = Arrived(Request(headers, json.dumps(body).encode()), "POST", hook, b"", "127.0.0.1")
    return receive(backend, arrived, lambda: Caller("nobody", "viewer"))


def answered(backend: Backend, hook: str, body: object, key: str | None = None) -> Answer:
    found = deliver(backend, hook, body, key)
    last = time.monotonic() + 120
    while isinstance(found, Pending):
        assert time.monotonic() < last
        time.sleep(0.02)
        found = answer_of(backend, found)
    return found


def run_id(answer: Answer) -> str:
    found: str = json.loads(answer.body)["run_id"]
    return found


def state(backend: Backend, run: str) -> str:
    with backend.database.read() as connection:
        found = submissions.find(connection, run)
    assert found is not None
    return found.state


def is_in(backend: Backend, run: str, wanted: str) -> bool:
    """Whether the run comes into that state, within a minute, as a server does its looks."""
    last = time.monotonic() + 60
    while state(backend, run) != wanted and time.monotonic() < last:
        backend.runs.launch_due(all_accepted=True)
        time.sleep(0.02)
    return state(backend, run) == wanted


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
@pytest.mark.parametrize("hook", ["each", "reply"])
def test_one_delivery_to_several_servers_at_once_is_one_run(
    request: pytest.FixtureRequest, folder: Path, tmp_path: Path, kind: str, hook: str
) -> None:
    url = None
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("shared_postgres")
        url = server.new_database()
    with ExitStack() as stack:
        servers = [stack.enter_context(backend_over(folder, tmp_path, database_url=url)) for _ in range(2)]
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: answered(servers[number % 2], hook, {}, "once"), range(24)))
        assert len(set(map(str, found))) == 1
        states = (submissions.LAUNCHED, submissions.ACCEPTED, submissions.ANSWERED, submissions.RECORDED)
        with servers[0].database.read() as connection:
            assert len(submissions.newest(connection, states, hook, float("inf"), 100)) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_of_deliveries_at_once_one_run_is_left(
    request: pytest.FixtureRequest, folder: Path, tmp_path: Path, kind: str
) -> None:
    url = None
    if kind == "postgresql":
        server: PostgresServer = request.getfixturevalue("shared_postgres")
        url = server.new_database()
    with backend_over(folder, tmp_path, database_url=url) as backend:
        with ThreadPoolExecutor(8) as pool:
            found = list(pool.map(lambda number: answered(backend, "calmer", {"n": number}), range(24)))
        states = [state(backend, run_id(answer)) for answer in found]
        assert sorted(states) == ["delayed"] + ["superseded"] * 23


def test_a_server_that_starts_again_knows_what_came_and_what_waits(folder: Path, tmp_path: Path) -> None:
    with backend_over(folder, tmp_path) as backend:
        first = answered(backend, "calm", {"n": 1}, "a")
    with backend_over(folder, tmp_path) as backend:
        assert answered(backend, "calm", {"n": 1}, "a") == first
        second = answered(backend, "calm", {"n": 2}, "b")
    with backend_over(folder, tmp_path) as backend:
        assert state(backend, run_id(first)) == submissions.SUPERSEDED
        assert is_in(backend, run_id(second), submissions.LAUNCHED)
        run = backend.instance.get_run_by_id(run_id(second))
        assert run is not None
        assert "'n': 2" in str(run.run_config)
        assert backend.instance.get_run_by_id(run_id(first)) is None
        assert answered(backend, "calm", {"n": 1}, "a") == first


def test_after_its_run_has_started_the_next_delivery_is_a_run_of_its_own(backend: Backend) -> None:
    first = answered(backend, "calm", {})
    assert is_in(backend, run_id(first), submissions.LAUNCHED)
    started = backend.instance.get_run_by_id(run_id(first))
    assert started is not None
    backend.instance.report_run_canceled(started)
    second = answered(backend, "calm", {})
    assert is_in(backend, run_id(second), submissions.LAUNCHED)


class _Killed(BaseException):
    """The end of a process."""


def test_a_server_that_ends_before_its_answer_leaves_a_run_to_dagster(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(*_: object) -> warm.Reply:
        raise _Killed

    with backend_over(folder, tmp_path) as backend, monkeypatch.context() as patch:
        patch.setattr(warm, "answer", killed)
        with pytest.raises(_Killed):
            deliver(backend, "reply", {}, "a")
    with backend_over(folder, tmp_path) as backend:
        assert isinstance(deliver(backend, "reply", {}, "a"), Pending)
        with backend.database.begin() as connection:
            connection.execute(update(table).values(due=0.0))
        backend.runs.launch_due(all_accepted=True)
        answer = answered(backend, "reply", {}, "a")
        assert answer.status == 202
        assert is_in(backend, run_id(answer), submissions.LAUNCHED)
        assert answered(backend, "reply", {}, "a") == answer


def test_an_answer_that_takes_too_long_is_202_for_ever(backend: Backend, monkeypatch: pytest.MonkeyPatch) -> None:
    engine = backend.warm
    monkeypatch.setattr(engine, "bounds", type(engine.bounds)(seconds=0.0))
    first = answered(backend, "reply", {}, "slow")
    assert first.status == 202
    last = time.monotonic() + 60
    while state(backend, run_id(first)) == submissions.ANSWERING and time.monotonic() < last:
        time.sleep(0.02)
    assert answered(backend, "reply", {}, "slow") == first


def test_what_a_hook_starts_is_in_the_audit_log(backend: Backend) -> None:
    from sqlalchemy import select

    from flowhub_assets.store.tables import audit

    answered(backend, "each", {})
    with backend.database.read() as connection:
        (line,) = connection.execute(select(audit)).all()
    assert (line.caller, line.door, line.peer) == ("hook each", "webhook", "127.0.0.1")
