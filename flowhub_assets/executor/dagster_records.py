"""A run that this process carries out by itself and tells Dagster of afterwards: written against Dagster 1.13.

Dagster's own engine runs the job, so that its events are those of any run of it; they are kept back, and written into
Dagster's storage later, with the times at which they happened.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from typing import Any
from weakref import WeakKeyDictionary

from dagster import (
    DagsterInstance,
    DagsterRun,
    DagsterRunStatus,
    EventLogEntry,
    InitLoggerContext,
    InitResourceContext,
    JobDefinition,
    ResourceDefinition,
    logger,
)
from dagster._core.definitions.job_base import InMemoryJob
from dagster._core.events import EVENT_TYPE_TO_PIPELINE_RUN_STATUS, DagsterEventType
from dagster._core.execution.api import ExecuteRunWithPlanIterable, create_execution_plan, job_execution_iterator
from dagster._core.execution.context_creation_job import (
    PlanOrchestrationContextManager,
    orchestration_context_event_generator,
)
from dagster._serdes import deserialize_value, serialize_value
from dagster._time import datetime_from_timestamp
from typing_extensions import override

from flowhub_assets.executor.event_batch import batched_events
from flowhub_assets.executor.hybrid import hybrid_executor

#: Laid over the run config of such a run: no cluster is asked; nothing is printed.
_LOCAL: dict[str, Any] = {"execution": {"config": {"step_handler": {"local": {}}}}}
#: Different configs of one resource whose objects are kept.
_MOST_MADE = 100
_SILENT: dict[str, Any] = {"loggers": {"silent": {}}}


@logger
def _silent(_context: InitLoggerContext) -> logging.Logger:
    """In the place of Dagster's console logger, which sets up the loggers of the whole process for each run."""
    return logging.Logger("flowhub.silent", logging.CRITICAL + 1)  # noqa: LOG001 - known to nobody else


class RecordingInstance(DagsterInstance):
    """An instance whose runs leave nothing in its storage: what they tell is given to whoever runs them."""

    def __init__(self, instance: DagsterInstance, *, plain: Sequence[type[Any]] = ()) -> None:
        """``plain`` are classes of resources that are nothing but their config: one object serves many runs."""
        # Not by DagsterInstance's own __init__: its parts are registered with ``instance``, and stay its.
        vars(self).update(vars(instance))
        vars(self).pop("run_domain", None)
        self._event_storage: Any = _ReadOnly(instance.event_log_storage)
        self._settings = {**dict(instance._settings), "telemetry": {"enabled": False}}
        self._plain = tuple(plain)
        self._told: dict[str, list[EventLogEntry]] = {}
        self._runs_here: dict[str, DagsterRun] = {}
        self._silent_jobs: WeakKeyDictionary[JobDefinition, JobDefinition] = WeakKeyDictionary()

    def run(self, job: JobDefinition, run: DagsterRun) -> list[EventLogEntry]:
        """Runs the job to its end in this thread and threads beside it; all that the run tells, in order.

        A step that fails is told, not raised. Raises what Dagster says of run config that does not fit.
        """
        silent = self._silent_jobs.get(job)
        if silent is None:
            quick = {key: _made_once(one, self._plain) for key, one in job.resource_defs.items()}
            silent = self._silent_jobs[job] = job._copy(logger_defs={"silent": _silent}, resource_defs=quick)
        plan = create_execution_plan(silent, run_config=run.run_config)
        around = PlanOrchestrationContextManager(
            context_event_generator=orchestration_context_event_generator,
            job=InMemoryJob(silent),
            execution_plan=plan,
            run_config=run.run_config,
            dagster_run=run,
            instance=self,
            raise_on_error=False,
        )
        told = self._told[run.run_id] = []
        self._runs_here[run.run_id] = run
        try:
            for _ in ExecuteRunWithPlanIterable(plan, job_execution_iterator, around):
                pass
        finally:
            del self._told[run.run_id], self._runs_here[run.run_id]
        return told

    @override
    def handle_new_event(self, event: EventLogEntry, *, batch_metadata: Any = None) -> None:
        with suppress(KeyError):  # a thread that was given up may still speak when its run is over
            self._told[event.run_id].append(event)

    @override
    def get_run_by_id(self, run_id: str) -> DagsterRun | None:
        return self._runs_here.get(run_id) or super().get_run_by_id(run_id)

    @override
    def get_yaml_python_handlers(self) -> list[logging.Handler]:
        return []  # Dagster closes all handlers of the process to make these: no thread may be logging meanwhile

    @property
    @override
    def managed_python_loggers(self) -> list[str]:
        return []  # what else this process logs is not the run's

    @property
    @override
    def is_persistent(self) -> bool:
        return False  # no other process could take up such a run


