"""A cluster for the benchmarks: the Kubernetes double in a process of its own, and Dagster's K8sRunLauncher."""

from __future__ import annotations

import contextlib
import json
import os
import re
import subprocess
import sys
import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.definitions.reconstruct import ReconstructableRepository
from dagster._core.launcher import LaunchRunContext

from flowhub_assets_tests.airflow.drive import bare_python
from flowhub_assets_tests.benchmarks.dagster_home import instance_in
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.kubernetes.new_runs import new_run

#: The code location's image; what runs in STUB only waits, every other image a Python with nothing installed.
CODE_IMAGE, STUB_IMAGE = "flowhub-assets:bench", "stub:bench"
_JOBS_AND_PODS = "/apis/batch/v1/namespaces/default/jobs", "/api/v1/namespaces/default/pods"
#: What tells the executor how things are without being asked for each step.
_FOLLOWING = ("watch jobs", "watch pods", "follow pods/log")
_STUB = "#!/bin/sh\nexec sleep 600\n"
_TICKS = os.sysconf("SC_CLK_TCK")


@dataclass(frozen=True)
class Failed:
    """A step's failure: when, in seconds since 1970, and why."""

    moment: float
    told: str


@dataclass(frozen=True)
class BenchCluster:
    """A namespace of its own, empty at first. ``base`` is a folder that all pods see, as a network storage is."""

    base: Path
    instance: dg.DagsterInstance
    server: str

    def launch(self, module: str, attribute: str, job: str, config: Mapping[str, Any] | None = None) -> str:
        """Starts a run of a job of the repository ``module:attribute`` in a pod; returns its id."""
        repository = ReconstructableRepository.for_module(module, attribute, str(ROOT))
        code = repository.get_reconstructable_job(job).get_python_origin()
        run = new_run(self.instance, job, code, config)
        starting = dg.DagsterEvent(dg.DagsterEventType.PIPELINE_STARTING.value, job_name=job)
        self.instance.report_dagster_event(starting, run_id=run.run_id)
        self.instance.run_launcher.launch_run(LaunchRunContext(run, None))
        return str(run.run_id)

    def end_of(self, run_id: str, seconds: float) -> str:
        """The status with which a run ends. Raises TimeoutError."""

        def ended() -> str | None:
            run = self.instance.get_run_by_id(run_id)
            return run.status.value if run is not None and run.is_finished else None

        return str(wait(ended, f"the end of run {run_id}", seconds))

    def succeed(self, run_id: str, seconds: float) -> None:
        """Waits for the run's end. Raises RuntimeError, with what went wrong, if that is no success."""
        status = self.end_of(run_id, seconds)
        if status != "SUCCESS":
            raise RuntimeError(f"no measurement: run {run_id} ended as {status}: {self._last_words(run_id)}")

    def moments(self, run_id: str, kind: dg.DagsterEventType) -> dict[str, float]:
        """Step → time, in seconds, of its last event of this kind."""
        found = self.instance.all_logs(run_id, of_type=kind)
        return {one.step_key: one.timestamp for one in found if one.step_key}

    def first_failure(self, run_id: str, seconds: float) -> Failed:
        """Of the steps of a run, once one has failed. Raises TimeoutError."""

        def failures() -> list[Failed]:
            found = self.instance.all_logs(run_id, of_type=dg.DagsterEventType.STEP_FAILURE)
            return [
                Failed(one.timestamp, str(one.dagster_event and one.dagster_event.step_failure_data.error))
                for one in found
            ]

        found: list[Failed] = wait(failures, f"a failed step of run {run_id}", seconds)
        return found[0]

    def pods(self, run_id: str) -> list[dict[str, Any]]:
        """The documents of the pods of a run's steps."""
        query = f"?labelSelector=dagster/run-id={run_id},app.kubernetes.io/component=step_worker"
        found: list[dict[str, Any]] = self._ask(_JOBS_AND_PODS[1] + query)["items"]
        return found

    def run_bare_job(self, name: str, code: str) -> float:
        """Seconds from the making of a Job, whose pod runs Python's ``code``, to its end as the API tells it."""
        container = {"name": "main", "image": "python:bench", "command": ["python", "-c", code]}
        pod = {"spec": {"restartPolicy": "Never", "containers": [container]}}
        spec = {"backoffLimit": 0, "template": pod}
        job = {"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": name}, "spec": spec}
        begun = time.monotonic()
        self._ask(_JOBS_AND_PODS[0], job)
        wait(lambda: self._ask(f"{_JOBS_AND_PODS[0]}/{name}")["status"].get("succeeded"), f"the end of Job {name}", 60)
        return time.monotonic() - begun

    def await_pods(self, run_id: str, count: int, seconds: float) -> None:
        """Until so many pods of a run's steps run at once. Raises TimeoutError; RuntimeError if the run ends before."""

        def running() -> bool:
            run = self.instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                told = self._last_words(run_id)
                raise RuntimeError(f"no measurement: run {run_id} ended before all of its pods ran: {told}")
            time.sleep(1)  # to list hundreds of pods is work for the double, which is to start them
            phases = list(self._ask("/control")["pods"].values())
            return phases.count("Running") > count  # the run worker's is one more

        wait(running, f"the {count} pods of run {run_id}", seconds)

    def calls(self) -> dict[str, int]:
        """Verb and resource → how often the API was called, since ``reset_calls``, without what only follows."""
        calls: dict[str, int] = self._ask("/control")["calls"]
        return {call: count for call, count in calls.items() if call not in _FOLLOWING}

    def reset_calls(self) -> None:
        """All calls so far are forgotten."""
        self._ask("/control", {"do": "reset"})

    def worker_of(self, run_id: str) -> int:
        """The process of a run's worker, once it runs."""
        return self._process(f"dagster/run-id={run_id},app.kubernetes.io/component=run_worker")

    def process_of(self, run_id: str, step: str) -> int:
        """The process of a step in a pod, once it runs."""
        return self._process(f"dagster/run-id={run_id},dagster/op={step}")

    def _process(self, selector: str) -> int:
        def running() -> str | None:
            pods = self._ask(f"{_JOBS_AND_PODS[1]}?labelSelector={selector}")["items"]
            states = [one for pod in pods for one in pod["status"].get("containerStatuses", ())]
            return next((str(one["containerID"]) for one in states if one.get("containerID")), None)

        return int(wait(running, f"a process of {selector}", 60).rpartition("/")[2])

    def _last_words(self, run_id: str) -> str:
        told = [str(one.dagster_event) for one in self.instance.all_logs(run_id) if one.dagster_event]
        return " ".join(told[-3:])[:4000]

    def _ask(self, path: str, body: Mapping[str, Any] | None = None) -> Any:
        request = urllib.request.Request(
            self.server + path.replace(" ", "%20"),
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=180) as answer:
            return json.load(answer)


