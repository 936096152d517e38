"""The code location: the shipped pipelines and the user's own, as one Dagster repository, loaded lazily."""

from __future__ import annotations

from functools import partial
from pathlib import Path

from flowhub_assets import pipelines
from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.from_python.finding import find_files
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.to_dagster.plain_definitions import looks_like_definitions, plain_definitions
from flowhub_assets.to_dagster.repository import CodeLocation, LoadedFile


def load(path: Path) -> LoadedFile:
    """One pipeline file: its flows, and what it defines for Dagster itself. Raises DefinitionError."""
    module = load_module(str(path))
    return LoadedFile([flow.runnable for flow in flows_in(module)], plain_definitions(module))


settings = read_settings()

location = CodeLocation(
    folders=[*(map(Path, pipelines.__path__) if settings.shipped else ()), *settings.folders],
    find_files=partial(find_files, or_if=looks_like_definitions),
    load=load,
    resources={
        "profile": ProfileResource.configure_at_launch(name=settings.profile),
        "storage": StorageResource.configure_at_launch(),
    },
    executor=hybrid_executor,
)

defs = location.repository()
