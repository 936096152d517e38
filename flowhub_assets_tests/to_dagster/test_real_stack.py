"""The whole of Dagster as ``make dev`` starts it: webserver, daemon, code server, asked by GraphQL as the UI asks."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import flowhub_assets
from flowhub_assets_tests.workflows import HEAD

ROOT = Path(flowhub_assets.__path__[0]).parent

# One stack for the whole file, and its last test looks at what the others left: one process runs them all, in order.
pytestmark = pytest.mark.timeout(280)

SUMS = """
@task
def first(args):
    return {"n": args["n"], "workspace": args["env"]["WORKSPACE"]}

@task
def second(args):
    return {"n": args["n"] + 1, "workspace": args["workspace"]}

PROFILES = {"default": {"WORKSPACE": "BASE/one"}, "two": {"WORKSPACE": "BASE/two"}}

@flow(name="my-sums", params={"n": 1, "name": "kim"}, env=PROFILES)
def main(args):
    return second(first(args))
"""

KILLED = """
import signal

@task
def handler(args):
    with open("BASE/handled", "a") as file:
        file.write(json.dumps({"task": args["failed_task"], "error": args["error"]}) + "\\n")
    return {}

@task
def before(args):
    return {}

@task
def dies(args):
    os.kill(os.getpid(), signal.SIGKILL)

@flow(name="my-killed", env={"default": {"WORKSPACE": "BASE/one"}}, on_failure=handler)
def main(args):
    return dies(before(args))
"""

LONG = """
@task
def handler(args):
    with open("BASE/long.handled", "a") as file:
        file.write(json.dumps({"task": args["failed_task"], "error": args["error"]}) + "\\n")
    return {}

@task
def finished(args):
    with open("BASE/finished.count", "a") as file:
        file.write("x")
    return {"n": 41}

@task
def also_finished(args):
    with open("BASE/also_finished.count", "a") as file:
        file.write("x")
    return {"more": 1}

@task
def long(args):
    with open("BASE/long.count", "a") as file:
        file.write("x")
    if not os.path.exists("BASE/released"):
        with open("BASE/long.pids", "w") as file:
            file.write(f"{os.getpid()} ")
        time.sleep(300)
    return {"n": args["n"] + args["more"]}

@flow(name="my-long", env={"default": {"WORKSPACE": "BASE/one"}}, on_failure=handler)
def main(args):
    start = finished(args)
    return long(start, also_finished(start))
"""

ASSET_GRAPH = "{ assetNodes { assetKey { path } groupName description owners { __typename } dependencyKeys { path } } }"
LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
REEXECUTE = """mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
RUNS = "{ runsOrError(limit: 50) { ... on Runs { results { runId jobName status tags { key value } } } } }"
LOG = """query($id: ID!) { logsForRun(runId: $id) { ... on EventConnection {
  events { ... on MessageEvent { message } } } } }"""
CHECKS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""


@dataclass(frozen=True)
class Stack:
    """A running Dagster. ``base`` is the folder that the flows work in."""

    url: str
    base: Path
    log: Path

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.loads(answer.read())
        assert "errors" not in told, told["errors"]
        return told["data"]

    def launch(self, job: str, config: dict[str, Any] | None = None, assets: list[list[str]] | None = None) -> Any:
        selector: dict[str, Any] = {
            "repositoryLocationName": "flowhub_assets",
            "repositoryName": "__repository__",
            "jobName": job,
        }
        if assets:
            selector["assetSelection"] = [{"path": path} for path in assets]
        params = {"selector": selector, "runConfigData": config or {}, "mode": "default"}
        return self.ask(LAUNCH, params=params)["launchRun"]

    def run(self, job: str, **more: Any) -> str:
        launched = self.launch(job, **more)
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id: str = launched["run"]["runId"]
        return run_id

    def end_of(self, run_id: str) -> str:
        def ended() -> str | None:
            status: str = self.ask(RUN, id=run_id)["runOrError"]["status"]
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return str(self.wait(ended, f"the end of run {run_id}"))

    def wait(self, until: Callable[[], Any], what: str, seconds: float = 90) -> Any:
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            if found := until():
                return found
            time.sleep(0.3)
        raise TimeoutError(f"{what} did not come within {seconds:.0f} s\n{self.log.read_text()[-5000:]}")

    def runs_of(self, job: str) -> list[dict[str, Any]]:
        return [run for run in self.ask(RUNS)["runsOrError"]["results"] if run["jobName"] == job]


