"""What the executor takes from Dagster's private modules, in one place: written against Dagster 1.13.

The public API has the executor's frame (ExecutorDefinition, Executor) but neither the state machine of a plan,
nor the contexts in which a step runs, nor the step handlers. A new version of Dagster is tried here first. Its
event log storages are in dagster_storages.py: they bring SQLAlchemy, which only a run needs.
"""

from __future__ import annotations

import os
import sys
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dagster import DagsterRun, DagsterRunStatus, JobDefinition, OpExecutionContext
from dagster._config.pythonic_config import IAttachDifferentObjectToOpContext
from dagster._core.definitions.composition import MappedInputPlaceholder
from dagster._core.definitions.dependency import DynamicCollectDependencyDefinition
from dagster._core.definitions.reconstruct import ReconstructableJob
from dagster._core.definitions.scoped_resources_builder import ScopedResourcesBuilder
from dagster._core.errors import DagsterExecutionInterruptedError
from dagster._core.events import (
    ASSET_CHECK_EVENTS,
    ASSET_EVENTS,
    EVENT_TYPE_TO_PIPELINE_RUN_STATUS,
    DagsterEvent,
    EngineEventData,
)
from dagster._core.events.log import EventLogEntry
from dagster._core.execution.compute_logs import create_compute_log_file_key
from dagster._core.execution.context.system import (
    PlanExecutionContext,
    PlanOrchestrationContext,
    StepExecutionContext,
)
from dagster._core.execution.context_creation_job import PlanExecutionContextManager
from dagster._core.execution.plan.active import ActiveExecution
from dagster._core.execution.plan.execute_plan import _trigger_hook as hook_events
from dagster._core.execution.plan.execute_plan import dagster_event_sequence_for_step
from dagster._core.execution.plan.instance_concurrency_context import InstanceConcurrencyContext
from dagster._core.execution.plan.objects import ErrorSource, StepFailureData
from dagster._core.execution.plan.plan import ExecutionPlan
from dagster._core.execution.plan.state import KnownExecutionState
from dagster._core.execution.plan.step import ExecutionStep, IExecutionStep
from dagster._core.execution.resources_init import (
    get_required_resource_keys_for_step,
    get_transitive_required_resource_keys,
    resource_initialization_manager,
)
from dagster._core.execution.retries import RetryMode, get_retries_config
from dagster._core.execution.step_dependency_config import StepDependencyConfig, get_step_dependency_config_field
from dagster._core.execution.tags import get_tag_concurrency_limits_config
from dagster._core.executor.step_delegating import (
    CheckStepHealthResult,
    StepDelegatingExecutor,
    StepHandler,
    StepHandlerContext,
)
from dagster._core.instance import DagsterInstance
from dagster._core.launcher import CheckRunHealthResult, LaunchRunContext, WorkerStatus
from dagster._core.log_manager import DagsterLogHandler, DagsterLogManager
from dagster._core.pipes.context import build_external_execution_context_data
from dagster._core.remote_origin import GrpcServerCodeLocationOrigin, ManagedGrpcPythonEnvCodeLocationOrigin
from dagster._core.storage.cloud_storage_compute_log_manager import CloudStorageComputeLogManager
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType, ComputeLogManager
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._core.storage.tags import GRPC_INFO_TAG
from dagster._serdes import deserialize_value, serialize_value
from dagster._utils import get_run_crash_explanation
from dagster._utils.error import serializable_error_info_from_exc_info
from dagster._utils.hosted_user_process import recon_job_from_origin
from dagster_pipes import PipesContextData
from dagster_shared.error import SerializableErrorInfo


def executor_config(**fields: Any) -> dict[str, Any]:
    """The config of an executor: ``fields``, and those that all of Dagster's executors have."""
    untyped: Any = (get_retries_config, get_tag_concurrency_limits_config, get_step_dependency_config_field)
    retries, tag_limits, dependencies = (make() for make in untyped)
    shared = {"retries": retries, "tag_concurrency_limits": tag_limits, "step_dependency_config": dependencies}
    return {**fields, **shared}


def failure_data(error: SerializableErrorInfo, source: ErrorSource) -> StepFailureData:
    """What a step's failure event says."""
    make: Any = StepFailureData
    data: StepFailureData = make(error=error, user_failure_data=None, error_source=source)
    return data


def pipes_context_data(context: OpExecutionContext) -> PipesContextData:
    """What dagster_pipes in another process finds as its context."""
    return build_external_execution_context_data(context, None)


def new_file_key() -> str:
    """The last part of a compute log's key."""
    make: Any = create_compute_log_file_key
    return str(make())


def mark_complete(manager: LocalComputeLogManager, log_key: Sequence[str]) -> None:
    """Whoever follows the compute log is told that nothing more will come."""
    path: Any = manager.complete_artifact_path
    Path(path(log_key)).touch()


