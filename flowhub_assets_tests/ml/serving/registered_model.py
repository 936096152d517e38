"""A workspace with trained and registered versions of iris, and what serves them, which ends with the test."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import psutil

from flowhub_assets.errors import FlowhubError
from flowhub_assets.ml.data_set_files import load_data_set
from flowhub_assets.ml.data_set_versions import publish
from flowhub_assets.ml.serving.processes import MARK
from flowhub_assets.ml.serving.switching import stop_serving
from flowhub_assets.ml.tracking import tracking
from flowhub_assets.ml.training import train
from flowhub_assets_tests.loopback_server import free_port

#: A flower that every model calls setosa.
SETOSA = [5.1, 3.5, 1.4, 0.2]


def profile(folder: Path, **more: Any) -> dict[str, Any]:
    told = {"WORKSPACE": str(folder), "SERVING_PORT": free_port(), "SERVING_WORKERS": 1}
    return {**told, "project": "tests", "run_id": "run", "task": "task", **more}


def registered(env: dict[str, Any], model: str, data_set: str = "iris", alias: str = "", **hyperparameters: Any) -> str:
    """Trains and registers a version; which one. The first one becomes champion."""
    frame, source = load_data_set(data_set, env)
    publish(data_set, frame, env, source)
    told = train(data_set, model, {"trees": 8, **hyperparameters}, env)
    client = tracking(env)
    with contextlib.suppress(Exception):
        client.create_registered_model(data_set)
    made = client.create_model_version(data_set, told["model_source"], told["mlflow_run_id"], model_id=told["model_id"])
    version = str(made.version)
    if alias:
        give(env, alias, version, data_set)
    return version


def apart(call: str, *given: Any) -> Any:
    """What ``module:function`` of ours returns for ``given``, called in a process of its own.

    For tests whose steps are forked: a process that has predicted by OpenMP has threads that a fork does not take over,
    and the child would wait for them.
    """
    module, _, name = call.partition(":")
    code = f"import json, sys; from {module} import {name}; print(json.dumps({name}(*json.loads(sys.argv[1]))))"
    command = [sys.executable, "-c", code, json.dumps(given)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def give(env: dict[str, Any], alias: str, version: str, data_set: str = "iris") -> None:
    tracking(env).set_registered_model_alias(data_set, alias, version)


def ask(env: dict[str, Any], rows: Any, path: str = "/predict", **headers: str) -> httpx.Response:
    url = f"http://127.0.0.1:{env['SERVING_PORT']}{path}"
    return httpx.post(url, json=rows, headers=headers, timeout=60, trust_env=False)


def get(env: dict[str, Any], path: str) -> httpx.Response:
    return httpx.get(f"http://127.0.0.1:{env['SERVING_PORT']}{path}", timeout=60, trust_env=False)


def server_folders(env: dict[str, Any]) -> set[str]:
    """The folders of all servers below the workspace of which a process is there."""
    found = set()
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK, "")
            if mark.startswith(f"{env['WORKSPACE']}/"):
                found.add(Path(mark).name)
    return found


@contextlib.contextmanager
def ended_afterwards(env: dict[str, Any], *names: str) -> Iterator[None]:
    """Whatever serves these models, or the front, is ended with the block."""
    try:
        yield
    finally:
        for name in names:
            with contextlib.suppress(FlowhubError):
                stop_serving(name, env)
        assert server_folders(env) == set()
