"""The whole of Dagster as ``make dev`` starts it, for tests: webserver, daemon, code server, asked by GraphQL."""

from __future__ import annotations

import contextlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import flowhub_assets
from flowhub_assets_tests.loopback_server import free_port

ROOT = Path(flowhub_assets.__path__[0]).parent

ASSET_GRAPH = "{ assetNodes { assetKey { path } groupName description owners { __typename } dependencyKeys { path } } }"
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  ... on RunConfigValidationInvalid { errors { message } } } }"""
_REEXECUTE = """mutation($params: ReexecutionParams!) { launchRunReexecution(reexecutionParams: $params) { __typename
  ... on LaunchRunSuccess { run { runId } } ... on PythonError { message } } }"""
_TERMINATE = """mutation($id: String!) { terminateRun(runId: $id) { __typename
  ... on TerminateRunFailure { message } ... on PythonError { message } } }"""
_RELOAD = """mutation { reloadRepositoryLocation(repositoryLocationName: "flowhub_assets") { __typename
  ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } } } }"""
_RUN = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
_RUNS = "{ runsOrError(limit: 50) { ... on Runs { results { runId jobName status tags { key value } } } } }"
_LOG = """query($id: ID!, $after: String) { logsForRun(runId: $id, afterCursor: $after) { ... on EventConnection {
  cursor hasMore events { __typename
  ... on MessageEvent { message stepKey level eventType timestamp }
  ... on ErrorEvent { error { message } } ... on ExecutionStepFailureEvent { failureMetadata { description } }
  ... on LogsCapturedEvent { fileKey }
  ... on ExecutionStepOutputEvent { outputName metadataEntries { label __typename
    ... on MarkdownMetadataEntry { mdStr } ... on PathMetadataEntry { path } } } } } } }"""
_TICK = """mutation($selector: SensorSelector!, $cursor: String) {
  sensorDryRun(selectorData: $selector, cursor: $cursor) { __typename
  ... on PythonError { message } ... on DryRunInstigationTick { evaluationResult {
  cursor skipReason error { message errorChain { error { message } } }
  runRequests { jobName runConfigYaml tags { key value } } } } } }"""
_START = """mutation($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) { __typename
  ... on PythonError { message } } }"""
_TICKS = """query($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor {
  sensorState { ticks(limit: 5) { status } } } } }"""
_CAPTURED = """query($key: [String!]!) { capturedLogs(logKey: $key) { stdout stderr } }"""
_CHECKS = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetChecksOrError {
  ... on AssetChecks { checks { name executionForLatestMaterialization { status } } } } } } }"""


