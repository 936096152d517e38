"""What makes a run that Dagster's daemon starts, from Dagster's private modules: written against Dagster 1.13.

Dagster's webserver does the same when somebody presses Launch; it has the job from a code server, this process has it
itself. Imported by a server or a command that starts runs, never by a step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterInstance, JobDefinition
from dagster._api.list_repositories import sync_list_repositories_grpc
from dagster._core.code_pointer import CodePointer, FileCodePointer, ModuleCodePointer
from dagster._core.errors import DagsterRunAlreadyExists
from dagster._core.execution.api import create_execution_plan
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    GrpcServerCodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.snap import ExecutionPlanSnapshot, snapshot_from_execution_plan
from dagster._core.storage.tags import REPOSITORY_LABEL_TAG
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget

#: As the repository of a Definitions object is called.
_REPOSITORY = "__repository__"


@dataclass(frozen=True)
class Origins:
    """Where the daemon and a run worker find the code location's jobs."""

    remote: RemoteRepositoryOrigin
    python: RepositoryPythonOrigin

    @property
    def label(self) -> str:
        """``repository@location``, as the UI groups runs by it."""
        return self.remote.get_label()


def origins_here(module: str, location: str) -> Origins:
    """The code location that ``dagster dev -m module`` loads under the name ``location``."""
    target = LoadableTargetOrigin(executable_path=sys.executable, module_name=module, working_directory=os.getcwd())
    pointer = ModuleCodePointer(module, "defs", os.getcwd())
    return _managed(ManagedGrpcPythonEnvCodeLocationOrigin(target, location), pointer)


def origins_in_workspace(path: Path, location: str) -> Origins:
    """The code location of that name in a workspace.yaml; its code server is asked where it has one.

    Raises LookupError, with the names that there are, if it has none of that name.
    """
    found = {one.location_name: one for one in WorkspaceFileTarget([str(path)]).create_origins()}
    if location not in found:
        raise LookupError(", ".join(sorted(found)))
    origin = found[location]
    if isinstance(origin, GrpcServerCodeLocationOrigin):
        return _served(origin)
    if not isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin):
        raise LookupError(", ".join(sorted(found)))
    target = origin.loadable_target_origin
    if target.python_file:
        return _managed(
            origin, FileCodePointer(target.python_file, target.attribute or "defs", target.working_directory)
        )
    pointer = ModuleCodePointer(str(target.module_name), target.attribute or "defs", target.working_directory)
    return _managed(origin, pointer)


def _managed(origin: ManagedGrpcPythonEnvCodeLocationOrigin, pointer: CodePointer) -> Origins:
    python = RepositoryPythonOrigin(
        executable_path=origin.loadable_target_origin.executable_path or sys.executable,
        code_pointer=pointer,
        container_image=os.environ.get("DAGSTER_CURRENT_IMAGE"),
        entry_point=DEFAULT_DAGSTER_ENTRY_POINT,
    )
    return Origins(RemoteRepositoryOrigin(origin, _REPOSITORY), python)


def _served(origin: GrpcServerCodeLocationOrigin) -> Origins:
    told = sync_list_repositories_grpc(origin.create_client())
    name = next(iter(told.repository_code_pointer_dict))
    python = RepositoryPythonOrigin(
        executable_path=told.executable_path or sys.executable,
        code_pointer=told.repository_code_pointer_dict[name],
        container_image=told.container_image,
        entry_point=told.entry_point,
        container_context=told.container_context,
    )
    return Origins(RemoteRepositoryOrigin(origin, name), python)


def plan_of(job: JobDefinition, run_config: Mapping[str, Any]) -> ExecutionPlanSnapshot:
    """The plan of a job's runs. Raises DagsterInvalidConfigError; with the same job it is the same for any config."""
    return snapshot_from_execution_plan(create_execution_plan(job, run_config=run_config), job.get_job_snapshot_id())


def create_run(
    instance: DagsterInstance,
    job: JobDefinition,
    plan: ExecutionPlanSnapshot,
    origins: Origins,
    *,
    run_id: str,
    run_config: Mapping[str, Any],
    tags: Mapping[str, str],
) -> bool:
    """Puts a run into Dagster's storage, not yet queued. False if there is one of that id."""
    try:
        instance.create_run(
            job_name=job.name,
            run_id=run_id,
            run_config=run_config,
            status=None,
            tags={**job.run_tags, **tags, REPOSITORY_LABEL_TAG: origins.label},
            root_run_id=None,
            parent_run_id=None,
            step_keys_to_execute=plan.step_keys_to_execute,
            execution_plan_snapshot=plan,
            job_snapshot=job.get_job_snapshot(),
            parent_job_snapshot=job.get_parent_job_snapshot(),
            asset_selection=None,
            asset_check_selection=None,
            resolved_op_selection=None,
            op_selection=None,
            remote_job_origin=origins.remote.get_job_origin(job.name),
            job_code_origin=JobPythonOrigin(job.name, origins.python),
            asset_graph=job.asset_layer.asset_graph,
        )
    except DagsterRunAlreadyExists:
        return False
    return True


def enqueue(instance: DagsterInstance, run_id: str) -> None:
    """Hands a run to the queue, whose daemon starts it. One that is there already stays as it is."""
    no_workspace: Any = None  # the queue asks for none
    instance.submit_run(run_id, no_workspace)


def has_queue(instance: DagsterInstance) -> bool:
    """Whether runs wait for the daemon, rather than start at once in a workspace that this process lacks."""
    return isinstance(instance.run_coordinator, QueuedRunCoordinator)


__all__ = [
    "ExecutionPlanSnapshot",
    "Origins",
    "create_run",
    "enqueue",
    "has_queue",
    "origins_here",
    "origins_in_workspace",
    "plan_of",
]
