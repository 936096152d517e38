"""Writes exported pipelines into a folder, and tells what is to be done with them."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from flowhub_assets.errors import DefinitionError, InputError
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.pods.configmap import same_content
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_airflow.export import Export, export

#: Where the files go if no folder is named, as FlowHub has it.
FOLDER = "dags"


def export_script(runnable: Runnable, profile_name: str, out_folder: str | None) -> int:
    """What ``--export airflow`` of a workflow script does: the exporter of the group flowhub.exporters."""
    exported = export(runnable.pipeline, profile_name, argv=runnable.script_arguments)
    folder = out_folder or FOLDER
    write([exported], folder)
    print("\n".join(told([exported], folder)))
    return 0


def require_names_apart(pipelines: Iterable[tuple[Pipeline, Export]]) -> None:
    """Raises DefinitionError for two pipelines that have one id in Airflow: one file would hide the other."""
    first: dict[str, Pipeline] = {}
    for pipeline, exported in pipelines:
        other = first.setdefault(exported.dag_id.lower(), pipeline)
        if other is not pipeline:
            raise DefinitionError(
                f"pipeline {pipeline.name!r} has the name of {other.name!r} ({other.source}) in Airflow",
                where=pipeline.source,
                effect=f"both would be the DAG {exported.dag_id!r}, so nothing was exported",
                remedy="rename one of them",
            )


def write(exports: Sequence[Export], folder: str) -> None:
    """Writes all files into ``folder``, which is made; each is there whole or not at all. Raises InputError."""
    try:
        os.makedirs(folder, exist_ok=True)
        for exported in exports:
            for name, text in exported.files.items():
                _write(Path(folder, name), text)
    except OSError as error:
        raise InputError(
            f"the DAGs cannot be written: {error.strerror or error}",
            where=error.filename or folder,
            effect="Not all files are there.",
            remedy="Name a folder that can be written to.",
        ) from None


def _write(path: Path, text: str) -> None:
    part = path.with_name(f".{path.name}.part")
    try:
        part.write_text(text, encoding="utf-8", newline="\n")
        os.replace(part, path)
    finally:
        part.unlink(missing_ok=True)


def stale(exports: Sequence[Export], folder: str) -> list[str]:
    """The paths of files that are missing in ``folder``, or that an export would write otherwise."""
    found = []
    for exported in exports:
        for name, text in exported.files.items():
            path = Path(folder, name)
            try:
                there = path.read_text(encoding="utf-8")
            except (OSError, ValueError):
                there = ""
            if there != text and not (name.endswith(".yaml") and same_content(there, text)):
                found.append(str(path))
    return found


def told(exports: Sequence[Export], folder: str) -> Iterator[str]:
    """What was written, what Airflow cannot express, and what to do next."""
    for exported in exports:
        yield from (str(Path(folder, name)) for name in exported.files)
    yield from remarks(exports)
    yield ""
    yield "Next:"
    for exported in exports:
        if exported.create_secret:
            yield f"  {exported.create_secret}"
        code = shlex.quote(str(Path(folder, f"{exported.dag_id}-code.yaml")))
        namespace = f" --namespace {exported.namespace}" if exported.namespace else ""
        yield f"  kubectl apply --server-side -f {code}{namespace}"
    files = " ".join(shlex.quote(str(Path(folder, f"{exported.dag_id}_dag.py"))) for exported in exports)
    yield f"  cp {files} $AIRFLOW_HOME/dags/"


def remarks(exports: Iterable[Export]) -> Iterator[str]:
    """Each thing that Airflow has no word for, and each credential that became a reference."""
    for exported in exports:
        for warning in exported.warnings:
            yield f"\n{warning}"
        for problem in exported.problems:
            error = DefinitionError(problem.what, where=problem.where, effect=problem.effect, remedy=problem.remedy)
            yield f"\n{error}"