def dagster_command() -> Callable[[Sequence[str]], object]:
    """The command ``dagster``, to be called with its arguments; it ends the process."""
    from dagster._cli import cli

    command: Callable[[Sequence[str]], object] = cli
    return command


def worker_health(status: WorkerStatus, why: str | None = None) -> CheckRunHealthResult:
    """What a launcher tells of a run's worker, and why where it is not well."""
    make: Any = CheckRunHealthResult
    health: CheckRunHealthResult = make(status, why)
    return health


def run_arguments(run: DagsterRun, instance: DagsterInstance) -> str:
    """What ``dagster api execute_run`` is given for that run. Raises ValueError for one that tells of no code."""
    from dagster._grpc.types import ExecuteRunArgs

    if run.job_code_origin is None:
        raise ValueError(f"run {run.run_id} does not tell where its code is")
    return serialize_value(ExecuteRunArgs(run.job_code_origin, run.run_id, instance.get_ref()))


def job_of(arguments: str) -> JobDefinition:
    """The job of such a run, loaded here. Raises whatever its code raises."""
    from dagster._grpc.types import ExecuteRunArgs

    job: JobDefinition = recon_job_from_origin(deserialize_value(arguments, ExecuteRunArgs).job_origin).get_definition()
    return job


def report_crash(arguments: str, pid: int, status: int) -> None:
    """Fails such a run, whose process ended with ``status`` (negative: by that signal), unless it is over."""
    from dagster._grpc.types import ExecuteRunArgs

    given = deserialize_value(arguments, ExecuteRunArgs)
    assert given.instance_ref is not None
    with DagsterInstance.from_ref(given.instance_ref) as instance:
        run = instance.get_run_by_id(given.run_id)
        if run is None or run.is_finished:
            return
        instance.report_engine_event(get_run_crash_explanation(f"The run's worker (pid: {pid})", status), run)
        if run.status is DagsterRunStatus.CANCELING:
            instance.report_run_canceled(run)
        else:
            instance.report_run_failed(run)


def is_served_here(run: DagsterRun) -> bool:
    """Whether the code of the run is served on this machine by this Python, as ``dagster dev`` and its like do.

    A code server behind a port may be anywhere, and has an environment of its own.
    """
    code, remote = run.job_code_origin, run.remote_job_origin
    if code is None or remote is None or code.repository_origin.container_image:
        return False
    location = remote.repository_origin.code_location_origin
    has_socket = isinstance(location, GrpcServerCodeLocationOrigin) and location.socket is not None
    if not has_socket and not isinstance(location, ManagedGrpcPythonEnvCodeLocationOrigin):
        return False
    return os.path.realpath(code.repository_origin.executable_path) == os.path.realpath(sys.executable)


def error_info(error: BaseException) -> SerializableErrorInfo:
    """An exception as an event holds it."""
    if error.__traceback__ is None:  # made to be told, never raised
        return SerializableErrorInfo.from_traceback(traceback.TracebackException.from_exception(error))
    return serializable_error_info_from_exc_info((type(error), error, error.__traceback__))


__all__ = [
    "ASSET_CHECK_EVENTS",
    "ASSET_EVENTS",
    "EVENT_TYPE_TO_PIPELINE_RUN_STATUS",
    "GRPC_INFO_TAG",
    "ActiveExecution",
    "CapturedLogContext",
    "CheckRunHealthResult",
    "CheckStepHealthResult",
    "CloudStorageComputeLogManager",
    "ComputeIOType",
    "ComputeLogManager",
    "DagsterEvent",
    "DagsterExecutionInterruptedError",
    "DagsterInstance",
    "DagsterLogHandler",
    "DagsterLogManager",
    "DynamicCollectDependencyDefinition",
    "EngineEventData",
    "ErrorSource",
    "EventLogEntry",
    "ExecutionPlan",
    "ExecutionStep",
    "IAttachDifferentObjectToOpContext",
    "IExecutionStep",
    "InstanceConcurrencyContext",
    "KnownExecutionState",
    "LaunchRunContext",
    "LocalComputeLogManager",
    "MappedInputPlaceholder",
    "PlanExecutionContext",
    "PlanExecutionContextManager",
    "PlanOrchestrationContext",
    "ReconstructableJob",
    "RetryMode",
    "ScopedResourcesBuilder",
    "SerializableErrorInfo",
    "StepDelegatingExecutor",
    "StepDependencyConfig",
    "StepExecutionContext",
    "StepHandler",
    "StepHandlerContext",
    "WorkerStatus",
    "dagster_command",
    "dagster_event_sequence_for_step",
    "error_info",
    "executor_config",
    "failure_data",
    "get_required_resource_keys_for_step",
    "get_transitive_required_resource_keys",
    "hook_events",
    "is_served_here",
    "job_of",
    "mark_complete",
    "new_file_key",
    "pipes_context_data",
    "report_crash",
    "resource_initialization_manager",
    "run_arguments",
    "serializable_error_info_from_exc_info",
    "worker_health",
]