@dataclass(frozen=True)
class Stack:
    """A running Dagster. ``base`` is the folder that the pipelines work in, ``workflows`` the folder of their files."""

    url: str
    base: Path
    log: Path

    @property
    def workflows(self) -> Path:
        return self.base / "workflows"

    def ask(self, query: str, **variables: Any) -> Any:
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as answer:
            told = json.loads(answer.read())
        assert "errors" not in told, told["errors"]
        return told["data"]

    def launch(
        self,
        job: str,
        config: dict[str, Any] | str | None = None,
        assets: list[list[str]] | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> Any:
        """What the UI's Launch (or, with ``assets``, Materialize) answers. ``config`` may be YAML."""
        selector: dict[str, Any] = {
            "repositoryLocationName": "flowhub_assets",
            "repositoryName": "__repository__",
            "jobName": job,
        }
        if assets:
            selector["assetSelection"] = [{"path": path} for path in assets]
        params: dict[str, Any] = {"selector": selector, "runConfigData": config or {}, "mode": "default"}
        if tags:
            params["executionMetadata"] = {"tags": [{"key": key, "value": value} for key, value in tags.items()]}
        return self.ask(_LAUNCH, params=params)["launchRun"]

    def run(self, job: str, **more: Any) -> str:
        """Starts a run; returns its id."""
        launched = self.launch(job, **more)
        assert launched["__typename"] == "LaunchRunSuccess", launched
        run_id: str = launched["run"]["runId"]
        return run_id

    def run_again(self, run_id: str) -> str:
        """Re-executes from failure; returns the new run's id."""
        answer = self.ask(_REEXECUTE, params={"parentRunId": run_id, "strategy": "FROM_FAILURE"})
        answer = answer["launchRunReexecution"]
        assert answer["__typename"] == "LaunchRunSuccess", answer
        again: str = answer["run"]["runId"]
        return again

    def terminate(self, run_id: str) -> None:
        """What the UI's Terminate does."""
        answer = self.ask(_TERMINATE, id=run_id)["terminateRun"]
        assert answer["__typename"] == "TerminateRunSuccess", answer

    def reload(self) -> None:
        """What the UI's Reload does."""
        answer = self.ask(_RELOAD)["reloadRepositoryLocation"]
        assert answer["locationOrLoadError"]["__typename"] == "RepositoryLocation", answer

    def tick(self, sensor: str, cursor: str | None) -> dict[str, Any]:
        """What one look of the sensor gives, as the UI's test of a sensor shows it: cursor, skipReason, runRequests."""
        answer = self.ask(_TICK, selector=_sensor(sensor), cursor=cursor)["sensorDryRun"]
        assert answer["__typename"] == "DryRunInstigationTick", answer
        result: dict[str, Any] = answer["evaluationResult"]
        assert result["error"] is None, result["error"]
        return result

    def start_sensor(self, sensor: str) -> None:
        """What the UI's switch does."""
        answer = self.ask(_START, sensor=_sensor(sensor))["startSensor"]
        assert answer["__typename"] == "Sensor", answer

    def looks_of(self, sensor: str) -> list[str]:
        """How the last looks of a sensor that is on have ended, the newest first; one that goes on is STARTED."""
        answer = self.ask(_TICKS, sensor=_sensor(sensor))["sensorOrError"]
        return [str(tick["status"]) for tick in answer["sensorState"]["ticks"]]

    def status_of(self, run_id: str) -> str:
        return str(self.ask(_RUN, id=run_id)["runOrError"]["status"])

    def end_of(self, run_id: str, seconds: float = 90, *, pause: float = 0.3) -> str:
        """The status with which the run ends."""

        def ended() -> str | None:
            status = self.status_of(run_id)
            return status if status in ("SUCCESS", "FAILURE", "CANCELED") else None

        return str(self.wait(ended, f"the end of run {run_id}", seconds, pause=pause))

    def wait(self, until: Callable[[], Any], what: str, seconds: float = 90, *, pause: float = 0.3) -> Any:
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            if found := until():
                return found
            time.sleep(pause)
        raise TimeoutError(f"{what} did not come within {seconds:.0f} s\n{self.log.read_text()[-5000:]}")

    def runs_of(self, job: str) -> list[dict[str, Any]]:
        return [run for run in self.ask(_RUNS)["runsOrError"]["results"] if run["jobName"] == job]

    def events(self, run_id: str, kind: str = "") -> list[dict[str, Any]]:
        """The run's log, as the UI shows it; only events of ``kind``, STEP_SUCCESS say, if one is named."""
        told: dict[str, Any] = {"hasMore": True, "cursor": None}
        events: list[dict[str, Any]] = []
        while told["hasMore"]:
            told = self.ask(_LOG, id=run_id, after=told["cursor"])["logsForRun"]
            events += told["events"]
        return [event for event in events if not kind or event.get("eventType") == kind]

    def steps(self, run_id: str, kind: str) -> list[str]:
        """The keys of the steps with such an event, sorted."""
        return sorted(event["stepKey"] for event in self.events(run_id, kind))

    def printed(self, run_id: str, step: str = "") -> str:
        """What the run's steps have printed."""
        found = []
        for event in self.events(run_id, "LOGS_CAPTURED"):
            if not step or event["stepKey"] == step or step in event["message"]:
                told = self.ask(_CAPTURED, key=[run_id, "compute_logs", event["fileKey"]])["capturedLogs"]
                found += [told["stdout"] or "", told["stderr"] or ""]
        return "".join(found)

    def run_worker(self, run_id: str) -> int:
        """The process that Dagster started for the run, by the run's own log."""
        messages = [event["message"] for event in self.events(run_id)]
        pids = [
            one.group(1) for text in messages if (one := re.search(r"Started process for run \(pid: (\d+)\)", text))
        ]
        assert pids, messages
        return int(pids[0])

    def check_status(self, key: list[str]) -> str | None:
        """How the asset's one check was evaluated last; None if it never was."""
        node = self.ask(_CHECKS, key={"path": key})["assetNodeOrError"]
        (check,) = node["assetChecksOrError"]["checks"]
        execution = check["executionForLatestMaterialization"]
        return execution and str(execution["status"])


def _sensor(name: str) -> dict[str, str]:
    return {
        "repositoryLocationName": "flowhub_assets",
        "repositoryName": "__repository__",
        "sensorName": name,
    }


@contextlib.contextmanager
def dagster_stack(
    base: Path,
    files: Mapping[str, str],
    environment: Mapping[str, str] | None = None,
    settings: Path = ROOT / "deploy" / "dagster.yaml",
) -> Iterator[Stack]:
    """A running Dagster with ``files`` (name → text, BASE in it standing for ``base``) as its pipelines.

    ``environment`` is added to that of its processes, ``settings`` is its dagster.yaml.
    """
    home = base / "home"
    (base / "workflows").mkdir()
    home.mkdir()
    shutil.copy(settings, home / "dagster.yaml")
    for name, text in files.items():
        (base / "workflows" / name).write_text(text.replace("BASE", str(base)), encoding="utf-8")
    port = free_port()
    log = base / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "dagster", "dev", "-w", str(ROOT / "workspace.yaml"), "-p", str(port)],
            cwd=base,
            env={**stack_environment(base), **(environment or {})},
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


def stack_environment(base: Path) -> dict[str, str]:
    """The environment of a command that is to see the same code location and instance."""
    kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
    return {
        **kept,
        "DAGSTER_HOME": str(base / "home"),
        "FLOWHUB_PIPELINES": str(base / "workflows"),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]),
        "PATH": os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]),
    }


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