def wait(until: Callable[[], Any], what: str, seconds: float) -> Any:
    """What ``until`` gives once it is true. Raises TimeoutError."""
    last = time.monotonic() + seconds
    while not (found := until()):
        if time.monotonic() > last:
            raise TimeoutError(f"no measurement: {what} did not come within {seconds:.0f} s")
        time.sleep(0.02)
    return found


def end_of_process(process: int, seconds: float) -> float:
    """When a process ended, in seconds since 1970. Raises TimeoutError."""

    def ended() -> bool:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except (FileNotFoundError, ProcessLookupError):
            return True
        return state in ("Z", "X")

    wait(ended, f"the end of process {process}", seconds)
    return time.time()


def peak_memory(process: int) -> float:
    """The most MiB that a process has had in memory."""
    status = Path(f"/proc/{process}/status").read_text()
    found = re.search(r"VmHWM:\s*(\d+) kB", status)
    assert found is not None, status
    return int(found[1]) / 1024


def processor_seconds(process: int) -> float:
    """The processor time that a process has taken so far."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / _TICKS


@contextlib.contextmanager
def bench_cluster(
    base: Path, files: Mapping[str, str], variables: Mapping[str, str] | None = None
) -> Iterator[BenchCluster]:
    """A cluster whose code location has ``files`` (name → text) as its pipelines; no process outlives the block.

    ``variables`` are those of all run workers and of the steps in their image, besides what these need.
    """
    home, workflows, stub = base / "home", base / "workflows", base / "stub"
    for folder in (workflows, stub):
        folder.mkdir(parents=True)
    for name, text in files.items():
        (workflows / name).write_text(text, encoding="utf-8")
    for command in ("dagster", "python"):
        (stub / command).write_text(_STUB, encoding="utf-8")
        (stub / command).chmod(0o755)
    images = {CODE_IMAGE: Path(sys.executable), STUB_IMAGE: stub / "python"}
    with _double(base / "cluster", bare_python(base / "image"), images) as port:
        server, kubeconfig = f"http://127.0.0.1:{port}", base / "cluster/kubeconfig"
        text = _settings(home, kubeconfig, workflows, variables or {})
        with instance_in(home, text) as instance:
            cluster = BenchCluster(base, instance, server)
            metadata = {"name": "dagster-instance"}
            cluster._ask(
                "/api/v1/namespaces/default/configmaps",
                {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"dagster.yaml": text}},
            )
            yield cluster


@contextlib.contextmanager
def _double(folder: Path, python: Path, images: Mapping[str, Path]) -> Iterator[int]:
    words = [sys.executable, "-m", "flowhub_assets_tests.kubernetes", str(folder), "--python", str(python)]
    words += [word for name, path in images.items() for word in ("--image", f"{name}={path}")]
    with subprocess.Popen(words, cwd=ROOT, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout is not None
            yield int(process.stdout.readline().removeprefix("ready "))
        finally:
            process.terminate()
            process.wait(60)


def _settings(home: Path, kubeconfig: Path, workflows: Path, more: Mapping[str, str]) -> str:
    variables = {
        **more,
        "DAGSTER_HOME": str(home),
        "KUBECONFIG": str(kubeconfig),
        "FLOWHUB_PIPELINES": str(workflows),
        "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]),
    }
    launcher = {
        "job_image": CODE_IMAGE,
        "dagster_home": str(home),
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
        "load_incluster_config": False,
        "kubeconfig_file": str(kubeconfig),
        "job_namespace": "default",
        "env_vars": [f"{name}={value}" for name, value in variables.items()],
    }
    return yaml.safe_dump(
        {
            "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher},
            "telemetry": {"enabled": False},
        }
    )
