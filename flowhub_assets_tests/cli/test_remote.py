"""The verbs over a server: what it refuses is told in its own words, and no word holds the token."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from flowhub_assets.cli.__main__ import flowhub
from flowhub_assets.server.backend import Backend
from flowhub_assets.store import tokens
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.server.backends import GREET, backend_over, served

TOKEN = "fh_not-a-token-that-anybody-has"


@pytest.fixture(scope="module")
def backend(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Backend]:
    base = tmp_path_factory.mktemp("remote")
    (base / "pipelines").mkdir()
    (base / "pipelines" / "greet.yaml").write_text(GREET)
    with backend_over(base / "pipelines", base, is_open=False) as backend:
        yield backend


@pytest.fixture(scope="module")
def url(backend: Backend, held: dict[str, str]) -> Iterator[str]:
    with served(backend) as url:
        yield url


@pytest.fixture(scope="module")
def held(backend: Backend) -> dict[str, str]:
    """A token for each role, made before the first request: the server looks for new ones every few seconds."""
    with backend.database.begin() as connection:
        return {role: tokens.create(connection, role, role, 0.0) for role in ("viewer", "runner")}


def verb(url: str, token: str | None, *words: str) -> Result:
    return CliRunner().invoke(flowhub, list(words), env={"FLOWHUB_URL": url, "FLOWHUB_TOKEN": token})


def test_a_run_is_started_listed_and_cancelled(held: dict[str, str], url: str) -> None:
    runner = held["runner"]
    begun = verb(url, runner, "run", "greet", "--param", "times=2", "--queue", "night", "--priority", "3", "--key", "a")
    assert begun.exit_code == 0, begun.output
    run_id = begun.stdout.strip()
    assert begun.stderr == f"http://dagster.test/runs/{run_id}\n"
    again = verb(url, runner, "run", "greet", "--param", "times=2", "--key", "a")
    assert again.stdout == begun.stdout
    assert "has started this run already" in again.stderr
    forced = verb(url, runner, "run", "greet", "--param", "times=2", "--key", "a", "--force")
    assert forced.stdout != begun.stdout
    (run,) = [json.loads(line) for line in verb(url, runner, "runs", "--json", "--limit", "9").stdout.splitlines()][1:]
    assert (run["run_id"], run["pipeline"], run["status"]) == (run_id, "greet", "QUEUED")
    assert (run["queue"], run["priority"], run["door"]) == ("night", 3, "http")
    cancelled = verb(url, runner, "cancel", run_id[:12])
    assert cancelled.stdout == f"{run_id} CANCELED\n"
    assert verb(url, runner, "cancel", run_id).exit_code == 2
    table = verb(url, runner, "runs", "--status", "canceled", "--pipeline", "greet").stdout
    assert run_id in table
    assert forced.stdout.strip() not in table
    waited = verb(url, runner, "run", "greet", "--param", "times=2", "--key", "a", "--wait", "--timeout", "0")
    assert waited.exit_code == 124


def test_wrong_params_are_shown_field_by_field(held: dict[str, str], url: str) -> None:
    done = verb(url, held["runner"], "run", "greet", "--param", "times=0", "--params", '{"ctiy": "x"}')
    assert done.exit_code == 2
    assert done.stdout == ""
    assert "  times: " in done.stderr
    assert "  ctiy: " in done.stderr


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["run", "great"], "there is no pipeline 'great'"),
        (["logs", "x" * 36], "there is no run"),
        (["logs", "x" * 36, "say", "--follow"], "there is no run"),
        (["logs", "x" * 36, "--follow"], "there is no run"),
        (["cancel", "0f0f0f"], "none of the last 500 runs begins with '0f0f0f'"),
        (["cancel", "0f"], "'0f' is too short for a run's id"),
        (["retry", "x" * 36], "there is no run"),
        (["runs", "--status", "gone"], "there is no status 'GONE'"),
    ],
)
def test_what_is_not_there_is_refused(held: dict[str, str], url: str, words: list[str], told: str) -> None:
    done = verb(url, held["runner"], *words)
    assert done.exit_code == 2, done.output
    assert told in done.stderr
    assert "Traceback" not in done.output


def test_a_token_opens_what_its_role_may(held: dict[str, str], url: str) -> None:
    viewer = held["viewer"]
    assert verb(url, viewer, "runs").exit_code == 0
    refused = verb(url, viewer, "run", "greet")
    assert refused.exit_code == 2
    assert "may not start greet" in refused.stderr


@pytest.mark.parametrize("given", [None, TOKEN, "two words", "줄"])
def test_a_wrong_token_is_in_no_word(url: str, given: str | None) -> None:
    done = verb(url, given, "runs")
    assert done.exit_code == 2, done.output
    assert given is None or given not in done.output


@pytest.mark.parametrize("words", [["runs"], ["logs", "x" * 36, "say", "-f"], ["run", "greet"]])
def test_a_server_that_is_not_there_is_told(words: list[str]) -> None:
    url = f"http://127.0.0.1:{free_port()}"
    done = verb(url, TOKEN, *words)
    assert done.exit_code == 4
    assert f"the server at {url} does not answer: ConnectError" in done.stderr
    assert TOKEN not in done.output


@pytest.mark.parametrize("url", ["localhost:8000", "ftp://host", "http://", "http://me:secret@host"])
def test_what_is_no_address_is_refused(url: str) -> None:
    done = verb(url, TOKEN, "runs")
    assert done.exit_code == 2
    assert "is no address of a server" in done.stderr
    assert "secret" not in done.output


@contextmanager
def answering(status: int, body: bytes, kind: str = "text/html") -> Iterator[str]:
    """Any other server."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Location", "http://127.0.0.1:1/elsewhere")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(60)


@pytest.mark.parametrize(
    ("status", "body", "code", "told"),
    [
        (200, b"<html>Dagster</html>", 2, "answers with what is no JSON"),
        (302, b"", 2, "the server answered 302"),
        (500, b"<html>", 2, "the server answered 500"),
        (503, b'{"detail": "the database is away"}', 4, "the database is away"),
        (429, b'["odd"]', 4, "the server answered 429"),
        (422, b'{"errors": ["odd", {"pointer": "times"}]}', 2, "  times: "),
    ],
)
def test_any_answer_is_told_without_a_traceback(status: int, body: bytes, code: int, told: str) -> None:
    with answering(status, body) as url:
        done = verb(url, TOKEN, "runs")
    assert done.exit_code == code, done.output
    assert told in done.stderr
    assert not isinstance(done.exception, Exception), done.exception


def test_no_dagster_is_imported_for_a_server(tmp_path: Path) -> None:
    import subprocess
    import sys

    code = (
        "import sys, flowhub_assets.cli.start, flowhub_assets.cli.remote, flowhub_assets.cli.runs, "
        "flowhub_assets.cli.logs, flowhub_assets.cli.cancel, flowhub_assets.cli.retry, flowhub_assets.cli.dev\n"
        "print([name for name in ('dagster', 'fastapi', 'grpc', 'sqlalchemy', 'httpx') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=tmp_path, check=True)
    assert done.stdout == "[]\n"
