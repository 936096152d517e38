"""``flowhub serve`` and ``flowhub token``, as an operator uses them: a token first, then HTTPS for others."""

from __future__ import annotations

import re
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from flowhub_assets.cli.serve import serve
from flowhub_assets.cli.token import audit, token
from flowhub_assets.errors import InputError
from flowhub_assets_tests.server.backends import GREET
from flowhub_assets_tests.server.server_process import ServerProcess
from flowhub_assets_tests.tls_files import tls_files


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The DAGSTER_HOME of a Dagster without pipelines of its own."""
    home = tmp_path / "home"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry: {enabled: false}\n")
    for name in ("FLOWHUB_DATABASE", "FLOWHUB_FIRST_TOKEN"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("DAGSTER_HOME", str(home))
    return home


def say(command: object, *words: str) -> str:
    result = CliRunner().invoke(command, words, catch_exceptions=False)  # type: ignore[arg-type]
    assert result.exit_code == 0, result.output
    return result.stdout


def test_a_token_is_shown_once_and_every_act_is_told(home: Path) -> None:
    made = say(token, "create", "shop", "--role", "runner", "--days", "30").strip()
    assert re.fullmatch(r"flowhub_[\w-]{43}", made)
    listed = say(token, "list")
    assert re.match(r"shop +runner +until \d{4}-\d\d-\d\d", listed)
    assert made not in listed
    say(token, "revoke", "shop")
    assert say(token, "list").split() == ["shop", "runner", "revoked"]
    told = [line.split(" ", 3)[3] for line in say(audit).splitlines()]
    assert told == ["cli revoke a token shop: done", "cli create a token shop: done"]


@pytest.mark.parametrize("words", [["--role", "king"], ["--role", "viewer", "--days", "0"], []])
def test_a_token_needs_a_role_that_there_is(home: Path, words: list[str]) -> None:
    assert CliRunner().invoke(token, ["create", "shop", *words]).exit_code == 2


def test_it_does_not_listen_for_others_while_there_is_no_token(home: Path) -> None:
    with pytest.raises(InputError, match="there is no token"):
        CliRunner().invoke(serve, ["--host", "0.0.0.0", "--port", "0"], catch_exceptions=False)


def test_a_first_token_that_could_be_guessed_is_refused(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("FLOWHUB_FIRST_TOKEN", "secret")
    with pytest.raises(InputError, match="6 characters") as refused:
        CliRunner().invoke(serve, ["--port", "0"], catch_exceptions=False)
    assert "secret" not in str(refused.value)


def test_a_certificate_and_its_key_go_together(home: Path, tmp_path: Path) -> None:
    file = tmp_path / "cert.pem"
    file.write_text("")
    answer = CliRunner().invoke(serve, ["--tls-cert", str(file)])
    assert (answer.exit_code, "go together" in answer.output) == (2, True)


@pytest.mark.timeout(200)
def test_https_with_a_token_and_an_orderly_end(tmp_path: Path) -> None:
    (tmp_path / "workflows").mkdir()
    (tmp_path / "workflows" / "greet.yaml").write_text(GREET)
    files = tls_files(tmp_path, "127.0.0.1")
    options = ["--tls-cert", str(files.certificate), "--tls-key", str(files.with_key), "--require-token"]
    server = ServerProcess(tmp_path, *options, environment={"FLOWHUB_FIRST_TOKEN": "f" * 32})
    server.url = server.url.replace("http://", "https://")
    server.start(verify=ssl.create_default_context(cafile=str(files.certificate)))
    try:
        with httpx.Client(
            base_url=server.url, verify=ssl.create_default_context(cafile=str(files.certificate))
        ) as client:
            runs = "/api/v1/pipelines/greet/runs"
            assert client.post(runs, json={}).status_code == 401
            started = client.post(runs, json={}, headers={"Authorization": f"Bearer {'f' * 32}"})
            assert started.status_code == 202
            assert started.json()["url"].startswith("http://localhost:3000/runs/")
        made = subprocess.run(
            [sys.executable, "-m", "flowhub_assets.cli", "token", "list"],
            env=server.environment, capture_output=True, text=True, timeout=60, check=True,
        )  # fmt: skip
        assert made.stdout.split() == ["first", "admin", "for", "ever"]
        assert server.stop() == 0, server.log()
    finally:
        server.kill()
    assert "f" * 32 not in server.log()
    assert "Each request needs a token." in server.log()
    assert "Traceback" not in server.log()
