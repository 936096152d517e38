"""The Makefile's promises, tried in a copy of the checkout that borrows this environment's packages."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.checkout import installed_environment, serving_checkout
from flowhub_assets_tests.loopback_server import free_port

# One of them may wait for another test that serves a model on the same port.
pytestmark = pytest.mark.timeout(900)


def make(checkout: Path, *arguments: str, home: Path | None = None) -> subprocess.CompletedProcess[str]:
    """``make`` as typed in the checkout by somebody who has nothing else set, but perhaps a DAGSTER_HOME."""
    return subprocess.run(
        ["make", *arguments],
        cwd=checkout,
        env=plain_environment() | ({"DAGSTER_HOME": str(home)} if home else {}),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=240,
        check=False,
    )


def plain_environment() -> dict[str, str]:
    """The environment without what ``make test``, Dagster and FlowHub have put into it."""
    ours = re.compile(r"MAKE|MFLAGS|DAGSTER|FLOWHUB|VENV|PORT$|PYTEST|COLUMNS")
    return {name: value for name, value in os.environ.items() if not ours.match(name)}


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with serving_checkout(tmp_path_factory.mktemp("checkout")) as folder:
        installed_environment(folder / ".venv")
        yield folder


@pytest.fixture(scope="module")
def demo(checkout: Path) -> str:
    """What ``make demo`` printed."""
    done = make(checkout, "demo")
    assert done.returncode == 0, done.stdout
    return done.stdout


def test_make_alone_lists_every_target(checkout: Path) -> None:
    listed = dict(re.findall(r"^  make ([\w-]+) +(\S.*)$", make(checkout).stdout, re.MULTILINE))
    declared = re.search(r"^\.PHONY: (.*)$", (checkout / "Makefile").read_text("utf-8"), re.MULTILINE)
    assert declared is not None
    assert sorted(listed) == sorted(declared[1].split())
    for target in listed:
        assert make(checkout, "--dry-run", target).returncode == 0, target


@pytest.mark.parametrize("stamp", [".demo", ".dev"])
def test_packages_are_installed_when_what_decides_them_changes(checkout: Path, stamp: str) -> None:
    assert "pip" not in make(checkout, "--dry-run", f".venv/{stamp}").stdout
    for deciding in ("pyproject.toml", "setup.cfg", "deploy/constraints.txt"):
        said = make(checkout, "--dry-run", f"--what-if={deciding}", f".venv/{stamp}").stdout
        assert re.search(r"pip .*install .*--constraint deploy/constraints\.txt", said), said


def test_an_old_python_is_refused_by_name(checkout: Path, tmp_path: Path) -> None:
    old = tmp_path / "python3"
    old.write_text("#!/bin/sh\necho '/opt/old is 3.9: Python 3.11 or newer is needed' >&2\nexit 1\n")
    old.chmod(0o755)
    done = make(checkout, f"VENV={tmp_path / 'venv'}", f"PYTHON={old}", "demo")
    assert done.returncode != 0
    assert "Python 3.11 or newer is needed" in done.stdout
    assert not (tmp_path / "venv").exists()


def test_no_python_at_all_says_what_to_install(checkout: Path, tmp_path: Path) -> None:
    done = make(checkout, f"VENV={tmp_path / 'venv'}", "PYTHON=", "demo")
    assert done.returncode != 0
    assert "install Python 3.11" in done.stdout


def test_demo_materialises_the_shipped_pipelines_and_says_what_is_next(demo: str) -> None:
    for word in ("pipeline", "tasks", "result", "seconds", "values", "quick-start", "iris-report", "make dev"):
        assert word in demo
    assert "pip " not in demo


def test_the_dagster_home_of_somebody_else_is_left_alone(checkout: Path, tmp_path: Path) -> None:
    said = make(checkout, "--dry-run", "--what-if=deploy/dagster.yaml", "demo", home=tmp_path).stdout
    assert f"{checkout}/.dagster/dagster.yaml" in said
    assert str(tmp_path) not in said


def test_dev_shows_what_demo_did(checkout: Path, demo: str) -> None:
    assert demo
    with dev(checkout) as port:
        location = ask(port, "{repositoriesOrError{... on RepositoryConnection{nodes{location{name} jobs{name}}}}}")
        (repository,) = location["repositoriesOrError"]["nodes"]
        assert repository["location"]["name"] == "flowhub_assets"
        assert {"quick_start", "iris_report"} <= {job["name"] for job in repository["jobs"]}
        runs = ask(port, "{runsOrError{... on Runs{results{jobName status}}}}")["runsOrError"]["results"]
        assert {"jobName": "quick_start", "status": "SUCCESS"} in runs
        wait_for(lambda: daemons(port), {"SENSOR": True, "SCHEDULER": True, "QUEUED_RUN_COORDINATOR": True})


def daemons(port: int) -> dict[str, bool]:
    found = ask(port, "{instance{daemonHealth{allDaemonStatuses{daemonType healthy}}}}")["instance"]["daemonHealth"]
    return {status["daemonType"]: status["healthy"] for status in found["allDaemonStatuses"]}


def wait_for(read: Any, wanted: dict[str, bool]) -> None:
    ends = time.monotonic() + 60
    while not wanted.items() <= (seen := read()).items():
        assert time.monotonic() < ends, seen
        time.sleep(0.5)


def ask(port: int, query: str) -> dict[str, Any]:
    request = urllib.request.Request(
        f"http://127.0.0.1:{port}/graphql",
        data=json.dumps({"query": query}).encode(),
        headers={"Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        document: dict[str, Any] = json.load(answer)
    assert "errors" not in document, document
    data: dict[str, Any] = document["data"]
    return data


@contextlib.contextmanager
def dev(checkout: Path) -> Iterator[int]:
    """``make dev`` on a free port, stopped at the end as Ctrl-C does; nothing of it may be left."""
    port = free_port()
    log = checkout / "dev.log"
    with log.open("w") as out:
        process = subprocess.Popen(
            ["make", "dev", f"PORT={port}", f"HTTP={free_port()}", f"GRPC={free_port()}"],
            cwd=checkout,
            env=plain_environment(),
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        ends = time.monotonic() + 120
        while not answers(port):
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < ends, log.read_text()
            time.sleep(0.2)
        yield port
    finally:
        os.killpg(process.pid, signal.SIGINT)
        try:
            process.wait(timeout=60)
        finally:
            left = still_running(process.pid)
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    assert not left, "make dev was interrupted, and something of it still runs"


def still_running(group: int) -> bool:
    """Whether a process of the group is left after the grace that servers take to end."""
    ends = time.monotonic() + 60
    while time.monotonic() < ends:
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return False
        time.sleep(0.2)
    return True


def answers(port: int) -> bool:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/server_info", timeout=5) as answer:
            return bool(answer.status == 200)
    except (urllib.error.URLError, OSError):
        return False
