"""Works off a run's tasks: in child processes side by side, or here, one after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from flowhub_assets.errors import RunError
from flowhub_assets.ir.pipeline import Task
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.child import Child, stop_all, wait
from flowhub_assets.runtime.outcome import TaskOutcome
from flowhub_assets.runtime.run_state import Run
from flowhub_assets.runtime.task_queue import TaskQueue

#: Seconds between two events that only say that time has passed: a display's clock.
_TICK = 0.2


@dataclass(eq=False)
class _Attempt:
    """One task on its way: begun, in ``child`` once that is forked, or waiting until ``due`` for its next attempt."""

    task: Task
    inputs: Sequence[Mapping[str, Any]]
    tries: int
    began: float
    number: int = 1
    child: Child | None = None
    due: float = 0.0
    error: RunError | None = None

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    def ended(self, state: str, **more: Any) -> TaskOutcome:
        return TaskOutcome(self.task.name, state, attempts=self.number, seconds=self.seconds, **more)


class Workers:
    """At most ``most`` tasks of a run at a time; ``here`` means in this very process, one at a time."""

    def __init__(self, run: Run, most: int, *, here: bool) -> None:
        self._run = run
        self._most = most
        self._here = here
        self._running: list[_Attempt] = []
        self._waiting: list[_Attempt] = []

    def work_off(self, queue: TaskQueue) -> None:
        """Runs tasks until none is left that may start: what is downstream of a failed one never may."""
        try:
            while self._running or queue or self._waiting:
                self._start_due(queue)
                for attempt in self._wait():
                    if self._settle(attempt):
                        queue.done(attempt.task.name)
        finally:
            self._stop()

    def run_one(self, task: Task, inputs: Sequence[Mapping[str, Any]], tries: int | None = None) -> None:
        """Runs this task alone, ``tries`` times at most (as often as its retry says if None)."""
        try:
            self._begin(task, inputs, tries)
            while self._running or self._waiting:
                for attempt in self._wait():
                    self._settle(attempt)
                if not self._running:
                    self._start_waiting()
        finally:
            self._stop()

    def _start_due(self, queue: TaskQueue) -> None:
        self._start_waiting()
        # Here, one task has run to its end before the next is taken.
        while queue and len(self._running) < self._most and not (self._here and self._running):
            task = queue.take()
            self._begin(task, self._run.inputs(task), None)

    def _start_waiting(self) -> None:
        now = time.monotonic()
        for attempt in [one for one in self._waiting if one.due <= now]:
            if len(self._running) < (1 if self._here else self._most):
                self._waiting.remove(attempt)
                self._start(attempt)

    def _begin(self, task: Task, inputs: Sequence[Mapping[str, Any]], tries: int | None) -> None:
        most = task.retry.times + 1 if tries is None else tries
        self._start(_Attempt(task, inputs, most, time.monotonic()))

    def _start(self, attempt: _Attempt) -> None:
        self._run.started(attempt.task, attempt.inputs, attempt.number)
        self._running.append(attempt)

    def _fork(self, attempt: _Attempt) -> Child:
        task = attempt.task
        on_line = None
        if self._run.on_event is not None:
            on_line = partial(_tell_line, self._run, task.name)
        call = partial(self._run.call, task, attempt.inputs)
        return Child(call, task.name, timeout=task.timeout, on_line=on_line)

    def _wait(self) -> list[_Attempt]:
        """The attempts that have ended; at most a tick later, with or without any."""
        # What is finished, and what begins now, is in the file before that runs: a killed run keeps it.
        self._run.save()
        if self._here and self._running:
            return [self._running.pop()]
        for attempt in self._running:
            attempt.child = attempt.child or self._fork(attempt)
        children = [attempt.child for attempt in self._running if attempt.child is not None]
        now = time.monotonic()
        wait(children, min([_TICK, *(max(0.0, attempt.due - now) for attempt in self._waiting)]))
        self._run.tell(told.WAITING)
        ended = [attempt for attempt in self._running if attempt.child is not None and attempt.child.finished]
        self._running = [attempt for attempt in self._running if attempt not in ended]
        return ended

    def _settle(self, attempt: _Attempt) -> bool:
        """Takes the attempt's result: True if the task has succeeded."""
        attempt.error = None
        try:
            if attempt.child is not None:
                result = attempt.child.result()
            else:
                result = self._run.call(attempt.task, attempt.inputs)
        except RunError as error:
            error.where = error.where or str(attempt.task.source)
            attempt.error = error
        except Exception as error:  # noqa: BLE001 - a class of the user's can raise while its value is looked at
            what = f"task {attempt.task.name!r} ended with {type(error).__name__}: {error}"
            attempt.error = RunError(what, where=attempt.task.source)
        if attempt.error is not None:
            self._failed(attempt)
            return False
        self._run.end(attempt.task, attempt.ended(told.SUCCEEDED, value=result.value, shown=result.shown))
        return True

    def _failed(self, attempt: _Attempt) -> None:
        if attempt.number >= attempt.tries:
            self._run.end(attempt.task, attempt.ended(told.FAILED, error=attempt.error))
            return
        delay = attempt.task.retry.delay
        self._run.tell(told.RETRYING, attempt.task.name, attempt=attempt.number + 1, seconds=delay, error=attempt.error)
        attempt.number += 1
        attempt.child = None
        attempt.due = time.monotonic() + delay
        self._waiting.append(attempt)

    def _stop(self) -> None:
        try:
            stop_all([attempt.child for attempt in self._running if attempt.child is not None])
        finally:
            self._run.save()


def _tell_line(run: Run, task: str, stream: int, line: str) -> None:
    run.tell(told.OUTPUT, task, stream=stream, line=line)
