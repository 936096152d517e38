"""What the executor takes from Dagster's private modules, in one place: written against Dagster 1.13.

The public API has the executor's frame (ExecutorDefinition, Executor) but neither the state machine of a plan,
nor the contexts in which a step runs, nor the step handlers. A new version of Dagster is tried here first. Its
event log storages are in dagster_storages.py: they bring SQLAlchemy, which only a run needs.
"""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dagster import OpExecutionContext
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
from dagster._core.launcher import CheckRunHealthResult, WorkerStatus
from dagster._core.log_manager import DagsterLogHandler, DagsterLogManager
from dagster._core.pipes.context import build_external_execution_context_data
from dagster._core.storage.cloud_storage_compute_log_manager import CloudStorageComputeLogManager
from dagster._core.storage.compute_log_manager import CapturedLogContext, ComputeIOType, ComputeLogManager
from dagster._core.storage.local_compute_log_manager import LocalComputeLogManager
from dagster._utils.error import serializable_error_info_from_exc_info
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


def error_info(error: BaseException) -> SerializableErrorInfo:
    """An exception as an event holds it."""
    if error.__traceback__ is None:  # made to be told, never raised
        return SerializableErrorInfo.from_traceback(traceback.TracebackException.from_exception(error))
    return serializable_error_info_from_exc_info((type(error), error, error.__traceback__))


__all__ = [
    "ASSET_CHECK_EVENTS",
    "ASSET_EVENTS",
    "EVENT_TYPE_TO_PIPELINE_RUN_STATUS",
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
    "mark_complete",
    "new_file_key",
    "pipes_context_data",
    "resource_initialization_manager",
    "serializable_error_info_from_exc_info",
]
