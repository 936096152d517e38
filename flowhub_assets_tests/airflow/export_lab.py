"""Pipelines exported and run in a real Airflow, each in a namespace of its own, all in one process."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path
from typing import Any

from flowhub_assets.from_python import loading as python_files
from flowhub_assets.from_yaml import loading as pipeline_files
from flowhub_assets.names import airflow_name, kubernetes_name
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.outcome import Outcome
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_airflow.export import Export, export
from flowhub_assets_tests.airflow.drive import Job, bare_python, run_dags
from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.kubernetes.double import KubeDouble

#: What typed nodes run in where the profile names no image.
NODE_IMAGE = f"flowhub-assets:{metadata.version('flowhub-assets')}"

#: Cases by their name, in the order in which they run.
Cases = Mapping[str, "Case"]


@dataclass(frozen=True)
class Case:
    """One pipeline and one run of it. ``files`` are written beside ``file``, whose text is ``text``.

    ``profile`` is laid over the pipeline's default one, ``secrets`` are Kubernetes Secrets by name, "" that of
    the export itself. ``failing`` are what happens to pods: the rule's name, the first task of the pod that it is for,
    and words of KubeDouble.fail.
    With ``argv`` the file is run as a script with these arguments, and exports itself with its profile airflow, whose
    namespace is the variable EXPORT_NAMESPACE.
    """

    text: str
    file: str = "workflow.py"
    files: Mapping[str, str] = field(default_factory=dict)
    profile: Mapping[str, Any] = field(default_factory=dict)
    secrets: Mapping[str, Mapping[str, str]] = field(default_factory=dict)
    conf: Mapping[str, Any] = field(default_factory=dict)
    run_id: str = ""
    group_light: bool = False
    startup_timeout: int = 60
    argv: Sequence[str] | None = None
    failing: Sequence[tuple[str, str, Mapping[str, Any]]] = ()


@dataclass(frozen=True)
class Ended:
    """How the run of a case ended in Airflow: its tasks by id, its pods as they were posted, what each has written."""

    case: Case
    folder: Path
    exported: Export
    report: Mapping[str, Any]
    pods: Sequence[Mapping[str, Any]]
    logs: Mapping[str, str]

    @property
    def state(self) -> str:
        assert self.report["error"] is None, self.report["error"]
        return str(self.report["state"])

    def task(self, task_id: str, index: int = -1) -> Mapping[str, Any]:
        """What is told of a task instance."""
        (found,) = [one for one in self.report["tasks"] if (one["task_id"], one["map_index"]) == (task_id, index)]
        return dict(found)

    def states(self) -> dict[str, str]:
        """The states of all tasks that are not mapped."""
        return {one["task_id"]: one["state"] for one in self.report["tasks"] if one["map_index"] < 0}

    def document(self, task: str, index: int = -1) -> Any:
        """The result document of a task that has ended well."""
        assert self.report["error"] is None, self.report["error"]
        told = self.task(airflow_name(task), index)
        assert told["state"] == "success", told["log"][-3000:]
        return told["xcoms"].get("return_value")

    def value(self, task: str, index: int = -1) -> dict[str, Any]:
        """The value of a task that travels inside its document."""
        document = self.document(task, index)
        assert set(document) >= {"value"}, document
        return dict(document["value"])

    def log(self, task: str) -> str:
        """What the pods of a task have written."""
        return "".join(text for name, text in self.logs.items() if name == task)

    def everything(self) -> str:
        """All that anybody could read of the run: logs, XComs, manifests and both files."""
        told = json.dumps([self.report, list(self.pods)], ensure_ascii=False)
        return "\n".join([told, *self.logs.values(), *self.exported.files.values()])


def load(file: Path) -> Runnable:
    """The one pipeline of a file."""
    if file.suffix == ".py":
        return python_files.load_file(str(file))[-1]
    return pipeline_files.load_file(str(file))[-1]


def write_case(case: Case, folder: Path) -> Path:
    """Writes the files of a case; returns the pipeline's."""
    for name, text in {**case.files, case.file: case.text}.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, "utf-8")
    return folder / case.file


def run_locally(case: Case, folder: Path) -> Outcome:
    """The run of a case by the local runtime."""
    runnable = load(write_case(case, folder))
    own = {"WORKSPACE": str(folder / "workspace"), **case.profile}
    profile = choose_profile(runnable.pipeline, "default", own)
    return run_pipeline(runnable, case.conf, profile=profile, on_event=lambda _: None)


