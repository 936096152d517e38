"""Runs of pipelines in a cluster that is not there: K8sRunLauncher and the hybrid executor against the double."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import yaml
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import ModuleTarget

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.new_runs import new_run

#: The image of the code location; every other one has a Python with nothing installed.
CODE_IMAGE = "flowhub-assets:test"
LOCATION = "flowhub_assets"


@dataclass(frozen=True)
class Lab:
    """``base`` is the folder that BASE stands for in the pipelines' files."""

    base: Path
    cluster: KubeDouble
    workspace: WorkspaceProcessContext

    @property
    def instance(self) -> dg.DagsterInstance:
        return self.workspace.instance

    def launch(self, job: str, config: Mapping[str, Any] | None = None, **executor: Any) -> str:
        """Starts a run in a pod; returns its id. ``executor`` is the config of ``step_handler.kubernetes``."""
        request = self.workspace.create_request_context()
        repository = next(iter(request.get_code_location(LOCATION).get_repositories().values()))
        remote = repository.get_full_job(job)
        execution = {"execution": {"config": {"step_handler": {"kubernetes": executor}}}} if executor else {}
        run = new_run(
            self.instance,
            job,
            remote.get_python_origin(),
            {**execution, **(config or {})},
            remote=remote.get_remote_origin(),
        )
        self.instance.launch_run(run.run_id, request)
        return str(run.run_id)

    def end_of(self, run_id: str, seconds: float = 90) -> str:
        """The status with which the run ends."""

        def ended() -> str | None:
            run = self.instance.get_run_by_id(run_id)
            return run.status.value if run is not None and run.is_finished else None

        return str(self.wait(ended, f"the end of run {run_id}\n{self.cluster.logs('dagster-run')[-4000:]}", seconds))

    def wait(self, until: Callable[[], Any], what: str, seconds: float = 60) -> Any:
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            if found := until():
                return found
            time.sleep(0.05)
        pods = {pod.name: pod.document()["status"] for pod in self.cluster.all_pods}
        about = f"{pods}\n{self.cluster.refused}\n{self.cluster.calls}"
        raise TimeoutError(f"{what} did not come within {seconds:.0f} s\n{about}")

    def events(self, run_id: str, kind: str = "") -> list[Any]:
        """The run's log entries; those of one type, STEP_FAILURE say, if one is named."""
        entries = self.instance.all_logs(run_id)
        return [
            one for one in entries if not kind or (one.dagster_event and one.dagster_event.event_type_value == kind)
        ]

    def steps(self, run_id: str, kind: str) -> list[str]:
        return sorted(one.step_key or "" for one in self.events(run_id, kind))

    def told(self, run_id: str) -> str:
        """All that the log says, in one text."""
        lines = []
        for one in self.events(run_id):
            failure = getattr(one.dagster_event and one.dagster_event.event_specific_data, "error", None)
            lines.append(f"{one.step_key}: {one.message} {failure.to_string() if failure else ''}")
        return "\n".join(lines)

    def printed(self, run_id: str, step: str) -> str:
        """What the step has printed."""
        found = []
        for one in self.events(run_id, "LOGS_CAPTURED"):
            data = one.dagster_event.logs_captured_data
            if step in (one.step_key, *(data.step_keys or ())):
                key = [run_id, "compute_logs", data.file_key]
                found.append(self.instance.compute_log_manager.get_log_data(key).stdout or b"")
        return b"".join(found).decode()

    def posted(self, kind: str) -> list[dict[str, Any]]:
        """The manifests of one kind that the API has taken, in their order."""
        return [one for one in self.cluster.posted if one["kind"] == kind]

    def left(self) -> list[str]:
        """What is in the cluster but for what the chart put there."""
        return [one for one in self.cluster.left() if "dagster-instance" not in one]


@contextlib.contextmanager
def cluster_lab(
    base: Path, image_python: Path, files: Mapping[str, str], images: Mapping[str, Path] | None = None, **double: Any
) -> Iterator[Lab]:
    """A lab with ``files`` (name → text, BASE in it standing for ``base``) as its pipelines.

    ``images`` are further ones that have more than a bare Python; ``double`` is for the KubeDouble.
    """
    home, workflows = base / "home", base / "workflows"
    home.mkdir()
    workflows.mkdir()
    for name, text in files.items():
        (workflows / name).write_text(text.replace("BASE", str(base)), encoding="utf-8")
    with KubeDouble(
        base / "cluster", image_python, {CODE_IMAGE: Path(sys.executable), **(images or {})}, **double
    ) as cluster:
        variables = {
            "DAGSTER_HOME": str(home),
            "KUBECONFIG": str(cluster.kubeconfig),
            "FLOWHUB_PIPELINES": str(workflows),
            "PYTHONPATH": os.pathsep.join([str(ROOT), str(ROOT / "flowhub_assets/from_python/import_name")]),
        }
        text = yaml.safe_dump(_instance(cluster, home, variables))
        (home / "dagster.yaml").write_text(text)
        metadata = {"name": "dagster-instance"}
        config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": {"dagster.yaml": text}}
        cluster.objects.apply(yaml.safe_dump(config_map))
        with _environment(variables):
            target = ModuleTarget("flowhub_assets.definitions", None, str(base), LOCATION)
            with dg.DagsterInstance.get() as instance, WorkspaceProcessContext(instance, target) as workspace:
                yield Lab(base, cluster, workspace)


def _instance(cluster: KubeDouble, home: Path, variables: Mapping[str, str]) -> dict[str, Any]:
    launcher = {
        "job_image": CODE_IMAGE,
        "dagster_home": str(home),
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
        "load_incluster_config": False,
        "kubeconfig_file": str(cluster.kubeconfig),
        "job_namespace": "default",
        "env_vars": [f"{name}={value}" for name, value in variables.items()],
    }
    return {
        "run_launcher": {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": launcher},
        "run_monitoring": {"enabled": True, "poll_interval_seconds": 1, "max_resume_run_attempts": 3},
        "telemetry": {"enabled": False},
    }


@contextlib.contextmanager
def _environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = {name: os.environ.get(name) for name in variables}
    os.environ.update(variables)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
