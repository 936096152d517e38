"""A folder of workflow files as a code location: what the tests of to_dagster, resources and the CLI start from.

def test_it(workflows, instance):
    workflows.write("one.py", FLOW)
    result = workflows.run("my_flow", instance)
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from dagster import (
    DagsterInstance,
    ExecuteInProcessResult,
    ExecutorDefinition,
    JobDefinition,
    RepositoryDefinition,
    build_reconstructable_job,
    in_process_executor,
)

from flowhub_assets import definitions
from flowhub_assets.definitions import load
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets.resources.settings import read_settings
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets.to_dagster.repository import CodeLocation, LoadedFile

HEAD = "import json, os, pathlib, sys, time\nfrom flowhub import flow, task, get_storage\n"


def location_of(folder: Path, executor: ExecutorDefinition = in_process_executor) -> CodeLocation:
    """The code location over ``folder``, and what is stored in DAGSTER_HOME, made as definitions.py makes it."""
    return CodeLocation(
        folders=[folder],
        find_files=definitions.location.find_files,
        load=load,
        resources={
            "profile": ProfileResource.configure_at_launch(name=read_settings().profile),
            "storage": StorageResource.configure_at_launch(),
        },
        executor=executor,
        stored=definitions.location.stored,
    )


def job_in(folder: str, name: str) -> JobDefinition:
    """A job by its folder and name: what another process, or a re-execution, builds it from."""
    return location_of(Path(folder)).repository().get_job(name)


class Workflows:
    """Workflow files that a test writes, and Dagster's view of them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)

    def write(self, name: str, text: str, head: str = HEAD) -> Path:
        """Writes a workflow file; ``text`` may be indented as a block, ``head`` imports what most files need."""
        path = self.folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(head + textwrap.dedent(text), encoding="utf-8")
        return path

    def location(self, load_file: Callable[[Path], LoadedFile] = load) -> CodeLocation:
        """The code location over the folder, in which steps run in this process."""
        location = location_of(self.folder)
        return CodeLocation(location.folders, location.find_files, load_file, location.resources, location.executor)

    def repository(self) -> RepositoryDefinition:
        """A fresh repository over the files as they are now."""
        return self.location().repository()

    def flow(self, job: str) -> FlowDefinitions:
        """All definitions of the flow whose job has this name."""
        runnable = self.location().find_flow(job)
        assert runnable is not None, f"no flow has the job {job}"
        return self.location().flow(runnable)

    def run(
        self,
        job: str,
        instance: DagsterInstance,
        resources: Mapping[str, Any] | None = None,
        assets: list[Any] | None = None,
        **params: Any,
    ) -> ExecuteInProcessResult:
        """Runs a flow's job in this process: ``params`` for the flow, ``resources`` as in the launchpad."""
        given: dict[str, Any] = {name: {"config": config} for name, config in (resources or {}).items()}
        if params:
            given[f"{job}_params"] = {"config": params}
        return (
            self.repository()
            .get_job(job)
            .execute_in_process(
                run_config={"resources": given, "loggers": {"console": {"config": {"log_level": "CRITICAL"}}}},
                instance=instance,
                asset_selection=assets,
                raise_on_error=False,
            )
        )


def reconstructable(folder: Path, name: str, function: str = "flowhub_assets_tests.workflows.job_in") -> Any:
    """The job as execute_job takes it: other processes build it again by ``function``, of folder and job name."""
    module, _, attribute = function.rpartition(".")
    arguments: Any = (str(folder), name)
    return build_reconstructable_job(module, attribute, arguments, {})


def metadata_of(result: ExecuteInProcessResult, task: str) -> dict[str, Any]:
    """What the UI shows of the value that the run has made of ``task``."""
    for event in result.get_asset_materialization_events():
        if event.asset_key and event.asset_key.path[-1] == task:
            return dict(event.step_materialization_data.materialization.metadata)
    raise KeyError(task)


def failure_of(result: ExecuteInProcessResult, step: str) -> str:
    """The description of a step's failure, as the UI shows it."""
    data = next(e for e in result.get_step_failure_events() if e.step_key == step).step_failure_data
    if data.user_failure_data is not None and data.user_failure_data.description:
        return data.user_failure_data.description
    assert data.error is not None
    return data.error.to_string()
