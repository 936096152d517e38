"""Runs a whole pipeline on this machine: the reference for what any other runner must give."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from flowhub_assets.errors import InputError, ValueRefused
from flowhub_assets.ir.pipeline import DEFAULT_PROFILE, FLOW_INPUT, Pipeline, Task
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.imports import importable
from flowhub_assets.runtime.json_form import to_json_form
from flowhub_assets.runtime.outcome import Event, Outcome, TaskOutcome
from flowhub_assets.runtime.processes import Workers
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.runtime.run_log import RunLog
from flowhub_assets.runtime.step import Runnable, StepResult, failure_args, run_step, step_env, step_inputs
from flowhub_assets.runtime.task_queue import TaskQueue

OnEvent = Callable[[Event], None]


def new_run_id() -> str:
    """A run id that no other run has; ids sort by the time they were made (UTC)."""
    now = time.time()
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{int(now % 1 * 1000):03d}-{os.urandom(3).hex()}"


def run_pipeline(
    runnable: Runnable,
    flow_input: Mapping[str, Any] | None = None,
    *,
    profile: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    finished: Mapping[str, Mapping[str, Any]] | None = None,
    only: str | None = None,
    inputs: Sequence[Mapping[str, Any]] | None = None,
    workers: int | None = None,
    in_process: bool = False,
    on_event: OnEvent | None = None,
    run_log: RunLog | None = None,
) -> Outcome:
    """Runs the pipeline's tasks, those that do not depend on each other side by side, each in its own process.

    ``flow_input`` is what the flow itself is given, over the defaults of its params. ``profile`` holds the
    values of the chosen profile (the default one if None). ``finished`` maps tasks that are not to be run
    again to their outputs. ``only`` names the one task to run, on ``inputs`` (one dict per parameter) or on
    the outputs in ``finished``; on_failure is not called for it. At most ``workers`` tasks run at a time (the
    number of cores, at least 4). ``in_process`` runs all in this process instead, one after the other: a
    debugger works, a timeout does not. ``on_event`` hears of everything, also of each line that a task
    prints; without it that goes to this process's own output. ``run_log`` is kept up to date.

    Once a task has failed for good, what needs it is not run, all else is, as in Dagster and Airflow; then
    on_failure is called once. A failed task is told in the Outcome, not raised. Raises ValueMissing, InputError,
    ProfileError. KeyboardInterrupt, or whatever else interrupts, stops all processes first.
    """
    given = _checked_input({**runnable.pipeline.params, **(flow_input or {})})
    run = _Run(runnable, given, profile, run_id or new_run_id(), finished or {}, on_event, run_log)
    workers_of_run = Workers(run, workers or max(4, _cores()), here=in_process or not hasattr(os, "fork"))
    if only is None:
        workers_of_run.work_off(TaskQueue(runnable.pipeline, run.outputs))
        _call_on_failure(run, workers_of_run)
    else:
        task = runnable.pipeline.task(only)
        workers_of_run.run_one(task, inputs if inputs is not None else run.inputs(task))
    run.save()
    return run.outcome(only)


class _Run:
    """The state of one run: what has been given out, what has come back."""

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
        return step_inputs(task, self.outputs, self.flow_input)

    def call(self, task: Task, inputs: Sequence[Mapping[str, Any]]) -> StepResult:
        env = step_env(self.pipeline, self.profile, self.run_id, task)
        with importable(os.path.dirname(self.pipeline.source.file)):
            return run_step(task, self.runnable.bodies[task.name], inputs, env)

    def tell(self, kind: str, task: str = "", **more: Any) -> None:
        if self.on_event is not None:
            self.on_event(Event(kind, task, **more))

    def started(self, task: Task, inputs: Sequence[Mapping[str, Any]], attempt: int) -> None:
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
        if self.run_log is not None:
            self.run_log.flush()

    def outcome(self, only: str | None) -> Outcome:
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


def _call_on_failure(run: _Run, workers: Workers) -> None:
    failed, task = run.first_failure, run.pipeline.failure_task
    if failed is None or failed.error is None:
        return
    for one in run.outcome(None).tasks.values():
        if one.state == told.SKIPPED:
            run.tell(told.SKIPPED, one.task)
    if task is not None:
        run.save()
        workers.run_one(task, [failure_args(run.flow_input, failed.task, failed.error)], tries=1)


def _checked_input(flow_input: dict[str, Any]) -> dict[str, Any]:
    try:
        return to_json_form(flow_input, "$args")
    except ValueRefused as error:
        what = error.what.replace("task '$args' returned", "the flow's input holds").replace(" at result", " at args")
        raise InputError(what, effect=error.effect, remedy=error.remedy) from None


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
