"""``flowhub demo-services``: what the shipped pipelines ask for is there as long as a command, and not longer."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.cli.demo_api import article_about, demo_api
from flowhub_assets.cli.demo_postgres import demo_postgres
from flowhub_assets.cli.demo_services import demo_services

COMMAND = [sys.executable, "-m", "flowhub_assets.cli", "demo-services"]
#: Tells where the services are, and waits until its standard input ends.
TELLS = """
import json, os, sys
json.dump({name: os.environ[name] for name in ("DEMO_API_URL", "DEMO_WAREHOUSE_URL", "VLLM_URL")}, open("told", "w"))
os.rename("told", "told.json")
sys.stdin.read()
"""


def environment() -> dict[str, str]:
    ours = ("DEMO_", "VLLM_", "DAGSTER_", "FLOWHUB_")
    return {name: value for name, value in os.environ.items() if not name.startswith(ours)}


def start(folder: Path, *command: str, **more: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*COMMAND, *command],
        cwd=folder,
        env=environment() | more,
        stdin=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def told(folder: Path, process: subprocess.Popen[str]) -> dict[str, str]:
    """Where the services are, as soon as the command runs."""
    ends = time.monotonic() + 60
    while not (folder / "told.json").exists():
        assert process.poll() is None, process.communicate()
        assert time.monotonic() < ends
        time.sleep(0.05)
    urls: dict[str, str] = json.loads((folder / "told.json").read_text())
    return urls


def is_up(database: str) -> bool:
    import psycopg2

    try:
        psycopg2.connect(database, connect_timeout=5).close()
    except psycopg2.OperationalError:
        return False
    return True


def left_by(process: int, folder: Path) -> list[Path]:
    return [
        path
        for place in (folder / ".dagster", Path(tempfile.gettempdir()))
        for path in place.glob(f"demo-postgres-{process}-*")
    ]


def wait_until_down(database: str) -> None:
    ends = time.monotonic() + 30
    while is_up(database):
        assert time.monotonic() < ends, "PostgreSQL still runs"
        time.sleep(0.1)


def test_they_are_there_for_the_command_and_gone_after_it(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-c", TELLS)
    urls = told(tmp_path, process)
    assert is_up(urls["DEMO_WAREHOUSE_URL"])
    with urllib.request.urlopen(f"{urls['DEMO_API_URL']}/topics", timeout=10) as answer:
        assert json.load(answer)["topic"] == "반도체"
    assert urls["VLLM_URL"] == f"{urls['DEMO_API_URL']}/v1"
    _, said = process.communicate("", timeout=60)
    assert process.returncode == 0
    assert urls["DEMO_API_URL"] in said
    assert urls["DEMO_WAREHOUSE_URL"] not in said, "it holds a password"
    assert not is_up(urls["DEMO_WAREHOUSE_URL"])
    assert not list((tmp_path / ".dagster").glob("demo-postgres-*"))


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_they_are_gone_however_it_ends(tmp_path: Path, how: signal.Signals) -> None:
    process = start(tmp_path, sys.executable, "-c", TELLS)
    database = told(tmp_path, process)["DEMO_WAREHOUSE_URL"]
    if how is signal.SIGINT:
        # As a terminal does: to the command and to what is around it.
        os.killpg(process.pid, how)
    else:
        process.send_signal(how)
    process.communicate(timeout=60)
    wait_until_down(database)
    assert process.returncode != 0
    with demo_postgres(tmp_path / ".dagster"):
        assert not left_by(process.pid, tmp_path), "what a killed one leaves behind, the next one removes"


def test_the_commands_end_is_seen_however_often_ctrl_c_was_pressed(tmp_path: Path) -> None:
    waits = f"import signal; signal.signal(signal.SIGINT, signal.SIG_IGN); exec({TELLS!r}); raise SystemExit(7)"
    process = start(tmp_path, sys.executable, "-c", waits)
    database = told(tmp_path, process)["DEMO_WAREHOUSE_URL"]
    for _ in range(300):
        os.killpg(process.pid, signal.SIGINT)
        time.sleep(0.001)
    try:
        process.communicate("", timeout=60)
    finally:
        process.kill()
    assert process.returncode == 7
    assert not is_up(database)


def test_the_commands_exit_code_is_its_own(tmp_path: Path) -> None:
    process = start(tmp_path, sys.executable, "-c", "raise SystemExit(7)")
    process.communicate(timeout=60)
    assert process.returncode == 7


@pytest.mark.parametrize(
    ("command", "said"), [((), "no command is given"), (("no-such-command", "--port", "1"), "cannot be started")]
)
def test_what_cannot_be_started_is_told(tmp_path: Path, command: tuple[str, ...], said: str) -> None:
    process = start(tmp_path, *command)
    _, errors = process.communicate(timeout=60)
    assert process.returncode == 1
    assert said in errors
    assert "Traceback" not in errors


def test_what_is_set_already_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    own = {"VLLM_URL": "http://gpu:8000/v1", "DEMO_WAREHOUSE_URL": "postgresql://me@db/x"}
    for name, value in own.items():
        monkeypatch.setenv(name, value)
    monkeypatch.delenv("DEMO_API_URL", raising=False)
    with demo_services(tmp_path) as services:
        assert {name: os.environ[name] for name in own} == own
        assert os.environ["DEMO_API_URL"].startswith("http://127.0.0.1:")
    assert services.missing == {}
    assert "DEMO_API_URL" not in os.environ


def ask(url: str, body: Any = None) -> tuple[int, Any]:
    data = None if body is None else json.dumps(body).encode()
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data), timeout=10) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        return error.code, error.read().decode()


def test_the_stand_in_writes_about_the_topic_and_says_what_it_is() -> None:
    with demo_api() as url:
        chat = f"{url}/v1/chat/completions"
        status, text = ask(chat, {"model": "m", "messages": [{"role": "user", "content": "주제: 배터리\n쓰세요."}]})
        assert status == 200
        written = json.loads(text)["choices"][0]["message"]["content"]
        assert written == article_about("주제: 배터리")
        assert "배터리" in written
        assert "데모용 대역" in written
        wrong: list[Any] = [{"model": "m", "messages": [], "stream": True}, {"messages": []}, [], "x"]
        for refused in wrong:
            assert ask(chat, refused)[0] == 400
        assert ask(f"{url}/v1/embeddings", {})[0] == 404
        assert ask(f"{url}/etc/passwd")[0] == 404
        assert ask(f"{url}/wine.csv")[1].count("\n") == 179
