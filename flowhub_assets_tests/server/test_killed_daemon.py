"""The daemon and a run worker are killed under runs that came in by the door: none is lost, none starts twice."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import httpx
import psutil
import pytest
from dagster._core.errors import DagsterUserCodeUnreachableError
from dagster._grpc.client import DagsterGrpcClient

from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.server.server_process import ServerProcess, within

SLEEPY = '''\
import os, time
from pathlib import Path
from flowhub import flow, task

@task
def note(args):
    """Leaves a file for each time that it begins; waits until it may go on."""
    folder = Path(args["folder"])
    with open(folder / f"{args['name']}.begun", "a") as file:
        file.write(f"{os.getppid()}\\n")
    while not (folder / "go-on").exists():
        time.sleep(0.05)
    return {"name": args["name"]}

@flow(params={"name": "", "folder": ""}, env={"default": {"WORKSPACE": "./tmp"}})
def sleepy(args):
    return note(args)
'''
NAMES = [f"r{number}" for number in range(6)]


@contextlib.contextmanager
def process(server: ServerProcess, *words: str) -> Iterator[subprocess.Popen[bytes]]:
    """``python -m dagster...`` with a session of its own: all of it is gone at the end."""
    with (server.base / "dagster.log").open("ab") as log:
        started = subprocess.Popen(
            [sys.executable, "-m", *words],
            cwd=server.base,
            env=server.environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    children = psutil.Process(started.pid)
    below: list[psutil.Process] = []
    try:
        yield started
        below = children.children(recursive=True)  # run workers have sessions of their own
    except AssertionError:
        print((server.base / "dagster.log").read_text()[-6_000:])
        raise
    finally:
        for one in below:
            with contextlib.suppress(psutil.NoSuchProcess):
                one.kill()
        with contextlib.suppress(ProcessLookupError):
            os.killpg(started.pid, signal.SIGKILL)
        started.wait(30)


def start(server: ServerProcess, name: str) -> str:
    answer = httpx.post(
        f"{server.url}/api/v1/pipelines/sleepy/runs",
        json={"params": {"name": name, "folder": str(server.base)}},
        headers={"Idempotency-Key": name},
        timeout=60,
    )
    assert answer.status_code in (200, 202), answer.text
    return str(answer.json()["run_id"])


@pytest.mark.timeout(700)
def test_none_is_lost_and_none_starts_twice(tmp_path: Path) -> None:
    port = free_port()
    workspace = tmp_path / "workspace.yaml"
    where = f"{{host: 127.0.0.1, port: {port}, location_name: flowhub}}"
    workspace.write_text(f"load_from: [{{grpc_server: {where}}}]\n")
    server = ServerProcess(tmp_path, "--workspace", str(workspace))
    (tmp_path / "workflows" / "sleepy.py").write_text(SLEEPY)
    code = ("dagster", "api", "grpc", "-m", "flowhub_assets.definitions", "-h", "127.0.0.1", "-p", str(port))
    daemon = ("dagster._daemon", "run", "-w", str(workspace))
    with process(server, *code), server:
        # A daemon that does not find its code server looks for it anew a minute later.
        within(120, lambda: answers(port))
        runs = {name: start(server, name) for name in NAMES}
        with process(server, *daemon) as first:
            within(200, lambda: begun(tmp_path))
            first.kill()
        # It is killed while it starts runs; four may run at a time.
        early = begun(tmp_path)
        assert len(early) < len(NAMES)
        with process(server, *daemon):
            within(180, lambda: len(begun(tmp_path)) == 4)
            killed = min(begun(tmp_path))
            worker = int((tmp_path / f"{killed}.begun").read_text())
            os.kill(worker, signal.SIGKILL)
            (tmp_path / "go-on").touch()
            ended = within(240, lambda: statuses_if_over(server))
        assert {name: start(server, name) for name in NAMES} == runs, "the keys answer with the same runs"
    assert set(ended) == set(runs.values())
    assert {name: len((tmp_path / f"{name}.begun").read_text().splitlines()) for name in NAMES} == dict.fromkeys(
        NAMES, 1
    )
    assert {name: ended[run_id] for name, run_id in runs.items()} == {
        name: "FAILURE" if name == killed else "SUCCESS" for name in NAMES
    }


def answers(port: int) -> bool:
    """Whether the code server on that port has its definitions."""
    with contextlib.suppress(DagsterUserCodeUnreachableError):
        return DagsterGrpcClient(port, host="127.0.0.1").ping("") is not None
    return False


def begun(base: Path) -> set[str]:
    """The runs whose task has begun."""
    return {file.stem for file in base.glob("*.begun") if file.read_text().endswith("\n")}


def statuses_if_over(server: ServerProcess) -> dict[str, str]:
    """Run id to status, once all runs are over."""
    with dg.DagsterInstance.from_config(str(server.base / "home")) as instance:
        runs = instance.get_runs()
        return {run.run_id: run.status.value for run in runs} if all(run.is_finished for run in runs) else {}
