from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.error import HTTPError

import pytest

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.kubernetes.fixtures import image_python, job, script, until

__all__ = ["image_python"]


@pytest.fixture
def process(tmp_path: Path, image_python: Path) -> Iterator[subprocess.Popen[str]]:
    words = [sys.executable, "-m", "flowhub_assets_tests.kubernetes", str(tmp_path), "--python", str(image_python)]
    words += ["--variable", "GREETING=hello", "--image", f"full:1={sys.executable}"]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as started:
        try:
            yield started
        finally:
            started.terminate()
            started.wait(30)


@pytest.fixture
def control(process: subprocess.Popen[str]) -> Any:
    assert process.stdout is not None
    port = int(process.stdout.readline().removeprefix("ready "))

    def ask(**body: Any) -> Any:
        data = json.dumps(body).encode() if body else None
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/control", data, timeout=20) as answer:
            return json.load(answer)

    return ask


@pytest.fixture
def clients(control: Any, tmp_path: Path) -> Any:
    from kubernetes import client, config

    found = config.new_client_from_config(str(tmp_path / "kubeconfig"))
    return client.CoreV1Api(found), client.BatchV1Api(found)


def test_it_serves_and_is_told_to_misbehave(control: Any, clients: Any) -> None:
    api, batch = clients
    control(do="fail", what="image", labels={"task": "never"})
    api.create_namespaced_pod("default", script("pass", name="never"))
    batch.create_namespaced_job("default", job("import os, time; print(os.environ['GREETING']); time.sleep(60)"))
    name = until(lambda: [name for name, phase in control()["pods"].items() if phase == "Running"])[0]
    assert control()["pods"] == {name: "Running", "never": "Pending"}
    assert control(do="evict", name="j-", message="too much") == {"pod": name}
    until(lambda: control()["pods"].get(name) == "Failed")
    assert api.read_namespaced_pod(name, "default").status.message == "too much"
    assert "Job default/j" in control()["left"]
    assert control()["calls"]["create pods"] == 1
    control(do="slow", seconds=0.01)
    control(do="reset")
    assert control()["calls"] == {}
    with pytest.raises(HTTPError, match="404"):
        control(do="evict", name="nobody")
    with pytest.raises(HTTPError, match="404"):
        control(do="dance")


def test_an_outage_ends(control: Any, clients: Any) -> None:
    api, _ = clients
    control(do="down", seconds=1)

    def answers() -> bool:
        try:
            return "calls" in control()
        except OSError:
            return False

    until(lambda: not answers())
    until(answers)
    assert api.list_namespaced_pod("default").items == []


def test_no_process_is_left(process: subprocess.Popen[str], control: Any, clients: Any) -> None:
    api, _ = clients
    api.create_namespaced_pod("default", script("import os, time; print(os.getpid(), flush=True); time.sleep(60)"))
    until(lambda: control()["pods"]["p"] == "Running")
    read = lambda: api.read_namespaced_pod_log("p", "default", _preload_content=False).data  # noqa: E731
    started = int(until(read))
    os.kill(process.pid, signal.SIGTERM)
    assert process.wait(30) == 0
    assert not Path(f"/proc/{started}").exists()