def run_cases(made: Environment, cases: Cases, folder: Path, images: Mapping[str, Path]) -> dict[str, Ended]:
    """How each case ends in that Airflow; ``images`` names executables of images that have not only Python."""
    with lab(folder, images) as cluster:
        exports = {name: _exported(cluster, case, folder / f"case-{n}") for n, (name, case) in enumerate(cases.items())}
        return run_exports(made, cluster, cases, exports, folder)


@contextlib.contextmanager
def lab(folder: Path, images: Mapping[str, Path]) -> Iterator[KubeDouble]:
    """A cluster with our image, those in ``images``, and a bare Python in every other."""
    known = {NODE_IMAGE: Path(sys.executable), **images}
    with KubeDouble(folder / "cluster", python=bare_python(folder / "bare"), images=known) as cluster:
        yield cluster


def run_exports(
    made: Environment, cluster: KubeDouble, cases: Cases, exports: Mapping[str, Export], folder: Path
) -> dict[str, Ended]:
    """Runs what was exported from each case; its namespace is called like its folder, case-0 and so on."""
    jobs = []
    for number, (name, case) in enumerate(cases.items()):
        place = folder / f"case-{number}"
        dag = place / f"{exports[name].dag_id}_dag.py"
        dag.write_text(exports[name].dag, "utf-8")
        run_id = case.run_id or f"run-{number}"
        jobs.append(Job(dag, run_id=run_id, conf=case.conf, startup_timeout=case.startup_timeout))
        for what, task, words in case.failing:
            cluster.fail(what, _is_pod_of(place.name, task), **words)
    reports = run_dags(made, cluster, jobs, 600)
    ended = {}
    for number, (name, report) in enumerate(zip(cases, reports, strict=True)):
        pods = [pod for pod in cluster.all_pods if pod.metadata["namespace"] == f"case-{number}"]
        logs: dict[str, str] = {}
        for pod in pods:
            task = _step(pod.posted)["tasks"][0]
            lines = b"".join(
                line for one in pod.containers for _, line in one.lines if one.name != "airflow-xcom-sidecar"
            )
            logs[task] = logs.get(task, "") + lines.decode(errors="replace")
        posted = [dict(pod.posted) for pod in pods]
        ended[name] = Ended(cases[name], folder / f"case-{number}", exports[name], report, posted, logs)
    return ended


def _exported(cluster: KubeDouble, case: Case, folder: Path) -> Export:
    """The case exported and applied, in the namespace that is called like ``folder``."""
    file = write_case(case, folder)
    (folder / "workspace").mkdir()
    if case.argv is not None:
        exported = _exported_by_itself(file, case.argv)
        apply(cluster, exported, case, folder.name)
        return exported
    runnable = load(file)
    pipeline = runnable.pipeline
    profile = {"WORKSPACE": str(folder / "workspace"), "K8S_NAMESPACE": folder.name}
    pipeline.profiles["default"] = {**pipeline.profiles.get("default", {}), **profile, **case.profile}  # type: ignore[index]
    exported = export(pipeline, "default", group_light=case.group_light)
    apply(cluster, exported, case, folder.name)
    return exported


def _exported_by_itself(file: Path, argv: Sequence[str]) -> Export:
    words = [sys.executable, file.name, "--env", "airflow", "--export", "airflow", *argv]
    variables = {**os.environ, "EXPORT_NAMESPACE": file.parent.name, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run(
        words, cwd=file.parent, env=variables, capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    (dag,) = (file.parent / "dags").glob("*_dag.py")
    name = dag.name.removesuffix("_dag.py")
    code = (file.parent / "dags" / f"{name}-code.yaml").read_text("utf-8")
    return Export(name, dag.read_text("utf-8"), code, file.parent.name, (), (), done.stdout)


def apply(cluster: KubeDouble, exported: Export, case: Case, namespace: str) -> None:
    """Does with ``exported`` what a user does by kubectl."""
    cluster.objects.apply(exported.code, namespace, server_side=True)
    for name, values in case.secrets.items():
        own = f"{kubernetes_name(exported.dag_id, 50)}-secrets"
        cluster.objects.secret(name or own, values, namespace=namespace)


def _is_pod_of(namespace: str, task: str) -> Callable[[Mapping[str, Any]], bool]:
    def applies(manifest: Mapping[str, Any]) -> bool:
        return (manifest["metadata"]["namespace"], _step(manifest)["tasks"][0]) == (namespace, task)

    return applies


def _step(manifest: Mapping[str, Any]) -> dict[str, Any]:
    """The order that a pod was given."""
    variables = {one["name"]: one.get("value") for one in manifest["spec"]["containers"][0]["env"]}
    parts = [variables[name] for name in variables if name.startswith("FLOWHUB_STEP")]
    told: dict[str, Any] = json.loads("".join(parts))
    return told
