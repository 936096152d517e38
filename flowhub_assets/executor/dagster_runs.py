"""What makes a run that Dagster's daemon starts, from Dagster's private modules: written against Dagster 1.13.

Dagster's webserver does the same when somebody presses Launch; it has the job from a code server, this process has it
itself. Imported by a server or a command that starts runs, never by a step.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dagster import DagsterEvent, DagsterInstance, DagsterRun, JobDefinition
from dagster._api.list_repositories import sync_list_repositories_grpc
from dagster._core.code_pointer import CodePointer, FileCodePointer, ModuleCodePointer
from dagster._core.errors import DagsterRunAlreadyExists
from dagster._core.event_api import EventLogCursor
from dagster._core.execution.api import create_execution_plan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.origin import DEFAULT_DAGSTER_ENTRY_POINT, JobPythonOrigin, RepositoryPythonOrigin
from dagster._core.remote_origin import (
    CodeLocationOrigin,
    GrpcServerCodeLocationOrigin,
    ManagedGrpcPythonEnvCodeLocationOrigin,
    RemoteRepositoryOrigin,
)
from dagster._core.run_coordinator import QueuedRunCoordinator
from dagster._core.snap import ExecutionPlanSnapshot, snapshot_from_execution_plan
from dagster._core.storage.compute_log_manager import ComputeIOType
from dagster._core.storage.tags import (
    PARENT_RUN_ID_TAG,
    REPOSITORY_LABEL_TAG,
    RESUME_RETRY_TAG,
    ROOT_RUN_ID_TAG,
    TAGS_TO_MAYBE_OMIT_ON_RETRY,
)
from dagster._core.types.loadable_target_origin import LoadableTargetOrigin
from dagster._core.workspace.load_target import WorkspaceFileTarget

from flowhub_assets.errors import InputError

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


def location_in_workspace(path: Path, location: str | None) -> CodeLocationOrigin:
    """The code location of that name, or the only one, in a workspace.yaml. Raises InputError."""
    try:
        found = {str(one.location_name): one for one in WorkspaceFileTarget([str(path)]).create_origins()}
    except Exception as error:  # noqa: BLE001 - it is anybody's file: YAML's errors, Dagster's, Python's
        raise InputError(
            f"it is no workspace: {str(error).splitlines()[0]}",
            where=path,
            effect="No run can be started.",
            remedy="Name the workspace.yaml of Dagster's webserver and daemon.",
        ) from None
    if location is None and len(found) == 1:
        return next(iter(found.values()))
    if location in found:
        return found[location]
    what = f"there is no code location {location!r}" if location else f"it has {len(found)} code locations"
    raise InputError(
        what, where=path, effect="No run can be started.", remedy=f"Name one of them: {', '.join(sorted(found))}."
    )


def origins_of(origin: CodeLocationOrigin) -> Origins:
    """Where the jobs of that code location are; its code server is asked, where it has one.

    Raises what Dagster raises where that does not answer.
    """
    if isinstance(origin, GrpcServerCodeLocationOrigin):
        return _served(origin)
    if not isinstance(origin, ManagedGrpcPythonEnvCodeLocationOrigin):
        raise InputError(
            f"the code location {origin.location_name} is a {type(origin).__name__}",
            effect="No run can be started.",
            remedy="Name a grpc_server, a python_module or a python_file.",
        )
    target = origin.loadable_target_origin
    attribute, folder = target.attribute or "defs", target.working_directory
    if target.python_file:
        return _managed(origin, FileCodePointer(target.python_file, attribute, folder))
    return _managed(origin, ModuleCodePointer(str(target.module_name), attribute, folder))


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
    again: DagsterRun | None = None,
    leave_out: Collection[str] = (),
) -> bool:
    """Puts a run into Dagster's storage, not yet queued. False if there is one of that id.

    It has ``tags`` and the job's own, but for those whose keys are in ``leave_out``. ``again`` is the run that it takes
    up again; ``plan`` then is the one of ``plan_again``.
    """
    job_tags = {key: value for key, value in job.run_tags.items() if key not in leave_out}
    try:
        instance.create_run(
            job_name=job.name,
            run_id=run_id,
            run_config=run_config,
            status=None,
            tags={**job_tags, **tags, REPOSITORY_LABEL_TAG: origins.label},
            root_run_id=(again.root_run_id or again.run_id) if again is not None else None,
            parent_run_id=again.run_id if again is not None else None,
            step_keys_to_execute=plan.step_keys_to_execute,
            execution_plan_snapshot=plan,
            job_snapshot=job.get_job_snapshot(),
            parent_job_snapshot=job.get_parent_job_snapshot(),
            asset_selection=again.asset_selection if again is not None else None,
            asset_check_selection=again.asset_check_selection if again is not None else None,
            resolved_op_selection=None,
            op_selection=None,
            remote_job_origin=origins.remote.get_job_origin(job.name),
            job_code_origin=JobPythonOrigin(job.name, origins.python),
            asset_graph=job.asset_layer.asset_graph,
        )
    except DagsterRunAlreadyExists:
        return False
    return True


def part_of(job: JobDefinition, run: DagsterRun) -> JobDefinition:
    """The job with the assets alone that ``run`` was about: all, or those that somebody chose in the UI."""
    if run.asset_selection is None and run.asset_check_selection is None:
        return job
    return job.get_subset(asset_selection=run.asset_selection, asset_check_selection=run.asset_check_selection)


def plan_again(
    instance: DagsterInstance, job: JobDefinition, run: DagsterRun, *, from_failure: bool, step_keys: Sequence[str]
) -> ExecutionPlanSnapshot | None:
    """The plan of a run that takes up ``run`` again: what failed or never ran, or chosen steps, or, without, all.

    None where nothing of it is left to do. Values of other steps come from ``run`` and from those before it.
    """
    keys: Sequence[str] | None = None
    known: KnownExecutionState | None = None
    if from_failure:
        keys, known = KnownExecutionState.build_resume_retry_reexecution(instance, run)
        if not keys:
            return None
    elif step_keys:
        keys = step_keys
        known = KnownExecutionState.build_for_reexecution(instance, run).update_for_step_selection(step_keys)
    plan = create_execution_plan(job, run_config=run.run_config, step_keys_to_execute=keys, known_state=known)
    return snapshot_from_execution_plan(plan, job.get_job_snapshot_id())


def tags_again(run: DagsterRun, *, from_failure: bool) -> dict[str, str]:
    """The tags of a run that takes up ``run`` again: its tags that are not about its own end, and whose it is."""
    kept = {
        key: value
        for key, value in run.tags.items()
        if key not in TAGS_TO_MAYBE_OMIT_ON_RETRY and not key.startswith(".dagster/")
    }
    resumed = {RESUME_RETRY_TAG: "true"} if from_failure else {}
    return {**kept, PARENT_RUN_ID_TAG: run.run_id, ROOT_RUN_ID_TAG: run.root_run_id or run.run_id, **resumed}


def step_dependencies(plan: ExecutionPlanSnapshot) -> dict[str, set[str]]:
    """Each step of a plan → the steps that it waits for itself."""
    return {
        step.key: {handle.step_key for one in step.inputs for handle in one.upstream_output_handles}
        for step in plan.steps
    }


def position_of(storage_id: int) -> str:
    """Dagster's own cursor behind one record of a run's event log."""
    return EventLogCursor.from_storage_id(storage_id).to_string()


def captured_in(event: DagsterEvent) -> tuple[str, Sequence[str]]:
    """What a LOGS_CAPTURED event says: the last part of the key under which the lines lie, and whose they are."""
    data: Any = event.event_specific_data
    return data.file_key, data.step_keys


def read_captured(
    instance: DagsterInstance, run_id: str, file_key: str, stream: str, offset: int, most: int
) -> tuple[bytes, bool]:
    """The next bytes that a step has printed, ``most`` at most; whether it will print no more.

    ``stream`` is stdout or stderr. A step that still runs is read as far as it has come.
    """
    manager = instance.compute_log_manager
    log_key = manager.build_log_key_for_run(run_id, file_key)
    complete = manager.is_capture_complete(log_key)
    data, _ = manager.get_log_data_for_type(log_key, ComputeIOType(stream), offset, most)
    return data or b"", complete


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
    "captured_in",
    "create_run",
    "enqueue",
    "has_queue",
    "location_in_workspace",
    "origins_here",
    "origins_of",
    "part_of",
    "plan_again",
    "plan_of",
    "position_of",
    "read_captured",
    "step_dependencies",
    "tags_again",
]
