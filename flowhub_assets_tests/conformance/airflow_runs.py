"""Airflow as a runner: each shape exported, its DAG run by dag.test(), its pods as processes of a Python of their own.

All shapes of a list run in one process of Airflow, whose start is a large part of the time.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib import metadata
from pathlib import Path
from typing import Any

from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.names import airflow_name
from flowhub_assets.runtime.imports import WORKFLOW_MODULE
from flowhub_assets.runtime.secret_values import is_secret_name
from flowhub_assets.to_airflow.export import export
from flowhub_assets_tests.airflow.drive import Job, bare_python, run_dags
from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.conformance.runners import Ran, as_json, load, merged_result, read_told
from flowhub_assets_tests.conformance.shapes import Shape
from flowhub_assets_tests.kubernetes.double import KubeDouble

_SECONDS = 1500.0
_MODULE_IN_POD = re.compile(rf"({WORKFLOW_MODULE}\w+_)[0-9a-f]{{12}}")
_CODE_IN_POD = re.compile(r"/[^\s\"]*/flowhub-[^/\s]+/code/")

#: What typed nodes run in where the profile names no image.
NODE_IMAGE = f"flowhub-assets:{metadata.version('flowhub-assets')}"


@dataclass(frozen=True)
class _Exported:
    shape: Shape
    file: Path
    pipeline: Pipeline
    workspace: Path
    dag: Path


def run_in_airflow(
    made: Environment, shapes: Sequence[Shape], files: Mapping[str, Path], folder: Path
) -> dict[str, Ran | AssertionError]:
    """How each shape, whose file is in ``files`` by its name, ends in that Airflow; ``folder`` is for this alone.

    A run that Airflow could not bring to an end is an AssertionError, for the test of that shape to raise.
    """
    images = {NODE_IMAGE: Path(sys.executable)}
    with KubeDouble(folder / "cluster", python=bare_python(folder / "bare"), images=images) as cluster:
        exported = [
            _exported(cluster, shape, files[shape.name], folder / f"shape-{number}")
            for number, shape in enumerate(shapes)
        ]
        jobs = [
            Job(one.dag, f"run-{number}", one.shape.given, startup_timeout=60, seconds=300)
            for number, one in enumerate(exported)
        ]
        reports = run_dags(made, cluster, jobs, _SECONDS)
    return {one.shape.name: _ran(one, report) for one, report in zip(exported, reports, strict=True)}


def _exported(cluster: KubeDouble, shape: Shape, file: Path, folder: Path) -> _Exported:
    """The shape in a namespace of its own, for many have one name: its ConfigMap and its Secret are there."""
    workspace = folder / "workspace"
    workspace.mkdir(parents=True)
    pipeline = load(file).pipeline
    profile = {**pipeline.profiles.get("default", {}), "WORKSPACE": str(workspace)}
    pipeline = replace(pipeline, namespace=folder.name, profiles={**pipeline.profiles, "default": profile})
    written = export(pipeline, "default")
    cluster.objects.apply(written.code)
    credentials = {key: value for key, value in profile.items() if is_secret_name(key)}
    if credentials:
        cluster.objects.secret(f"{written.dag_id}-secrets", credentials, namespace=folder.name)
    dag = folder / f"{written.dag_id}_dag.py"
    dag.write_text(written.dag, "utf-8")
    return _Exported(shape, file, pipeline, workspace, dag)


def _ran(one: _Exported, report: Mapping[str, Any]) -> Ran | AssertionError:
    if report["error"] is not None:
        return AssertionError(report["error"])
    found = {(told["task_id"], told["map_index"]): told for told in report["tasks"]}
    values, attempts = {}, {}
    for task in one.pipeline.tasks:
        name = airflow_name(task.name)
        told = found[f"{name}.list" if task.loop is not None else name, -1]
        value = _value(_result(found[name, -1]), task)
        if value is not None:
            values[task.name] = as_json(value, task.name)
        if told["state"] in ("success", "failed"):
            attempts[task.name] = told["try_number"]
    succeeded = report["state"] == "success"
    return Ran(
        values=values,
        result=merged_result(one.pipeline, one.shape.given, values) if succeeded else None,
        attempts=attempts,
        told=[with_own_paths(told, one.file) for told in read_told(one.workspace)],
    )


def with_own_paths(told: dict[str, Any], file: Path) -> dict[str, Any]:
    """The code lies elsewhere in a pod: tracebacks name another folder, and a module called by a digest of its path."""
    digest = hashlib.sha256(os.fsencode(file)).hexdigest()[:12]
    text = _MODULE_IN_POD.sub(rf"\g<1>{digest}", json.dumps(told))
    changed: dict[str, Any] = json.loads(_CODE_IN_POD.sub(json.dumps(f"{file.parent}/")[1:-1], text))
    return changed


def _result(told: Mapping[str, Any]) -> Any:
    return told["xcoms"].get("return_value") if told["state"] == "success" else None


def _value(result: Any, task: Task) -> dict[str, Any] | None:
    """What a result document says, as a reader of it puts it together."""
    if result is None:
        return None
    if "loop" not in result:
        return dict(result["value"])
    loop = result["loop"]
    parts: Iterable[Mapping[str, Any]] = [loop["items"], *loop["results"]]
    values = [part["value"] for part in parts]
    failed = [value["error"] for value in values if "error" in value]
    return {"error": failed[0]} if failed else {loop["into"]: [value.get("result") for value in values[1:]]}
