"""The processes of a deployment: the double of Kubernetes, PostgreSQL, code server, webserver, daemon."""

from __future__ import annotations

import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.executor.kubernetes.chaos import fork_server, pipeline
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.postgres_server import running_postgres
from flowhub_assets_tests.to_dagster.dagster_stack import Stack

CODE_IMAGE = "flowhub-assets:test"
NAMESPACE = "default"
LAUNCHER = "flowhub_assets.executor.kubernetes.run_launcher.SteadyK8sRunLauncher"
_START_SECONDS = 90.0


class Deployment:
    """What ``deployment`` has started. ``stack`` speaks GraphQL, ``instance`` reads the storage."""

    def __init__(self, base: Path, stack: Stack, instance: dg.DagsterInstance, cluster: str, daemon: Daemon) -> None:
        self.base = base
        self.stack = stack
        self.instance = instance
        self.daemon = daemon
        self._cluster = cluster

    def control(self, **body: Any) -> Any:
        """What ``/control`` of the double answers; raises OSError while its API is down, LookupError for no pod."""
        try:
            return self._ask("POST", "/control", body) if body else self._ask("GET", "/control")
        except urllib.error.HTTPError as error:
            raise LookupError(error.read().decode()) from None

    def objects(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """The "jobs", "pods" or "configmaps" that the API has; raises OSError while it is down."""
        group = "/apis/batch/v1" if kind == "jobs" else "/api/v1"
        path = f"{group}/namespaces/{NAMESPACE}/{kind}?labelSelector={selector}"
        return list(self._ask("GET", path)["items"])

    def delete_job(self, name: str) -> None:
        """With all that it owns."""
        with contextlib.suppress(urllib.error.HTTPError):
            options = {"propagationPolicy": "Background"}
            self._ask("DELETE", f"/apis/batch/v1/namespaces/{NAMESPACE}/jobs/{name}", options)

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> Any:
        data = None if body is None else json.dumps(body).encode()
        headers = {"Content-Type": "application/json"}
        request = urllib.request.Request(self._cluster + path, data, headers, method=method)
        with urllib.request.urlopen(request, timeout=20) as answer:
            return json.loads(answer.read())


class Daemon:
    """``dagster-daemon run``, which can be killed and started again. May be used by many threads."""

    def __init__(self, start: Callable[[], subprocess.Popen[bytes]]) -> None:
        self._start = start
        self._lock = threading.Lock()
        self.process = start()

    def kill(self, seconds: float) -> None:
        """By SIGKILL; it comes back after so many seconds."""
        with self._lock:
            self.process.kill()
            self.process.wait(10)
            time.sleep(seconds)
            self.process = self._start()


@contextlib.contextmanager
def deployment(base: Path, own_python: Path, launcher: str = LAUNCHER) -> Iterator[Deployment]:
    """Starts everything below ``base``; ends it, whatever happens. ``own_python`` is that of the task's own image."""
    home, workflows = base / "home", base / "workflows"
    for folder in (home, workflows, base / "logs"):
        folder.mkdir()
    (workflows / "chaos.py").write_text(pipeline.SOURCE.replace("BASE", str(base)), encoding="utf-8")
    with contextlib.ExitStack() as stack:
        path = base / "fork.sock"
        code_python = fork_server.write_image(base / "image", path)
        _started(stack, base, "fork-server", [*_python("chaos.fork_server"), str(path)], _environment(base), "ready")
        images = ["--image", f"{CODE_IMAGE}={code_python}", "--python", str(own_python)]
        words = [sys.executable, "-m", "flowhub_assets_tests.kubernetes", str(base / "cluster"), *images]
        port = _started(stack, base, "cluster", words, _environment(base), r"ready (\d+)")
        database = stack.enter_context(running_postgres()).new_database()
        settings = _instance(base, database, launcher)
        (home / "dagster.yaml").write_text(settings)
        environment = _environment(base)
        cluster = f"http://127.0.0.1:{port}"
        _apply_config_map(cluster, "dagster-instance", {"dagster.yaml": settings})
        web, code = free_port(), free_port()
        server = ["dagster", "code-server", "start", "-m", "flowhub_assets.definitions", "-p", str(code)]
        _started(stack, base, "code-server", _command(server), environment)
        workspace = base / "workspace.yaml"
        location = {"host": "localhost", "port": code, "location_name": "flowhub_assets"}
        workspace.write_text(yaml.safe_dump({"load_from": [{"grpc_server": location}]}))
        instance = stack.enter_context(dg.DagsterInstance.from_config(str(home)))
        _until_open(code)
        _started(
            stack, base, "webserver", _command(["dagster-webserver", "-w", str(workspace), "-p", str(web)]), environment
        )
        dagster = Stack(f"http://127.0.0.1:{web}", base, base / "logs/webserver")
        dagster.wait(lambda: _answers(dagster), "the webserver's answer", _START_SECONDS)
        command = _command(["dagster-daemon", "run", "-w", str(workspace)])
        daemon = Daemon(lambda: _process(base, "daemon", command, environment))
        stack.callback(lambda: _end(daemon.process))
        yield Deployment(base, dagster, instance, cluster, daemon)


def _python(module: str) -> list[str]:
    return [sys.executable, "-m", f"flowhub_assets_tests.executor.kubernetes.{module}"]


def _command(words: list[str]) -> list[str]:
    return [str(Path(sys.executable).parent / words[0]), *words[1:]]


def _environment(base: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
    return {**kept, **_variables(base), "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])}


def _variables(base: Path) -> dict[str, str]:
    return {
        "DAGSTER_HOME": str(base / "home"),
        "KUBECONFIG": str(base / "cluster/kubeconfig"),
        "FLOWHUB_PIPELINES": str(base / "workflows"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]),
    }


def _instance(base: Path, database: str, launcher: str) -> str:
    found = re.fullmatch(r"postgresql://(\w+):(\w+)@([\w.]+):(\d+)/(\w+)", database)
    assert found is not None
    module, _, name = launcher.rpartition(".")
    config = {
        "job_image": CODE_IMAGE,
        "dagster_home": str(base / "home"),
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
        "load_incluster_config": False,
        "kubeconfig_file": str(base / "cluster/kubeconfig"),
        "job_namespace": NAMESPACE,
        "env_vars": [f"{name}={value}" for name, value in _variables(base).items()],
        "run_k8s_config": {"job_spec_config": {"backoffLimit": 0}},
    }
    server = dict(zip(("username", "password", "hostname", "port", "db_name"), found.groups(), strict=True))
    settings = {
        "storage": {"postgres": {"postgres_db": {**server, "port": int(server["port"])}}},
        "run_launcher": {"module": module, "class": name, "config": config},
        "run_coordinator": {
            "module": "dagster.core.run_coordinator",
            "class": "QueuedRunCoordinator",
            "config": {"dequeue_interval_seconds": 1, "dequeue_use_threads": True, "dequeue_num_workers": 4},
        },
        "concurrency": {"runs": {"max_concurrent_runs": 25}},
        "run_monitoring": {
            "enabled": True,
            "poll_interval_seconds": 1,
            "max_resume_run_attempts": 3,
            "start_timeout_seconds": 45,
        },
        # Each log kept costs four processes for each step; what is printed is seen by test_mixed_runs.py.
        "compute_logs": {"module": "dagster._core.storage.noop_compute_log_manager", "class": "NoOpComputeLogManager"},
        "telemetry": {"enabled": False},
    }
    return yaml.safe_dump(settings)


def _apply_config_map(cluster: str, name: str, data: Mapping[str, str]) -> None:
    manifest = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}, "data": dict(data)}
    body, headers = json.dumps(manifest).encode(), {"Content-Type": "application/json"}
    request = urllib.request.Request(f"{cluster}/api/v1/namespaces/{NAMESPACE}/configmaps", body, headers)
    urllib.request.urlopen(request, timeout=20).close()


