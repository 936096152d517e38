"""The state of one local run: what has been given out, what has come back."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowhub_assets.ir.pipeline import DEFAULT_PROFILE, FLOW_INPUT, Pipeline, Task
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.imports import importable
from flowhub_assets.runtime.outcome import Event, Outcome, TaskOutcome
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.runtime.run_log import RunLog
from flowhub_assets.runtime.step import Runnable, StepResult, run_step, step_env, step_inputs

OnEvent = Callable[[Event], None]


class Run:
    """One run: ``outputs`` by task name, ``ended`` by task name, and the ``first_failure`` and on_failure's own end."""

    def __init__(
        self,
        runnable: Runnable,
        flow_input: dict[str, Any],
        profile: Mapping[str, Any] | None,
        run_id: str,
        finished: Mapping[str, Mapping[str, Any]],
        on_event: OnEvent | None,
        run_log: RunLog | None,
    ) -> None:
        self.runnable = runnable
        self.pipeline: Pipeline = runnable.pipeline
        self.flow_input = flow_input
        self.profile = choose_profile(self.pipeline, DEFAULT_PROFILE) if profile is None else profile
        self.run_id = run_id
        self.outputs: dict[str, Mapping[str, Any]] = dict(finished)
        self.ended: dict[str, TaskOutcome] = {}
        self.first_failure: TaskOutcome | None = None
        self.failure: TaskOutcome | None = None
        self.on_event = on_event
        self.run_log = run_log
        self.began = time.monotonic()

    def inputs(self, task: Task) -> list[dict[str, Any]]:
        """What the task's function takes. Raises ValueMissing."""
        return step_inputs(task, self.outputs, self.flow_input)

    def call(self, task: Task, inputs: Sequence[Mapping[str, Any]]) -> StepResult:
        """Calls the task's function in this process. Raises TaskFailed or ValueRefused."""
        env = step_env(self.pipeline, self.profile, self.run_id, task)
        with importable(os.path.dirname(self.pipeline.source.file)):
            ends_run = task is self.pipeline.failure_task
            return run_step(task, self.runnable.bodies[task.name], inputs, env, ends_run=ends_run)

    def tell(self, kind: str, task: str = "", **more: Any) -> None:
        """Hands an Event to whoever listens."""
        if self.on_event is not None:
            self.on_event(Event(kind, task, **more))

    def started(self, task: Task, inputs: Sequence[Mapping[str, Any]], attempt: int) -> None:
        """The task begins its next attempt."""
        if self.run_log is not None and task is not self.pipeline.failure_task:
            self.run_log.started(task, inputs)
        self.tell(told.STARTED, task.name, attempt=attempt)

    def end(self, task: Task, ended: TaskOutcome) -> None:
        """Takes in how a task ended; on_failure's own end is not one of the pipeline's tasks."""
        if task is self.pipeline.failure_task:
            self.failure = ended
        else:
            self.ended[task.name] = ended
            self._keep(ended)
        self.tell(ended.state, ended.task, attempt=ended.attempts, seconds=ended.seconds, error=ended.error)

    def _keep(self, ended: TaskOutcome) -> None:
        if ended.value is not None:
            self.outputs[ended.task] = ended.value
            if self.run_log is not None:
                self.run_log.succeeded(ended.task, ended.value)
        elif self.first_failure is None:
            self.first_failure = ended

    def save(self) -> None:
        """Brings the run log up to date, if there is one."""
        if self.run_log is not None:
            self.run_log.flush()

    def outcome(self, only: str | None) -> Outcome:
        """What the run has come to; with ``only``, the value is that task's."""
        tasks = {task.name: self._task_outcome(task.name) for task in self.pipeline.tasks}
        failed = self.first_failure
        value = None
        if failed is None:
            results = (only,) if only else self.pipeline.result
            parts = [self.flow_input if name == FLOW_INPUT else self.outputs[name] for name in results]
            value = {key: item for part in parts for key, item in part.items()}
        return Outcome(
            run_id=self.run_id,
            seconds=time.monotonic() - self.began,
            tasks=tasks,
            value=value,
            failed_task=failed.task if failed else "",
            error=failed.error if failed else None,
            failure=self.failure,
        )

    def _task_outcome(self, name: str) -> TaskOutcome:
        if name in self.ended:
            return self.ended[name]
        if name in self.outputs:
            return TaskOutcome(name, told.KEPT, value=dict(self.outputs[name]))
        return TaskOutcome(name, told.SKIPPED)