def _environment(base: Path, home: Path) -> dict[str, str]:
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
    return {
        **kept,
        "DAGSTER_HOME": str(home),
        "FLOWHUB_PIPELINES": str(base / "workflows"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    base = tmp_path_factory.mktemp("stack")
    home = base / "home"
    (base / "workflows").mkdir()
    home.mkdir()
    shutil.copy(ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")
    for name, text in (("sums", SUMS), ("killed", KILLED), ("long", LONG)):
        (base / "workflows" / f"{name}.py").write_text(HEAD + text.replace("BASE", str(base)), encoding="utf-8")
    (base / "workflows" / "broken.py").write_text(HEAD + "\n@flow(\n", encoding="utf-8")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = base / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "-p", str(port)],
            cwd=base,
            env=_environment(base, home),
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    try:
        stack = Stack(f"http://127.0.0.1:{port}", base, log)
        stack.wait(lambda: _answers(stack, process), "Dagster's answer", 120)
        yield stack
    finally:
        _end(process)


def _answers(stack: Stack, process: subprocess.Popen[bytes]) -> bool:
    assert process.poll() is None, stack.log.read_text()[-5000:]
    with contextlib.suppress(OSError, urllib.error.URLError, AssertionError):
        return bool(stack.ask(ASSET_GRAPH)["assetNodes"])
    return False


def _end(process: subprocess.Popen[bytes]) -> None:
    """Ends Dagster as Ctrl-C does, then whatever is left of its session."""
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    with contextlib.suppress(subprocess.TimeoutExpired):
        process.wait(timeout=20)
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait(timeout=10)


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_the_asset_graph_holds_the_users_flows_and_the_shipped_ones(stack: Stack) -> None:
    nodes = {tuple(node["assetKey"]["path"]): node for node in stack.ask(ASSET_GRAPH)["assetNodes"]}
    second = nodes["my_sums", "second"]
    assert second["groupName"] == "my_sums"
    assert [key["path"] for key in second["dependencyKeys"]] == [["my_sums", "first"]]
    assert ("_invalid", "broken") in nodes
    assert nodes["_invalid", "broken"]["description"].startswith("broken.py does not load.\n\n")
    assert any(
        node["groupName"] not in ("my_sums", "my_killed", "my_long", "INVALID_PIPELINES") for node in nodes.values()
    )


def test_a_flow_with_params_and_a_profile_then_one_asset_of_it(stack: Stack) -> None:
    config = {
        "resources": {"my_sums_params": {"config": {"n": 10}}, "profile": {"config": {"name": "two"}}},
    }
    run_id = stack.run("my_sums", config=config)
    assert stack.end_of(run_id) == "SUCCESS"
    two = str(stack.base / "two")
    assert read(stack.base / "two/my-sums/runs" / run_id / "second.json") == {"n": 11, "workspace": two}
    # One asset, as the UI's Materialize does it: the job is the one that Dagster makes of all assets.
    latest = stack.base / "two/my-sums/latest/first.json"
    latest.write_text('{"n": 100, "workspace": "saved"}')
    alone = stack.run(
        "__ASSET_JOB",
        config={"resources": {"profile": {"config": {"name": "two"}}}},
        assets=[["my_sums", "second"]],
    )
    assert stack.end_of(alone) == "SUCCESS"
    assert read(stack.base / "two/my-sums/latest/second.json") == {"n": 101, "workspace": "saved"}
    assert read(latest)["n"] == 100


def test_a_wrong_type_is_refused_before_a_run_exists(stack: Stack) -> None:
    launched = stack.launch("my_sums", config={"resources": {"my_sums_params": {"config": {"n": "many"}}}})
    assert launched["__typename"] == "RunConfigValidationInvalid"
    assert "n" in launched["errors"][0]["message"]
    assert "resources:my_sums_params:config:n" in launched["errors"][0]["message"]


def test_a_step_that_kills_its_own_process_calls_on_failure_once(stack: Stack) -> None:
    run_id = stack.run("my_killed")
    assert stack.end_of(run_id) == "FAILURE"
    handled = stack.base / "handled"
    stack.wait(handled.exists, "on_failure")
    stack.wait(lambda: all(run["status"] == "SUCCESS" for run in stack.runs_of("my_killed__on_failure")), "its end")
    (line,) = handled.read_text().splitlines()
    assert json.loads(line)["task"] == "dies"
    (run,) = stack.runs_of("my_killed__on_failure")
    assert {"key": "flowhub/failed_run", "value": run_id} in run["tags"]


def test_a_run_worker_killed_in_the_middle_of_a_task_then_resumed(stack: Stack) -> None:
    run_id = stack.run("my_long")
    pids = stack.base / "long.pids"
    stack.wait(lambda: pids.exists() and pids.read_text().count(" "), "the long task")
    worker = _run_worker(stack, run_id)
    for pid in (worker, int(pids.read_text().split()[0])):
        os.kill(pid, signal.SIGKILL)
    assert stack.end_of(run_id) == "FAILURE", "the daemon's run monitoring tells the end"
    counts = {name: (stack.base / f"{name}.count").read_text() for name in ("finished", "also_finished", "long")}
    assert counts == {"finished": "x", "also_finished": "x", "long": "x"}
    (stack.base / "released").touch()
    answer = stack.ask(REEXECUTE, params={"parentRunId": run_id, "strategy": "FROM_FAILURE"})["launchRunReexecution"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    again = answer["run"]["runId"]
    assert stack.end_of(again) == "SUCCESS"
    counts = {name: (stack.base / f"{name}.count").read_text() for name in ("finished", "also_finished", "long")}
    assert counts == {"finished": "x", "also_finished": "x", "long": "xx"}
    assert read(stack.base / "one/my-long/runs" / again / "long.json") == {"n": 42}
    handled = stack.base / "long.handled"
    stack.wait(handled.exists, "on_failure of the killed run")
    (line,) = handled.read_text().splitlines()
    assert json.loads(line)["task"] == "long"


def _run_worker(stack: Stack, run_id: str) -> int:
    """The process that Dagster started for the run, by the run's own log."""
    messages = [event["message"] for event in stack.ask(LOG, id=run_id)["logsForRun"]["events"]]
    pids = [
        match.group(1) for text in messages if (match := re.search(r"Started process for run \(pid: (\d+)\)", text))
    ]
    assert pids, messages
    return int(pids[0])


def test_a_file_that_does_not_load_is_a_failed_check(stack: Stack) -> None:
    def status() -> str | None:
        node = stack.ask(CHECKS, key={"path": ["_invalid", "broken"]})["assetNodeOrError"]
        (check,) = node["assetChecksOrError"]["checks"]
        execution = check["executionForLatestMaterialization"]
        return execution and str(execution["status"])

    assert stack.wait(status, "the evaluation of the check") == "FAILED"


def test_after_all_that_each_failed_run_was_handled_once(stack: Stack) -> None:
    # The sensor has looked several times since the first failure; it looks once more here.
    time.sleep(12)
    handled = [*stack.runs_of("my_killed__on_failure"), *stack.runs_of("my_long__on_failure")]
    failed = [
        run["runId"] for job in ("my_killed", "my_long") for run in stack.runs_of(job) if run["status"] == "FAILURE"
    ]
    told = [tag["value"] for run in handled for tag in run["tags"] if tag["key"] == "flowhub/failed_run"]
    assert sorted(told) == sorted(failed)
    assert len(failed) == 2