def _process(base: Path, name: str, words: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    with (base / "logs" / name).open("ab") as log:
        return subprocess.Popen(
            words, cwd=base, env=environment, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
        )


def _started(
    stack: contextlib.ExitStack, base: Path, name: str, words: list[str], environment: Mapping[str, str], says: str = ""
) -> str:
    """Starts a process that ``stack`` ends; waits until its log holds ``says``: that, or its first group."""
    process = _process(base, name, words, environment)
    stack.callback(lambda: _end(process))
    last = time.monotonic() + _START_SECONDS
    while says:
        text = (base / "logs" / name).read_text()
        if found := re.search(says, text):
            return found.group(found.re.groups and 1)
        if process.poll() is not None or time.monotonic() > last:
            raise RuntimeError(f"{name} did not start\n{text[-4000:]}")
        time.sleep(0.05)
    return ""


def _until_open(port: int) -> None:
    import socket

    last = time.monotonic() + _START_SECONDS
    while True:
        try:
            socket.create_connection(("localhost", port), timeout=2).close()
            return
        except OSError:
            assert time.monotonic() < last, "the code server did not start"
            time.sleep(0.1)


def _answers(stack: Stack) -> bool:
    with contextlib.suppress(OSError, AssertionError):
        return bool(stack.ask("{ assetNodes { id } }")["assetNodes"])
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """In order, then whatever is left of its session."""
    if process.poll() is None:
        process.terminate()
        with contextlib.suppress(subprocess.TimeoutExpired):
            process.wait(20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(10)