def _made_once(definition: ResourceDefinition, plain: tuple[type[Any], ...]) -> ResourceDefinition:
    """The resource with its object made once for each config: Dagster makes five, and works out their schemas."""
    kind: Any = getattr(definition, "configurable_resource_cls", None)
    if kind not in plain:
        return definition
    made: dict[str, Any] = {}

    def make(context: InitResourceContext) -> Any:
        config = dict(context.resource_config or {})
        key = json.dumps(config, sort_keys=True)
        if key not in made and len(made) < _MOST_MADE:
            made[key] = kind(**config)
        return made.get(key) or kind(**config)

    return ResourceDefinition(make, config_schema=definition.config_schema, description=definition.description)


class _ReadOnly:
    """An event log storage, for reading; no writer of batches knows it."""

    def __init__(self, storage: Any) -> None:
        self._storage = storage

    def __getattr__(self, name: str) -> Any:
        return getattr(self._storage, name)


def run_of(job: JobDefinition, run_id: str, run_config: Mapping[str, Any], tags: Mapping[str, str]) -> DagsterRun:
    """A run of the job as its steps here see it."""
    here = {**_SILENT, **(_LOCAL if job.executor_def.name == hybrid_executor.name else {})}
    return DagsterRun(
        job_name=job.name,
        run_id=run_id,
        run_config={**run_config, **here},
        status=DagsterRunStatus.NOT_STARTED,
        tags={**job.run_tags, **tags},
    )


def has_succeeded(events: Sequence[EventLogEntry]) -> bool:
    """Whether a run that has told all this has ended well. Raises RuntimeError if it has not told its end."""
    for event in reversed(events):
        told = event.dagster_event
        if (
            told is not None
            and told.event_type in EVENT_TYPE_TO_PIPELINE_RUN_STATUS
            and told.event_type is not DagsterEventType.RUN_START
        ):
            return told.is_job_success
    raise RuntimeError(f"a run has told {len(events)} events and not its end")


def text_of_events(events: Sequence[EventLogEntry]) -> list[str]:
    """Each event as Dagster's storages write it."""
    return [serialize_value(event) for event in events]


def events_of_text(texts: Sequence[str]) -> list[EventLogEntry]:
    """What ``text_of_events`` wrote."""
    return [deserialize_value(text, EventLogEntry) for text in texts]


@contextmanager
def writing(instance: DagsterInstance, run_ids: Sequence[str]) -> Iterator[None]:
    """While inside, what ``write_events`` writes of these runs goes into few transactions."""
    with ExitStack() as stack:
        for run_id in run_ids:
            stack.enter_context(batched_events(instance, run_id))
        yield


def write_events(instance: DagsterInstance, events: Sequence[EventLogEntry]) -> None:
    """Writes all that a run has told; its status follows. The last of it, which ends the run, is written last."""
    for event in events:
        instance.handle_new_event(event)


def is_written(instance: DagsterInstance, run_id: str, events: Sequence[EventLogEntry]) -> bool:
    """Whether somebody has written all of that before; if so, its status follows, too."""
    last = serialize_value(events[-1])
    if not any(serialize_value(entry) == last for entry in reversed(instance.all_logs(run_id))):
        return False
    _settle(instance, events)
    return True


def take_away(instance: DagsterInstance, run_id: str) -> None:
    """Undoes what somebody who was killed has written of a run."""
    # The run last: as long as it is there, whoever comes next knows that there may be events of it.
    instance.event_log_storage.delete_events(run_id)
    instance.run_storage.delete_run(run_id)


def _settle(instance: DagsterInstance, events: Sequence[EventLogEntry]) -> None:
    """The run's status: that of its events, which are there."""
    for event in events:
        told = event.dagster_event
        if told is not None and told.is_job_event:
            instance.run_storage.handle_run_event(event.run_id, told, datetime_from_timestamp(event.timestamp))
