"""The state of one local run: what has been given out, what has come back."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import nullcontext
from functools import partial
from typing import Any

from flowhub_assets.ir.pipeline import DEFAULT_PROFILE, FLOW_INPUT, Pipeline, Task
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.imports import importable
from flowhub_assets.runtime.joining import skip_reason
from flowhub_assets.runtime.outcome import Event, Outcome, TaskOutcome
from flowhub_assets.runtime.partitions import about
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.runtime.run_log import RunLog
from flowhub_assets.runtime.step import Runnable, StepResult, run_step, step_env, step_inputs
from flowhub_assets.runtime.step_context import Cancellation, StepContext, step_context
from flowhub_assets.runtime.step_log import line_logger

OnEvent = Callable[[Event], None]


class Run:
    """One run: ``outputs`` by task name, ``ended`` by task name, and the ``first_failure`` and on_failure's own end.

    ``skipped`` names the tasks that were not chosen, ``finals`` how the finally tasks ended.
    """

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
        profile = choose_profile(self.pipeline, DEFAULT_PROFILE) if profile is None else profile
        self.profile = {**about(self.pipeline, profile), **profile}
        self.run_id = run_id
        self.outputs: dict[str, Mapping[str, Any]] = dict(finished)
        self.ended: dict[str, TaskOutcome] = {}
        self.first_failure: TaskOutcome | None = None
        self.failure: TaskOutcome | None = None
        self.skipped: set[str] = set()
        self.finals: list[TaskOutcome] = []
        self._last_names = {task.name for task in self.pipeline.finally_tasks}
        self._telling = threading.Lock()
        self.on_event = on_event
        self.run_log = run_log
        self.began = time.monotonic()

    def inputs(self, task: Task) -> list[dict[str, Any]]:
        """What the task's function takes. Raises ValueMissing."""
        return step_inputs(task, self.outputs, self.flow_input, self.skipped)

    def skip_reason(self, task: Task) -> str:
        """Why a task whose upstream is settled is to be skipped; "" if it is to run."""
        return skip_reason(task, self.outputs, self.skipped)

    def call(self, task: Task, inputs: Sequence[Mapping[str, Any]], context: StepContext) -> StepResult:
        """Calls the task's body in this thread. Raises a RunError."""
        env = step_env(self.pipeline, self.profile, self.run_id, task)
        ends_run = task is self.pipeline.failure_task or task.name in self._last_names
        # Only one folder of users' modules is importable at a time: light tasks, side by side, do without.
        folder = importable(os.path.dirname(self.pipeline.source.file)) if task.run_on != "engine" else nullcontext()
        with folder, step_context(context):
            return run_step(task, self.runnable.bodies[task.name], inputs, env, ends_run=ends_run)

    def context(self, task: Task, attempt: int, cancellation: Cancellation, *, prints: bool) -> StepContext:
        """What the task's next attempt may ask about itself. Its log lines are printed, or told as its output."""
        emit = _print_line if prints or self.on_event is None else partial(self._tell_line, task.name)
        return StepContext(attempt, line_logger(emit), cancellation)

    def _tell_line(self, task: str, line: str) -> None:
        self.tell(told.OUTPUT, task, line=line)

    def tell(self, kind: str, task: str = "", **more: Any) -> None:
        """Hands an Event to whoever listens; one at a time, for light tasks tell theirs from other threads."""
        if self.on_event is not None:
            with self._telling:
                self.on_event(Event(kind, task, **more))

    def inner(self, runnable: Runnable, outputs: Mapping[str, Mapping[str, Any]], on_event: OnEvent) -> Run:
        """The run of a loop's body for one item, which may take ``outputs``; it keeps no run log."""
        listens = on_event if self.on_event is not None else None
        return Run(runnable, self.flow_input, self.profile, self.run_id, outputs, listens, None)

    def started(self, task: Task, inputs: Sequence[Mapping[str, Any]], attempt: int) -> None:
        """The task begins its next attempt."""
        if self.run_log is not None and task is not self.pipeline.failure_task:
            self.run_log.started(task, inputs)
        self.tell(told.STARTED, task.name, attempt=attempt)

    def end(self, task: Task, ended: TaskOutcome) -> None:
        """Takes in how a task ended; those of on_failure and finally are not ends of the pipeline's tasks."""
        if task is self.pipeline.failure_task:
            self.failure = ended
        elif task.name in self._last_names:
            self.finals.append(ended)
            if ended.state == told.FAILED and self.first_failure is None:
                self.first_failure = ended
        else:
            self.ended[task.name] = ended
            self._keep(ended)
        more = {"attempt": ended.attempts, "seconds": ended.seconds, "error": ended.error, "line": ended.reason}
        self.tell(ended.state, ended.task, **more)

    def _keep(self, ended: TaskOutcome) -> None:
        if ended.state == told.SKIPPED:
            self.skipped.add(ended.task)
        elif ended.value is not None:
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
            parts = [self.flow_input if name == FLOW_INPUT else self.outputs.get(name, {}) for name in results]
            value = {key: item for part in parts for key, item in part.items()}
        return Outcome(
            run_id=self.run_id,
            seconds=time.monotonic() - self.began,
            tasks=tasks,
            value=value,
            failed_task=failed.task if failed else "",
            error=failed.error if failed else None,
            failure=self.failure,
            finals=tuple(self.finals),
        )

    def _task_outcome(self, name: str) -> TaskOutcome:
        if name in self.ended:
            return self.ended[name]
        if name in self.outputs:
            return TaskOutcome(name, told.KEPT, value=dict(self.outputs[name]))
        return TaskOutcome(name, told.SKIPPED)


def _print_line(line: str) -> None:
    print(line, flush=True)
