"""The code location: the shipped pipelines and the user's own, as one Dagster repository, loaded lazily."""

from __future__ import annotations

from functools import cache
from pathlib import Path

from flowhub_assets import pipelines
from flowhub_assets.executor.hybrid import hybrid_executor_with
from flowhub_assets.from_python import finding as python_files
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.from_yaml import finding as yaml_files
from flowhub_assets.from_yaml.loading import load_file
from flowhub_assets.from_yaml.stored import load_stored
from flowhub_assets.nodes import finding as node_files
from flowhub_assets.resources.mlflow import MlflowResource
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.store.opened import FOLDER, file_of, stored_workflows
from flowhub_assets.to_dagster.plain_definitions import looks_like_definitions, plain_definitions
from flowhub_assets.to_dagster.queue_sensor import queue_sensor
from flowhub_assets.to_dagster.repository import CodeLocation, LoadedFile, StoredWorkflows

settings = read_settings()
folders = [*(map(Path, pipelines.__path__) if settings.shipped else ()), *settings.folders]


def find_files(folder: str) -> list[str]:
    """The files of a folder that hold flows, definitions for Dagster, kinds of node, or pipelines in YAML or JSON."""
    python = {*python_files.find_files(folder, or_if=looks_like_definitions), *node_files.find_node_files(folder)}
    return sorted(python | set(yaml_files.find_files(folder)))


def load(path: Path) -> LoadedFile:
    """What one file holds: flows, what it defines for Dagster itself, or pipelines of nodes. Raises DefinitionError."""
    if path.suffix == ".py":
        module = load_module(str(path))
        return LoadedFile([flow.runnable for flow in flows_in(module)], plain_definitions(module))
    _load_kinds_of_folders()
    if not any(path.is_relative_to(folder) for folder in folders):
        node_files.load_nodes(str(path.parent), below=False)
    return LoadedFile(load_file(str(path)))


def load_workflow(name: str, text: str) -> Runnable:
    """The pipeline that was written over the API as ``name``. Raises DefinitionError."""
    _load_kinds_of_folders()
    return load_stored(text, name, file_of(name))


@cache
def _load_kinds_of_folders() -> None:
    """Once in a process: to look through all folders for each of a thousand files takes longer than to read these."""
    for folder in folders:
        # Kinds of node that do not load are told by their own file.
        node_files.load_nodes(str(folder))


location = CodeLocation(
    folders=folders,
    find_files=find_files,
    load=load,
    resources={
        "profile": ProfileResource.configure_at_launch(name=settings.profile),
        "storage": StorageResource.configure_at_launch(),
        "mlflow": MlflowResource.configure_at_launch(),
    },
    executor=hybrid_executor_with(settings.kubernetes),
    sensors=[queue_sensor()],
    alerts=settings.alerts,
    stored=StoredWorkflows(Path(FOLDER), stored_workflows, load_workflow),
)

defs = location.repository()
