"""Works off a run's tasks: in child processes and threads side by side, or here, one after the other."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any, Callable

from flowhub_assets.errors import RunError
from flowhub_assets.ir.pipeline import Task
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.check import blocked
from flowhub_assets.runtime.child import Child, run_in_child, stop_all, wait
from flowhub_assets.runtime.json_form import to_json_form
from flowhub_assets.runtime.light_call import Bell, LightCall, stop_calls
from flowhub_assets.runtime.loops import at_a_time, body_of, loop_items, run_items
from flowhub_assets.runtime.outcome import Event, TaskOutcome
from flowhub_assets.runtime.preload import preload
from flowhub_assets.runtime.retrying import retry_delay, worth_retry
from flowhub_assets.runtime.run_state import Run
from flowhub_assets.runtime.step import Runnable, StepResult, error_value
from flowhub_assets.runtime.step_context import Cancellation
from flowhub_assets.runtime.task_queue import TaskQueue

#: Seconds between two events that only say that time has passed: a display's clock.
_TICK = 0.2
#: The most light tasks at a time: they wait for other machines rather than for this one.
_MOST_LIGHT = 128
#: Seconds that light tasks have to end by themselves when the run is stopped.
_LIGHT_GRACE = 0.8


@dataclass(eq=False)
class _Attempt:
    """One task on its way: begun, in ``call`` once that is started, or waiting until ``due`` for its next attempt."""

    task: Task
    inputs: Sequence[Mapping[str, Any]]
    tries: int
    began: float
    number: int = 1
    call: Child | LightCall | None = None
    due: float = 0.0
    error: RunError | None = None
    cancellation: Cancellation = field(default_factory=Cancellation)
    #: Whether its list is made: from there on, what is tried again is an item, not the whole loop.
    looping: bool = False

    @property
    def seconds(self) -> float:
        return time.monotonic() - self.began

    @property
    def in_thread(self) -> bool:
        """A loop only waits for its iterations, each of which is run as its own tasks want."""
        return self.task.run_on == "engine" or self.task.loop is not None

    def ended(self, state: str, **more: Any) -> TaskOutcome:
        return TaskOutcome(self.task.name, state, attempts=self.number, seconds=self.seconds, **more)


class Workers:
    """At most ``most`` tasks of a run at a time, and light ones beside them; ``here``: one at a time, in this thread.

    ``inside`` is the cancellation of what the run is a part of: it ends the work early, and a light task that has
    nothing beside it then needs no thread of its own.
    """

    def __init__(self, run: Run, most: int, *, here: bool, inside: Cancellation | None = None) -> None:
        self._run = run
        self._most = most
        self._here = here
        self._inside = inside
        self._running: list[_Attempt] = []
        self._waiting: list[_Attempt] = []
        self._bell: Bell | None = None

    def work_off(self, queue: TaskQueue) -> None:
        """Runs tasks until none is left that may start: what is downstream of a failed one never may."""
        try:
            while (self._running or queue or self._waiting) and not self._stopped():
                self._start_due(queue)
                for attempt in self._lone(queue) or (self._wait() if self._running or self._waiting else ()):
                    if self._settle(attempt):
                        queue.done(attempt.task.name)
        finally:
            self._stop()

    def run_one(self, task: Task, inputs: Sequence[Mapping[str, Any]], tries: int | None = None) -> None:
        """Runs this task alone, ``tries`` times at most (as often as its retry says if None)."""
        try:
            self._begin(task, inputs, tries)
            while (self._running or self._waiting) and not self._stopped():
                for attempt in self._wait():
                    self._settle(attempt)
                if not self._running:
                    self._start_waiting()
        finally:
            self._stop()

    def _stopped(self) -> bool:
        return self._inside is not None and self._inside.is_set()

    def _lone(self, queue: TaskQueue) -> list[_Attempt]:
        """The only attempt there is, taken out to be called in this thread, whose own cancellation stops it."""
        if self._inside is None or queue or self._waiting or len(self._running) != 1:
            return []
        attempt = self._running[0]
        if attempt.call is not None or not attempt.in_thread:
            return []
        attempt.cancellation = self._inside
        return [self._running.pop()]

    def _start_due(self, queue: TaskQueue) -> None:
        self._start_waiting()
        # Here, one task has run to its end before the next is taken.
        while queue and not (self._here and self._running) and self._has_room():
            task = queue.take()
            reason = self._run.skip_reason(task)
            if reason:
                self._run.end(task, TaskOutcome(task.name, told.SKIPPED, reason=reason))
                queue.done(task.name)
            else:
                self._begin(task, self._run.inputs(task), None)

    def _has_room(self) -> bool:
        threads = sum(attempt.in_thread for attempt in self._running)
        return len(self._running) - threads < self._most and threads < _MOST_LIGHT

    def _start_waiting(self) -> None:
        now = time.monotonic()
        for attempt in [one for one in self._waiting if one.due <= now]:
            if not (self._here and self._running) and self._has_room():
                self._waiting.remove(attempt)
                self._start(attempt)

    def _begin(self, task: Task, inputs: Sequence[Mapping[str, Any]], tries: int | None) -> None:
        most = task.retry.times + 1 if tries is None else tries
        self._start(_Attempt(task, inputs, most, time.monotonic()))

    def _start(self, attempt: _Attempt) -> None:
        self._run.started(attempt.task, attempt.inputs, attempt.number)
        self._running.append(attempt)

    def _launch(self, attempt: _Attempt) -> Child | LightCall:
        if attempt.in_thread:
            self._bell = self._bell or Bell()
            return LightCall(partial(self._call, attempt), attempt.task.name, attempt.cancellation, self._bell)
        preload(self._run.pipeline.imports)
        return Child(
            self._body(attempt, in_child=True),
            attempt.task.name,
            timeout=attempt.task.timeout,
            on_line=self._on_line(attempt),
        )

    def _body(self, attempt: _Attempt, *, in_child: bool) -> Callable[[], StepResult]:
        context = self._run.context(attempt.task, attempt.number, attempt.cancellation, prints=in_child)
        return partial(self._run.call, attempt.task, attempt.inputs, context)

    def _on_line(self, attempt: _Attempt) -> Callable[[int, str], None] | None:
        return None if self._run.on_event is None else partial(_tell_line, self._run, attempt.task.name)

    def _call(self, attempt: _Attempt) -> StepResult:
        """The attempt in this thread; a loop's list is still made where its task wants to run."""
        task = attempt.task
        if task.loop is None:
            return self._body(attempt, in_child=False)()
        if task.run_on == "engine" or self._here:
            result = self._body(attempt, in_child=False)()
        else:
            body = self._body(attempt, in_child=True)
            result = run_in_child(body, task.timeout, name=task.name, on_line=self._on_line(attempt))
        return result if result.skipped else self._loop(attempt, result)

    def _loop(self, attempt: _Attempt, given: StepResult) -> StepResult:
        task, run = attempt.task, self._run
        assert task.loop is not None
        items = loop_items(task, given.value)
        attempt.looping = True
        names = [name for name in task.needs if name in run.outputs or name in run.skipped]
        outer = {name: run.outputs.get(name, {}) for name in names}
        runnable = Runnable(body_of(run.pipeline, task), run.runnable.bodies)

        def try_item(index: int, outputs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
            for number in range(1, task.retry.times + 1):
                try:
                    return run_item(index, outputs)
                except RunError as error:
                    if not worth_retry(task.retry, error) or attempt.cancellation.is_set():
                        raise
                    delay = retry_delay(task.retry, number)
                    run.tell(told.RETRYING, f"{task.name}[{index}]", attempt=number + 1, seconds=delay, error=error)
                    attempt.cancellation.wait(delay)
            return run_item(index, outputs)

        def run_item(index: int, outputs: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
            inner = run.inner(runnable, outputs, partial(_tell_inner, run, f"{task.name}[{index}]"))
            workers = Workers(inner, self._most, here=self._here, inside=attempt.cancellation)
            workers.work_off(TaskQueue(runnable.pipeline, outputs))
            if inner.first_failure is not None and inner.first_failure.error is not None:
                raise inner.first_failure.error
            return inner.outputs.get(task.loop.result) if task.loop else None

        most = 1 if self._here else at_a_time(task.loop, self._most, _MOST_LIGHT)
        value = run_items(task.loop, items, outer, try_item, most, attempt.cancellation.is_set)
        return StepResult(to_json_form(value, task.name, where=task.source), given.shown)

    def _wait(self) -> list[_Attempt]:
        """The attempts that have ended; at most a tick later, with or without any."""
        # What is finished, and what begins now, is in the file before that runs: a killed run keeps it.
        self._run.save()
        if self._here and self._running:
            return [self._running.pop()]
        for attempt in self._running:
            attempt.call = attempt.call or self._launch(attempt)
        now = time.monotonic()
        self._wait_for_news(min([_TICK, *(max(0.0, attempt.due - now) for attempt in self._waiting)]))
        self._run.tell(told.WAITING)
        ended = [attempt for attempt in self._running if attempt.call is not None and attempt.call.finished]
        if ended:
            self._running = [attempt for attempt in self._running if attempt not in ended]
        return ended

    def _wait_for_news(self, seconds: float) -> None:
        if self._bell is not None:
            self._bell.heard()
        if any(attempt.call is not None and attempt.call.finished for attempt in self._running):
            return
        children = [attempt.call for attempt in self._running if isinstance(attempt.call, Child)]
        if children or self._bell is None:
            wait(children, seconds, also=[self._bell.fileno()] if self._bell else ())
        else:
            self._bell.wait(seconds)

    def _settle(self, attempt: _Attempt) -> bool:
        """Takes the attempt's result: True if the task has ended well or was skipped."""
        attempt.error = None
        task = attempt.task
        try:
            result: StepResult = attempt.call.result() if attempt.call is not None else self._call(attempt)
        except RunError as error:
            error.where = error.where or str(task.source)
            attempt.error = error
        except Exception as error:  # noqa: BLE001 - a class of the user's can raise while its value is looked at
            what = f"task {task.name!r} ended with {type(error).__name__}: {error}"
            attempt.error = RunError(what, where=task.source)
        if attempt.error is None and not result.skipped:
            attempt.error = blocked(task, result.shown)
        if attempt.error is not None:
            return self._failed(attempt, attempt.error)
        if result.skipped:
            self._run.end(task, attempt.ended(told.SKIPPED, reason=result.skipped))
        else:
            self._run.end(task, attempt.ended(told.SUCCEEDED, value=result.value, shown=result.shown))
        return True

    def _failed(self, attempt: _Attempt, error: RunError) -> bool:
        """Tries the task again later, or lets it end: True if the run goes on as if it had ended well."""
        task = attempt.task
        if not attempt.looping and attempt.number < attempt.tries and worth_retry(task.retry, error):
            delay = retry_delay(task.retry, attempt.number)
            self._run.tell(told.RETRYING, task.name, attempt=attempt.number + 1, seconds=delay, error=error)
            attempt.number += 1
            attempt.call = None
            attempt.due = time.monotonic() + delay
            self._waiting.append(attempt)
            return False
        if task.continue_on_error:
            self._run.end(task, attempt.ended(told.SUCCEEDED, value=error_value(error), error=error))
            return True
        self._run.end(task, attempt.ended(told.FAILED, error=error))
        return False

    def _stop(self) -> None:
        calls = [attempt.call for attempt in self._running]
        try:
            stop_calls([call for call in calls if isinstance(call, LightCall)], _LIGHT_GRACE)
            stop_all([call for call in calls if isinstance(call, Child)])
        finally:
            if self._bell is not None:
                self._bell.close()
                self._bell = None
            self._run.save()


def _tell_line(run: Run, task: str, stream: int, line: str) -> None:
    run.tell(told.OUTPUT, task, stream=stream, line=line)


def _tell_inner(run: Run, loop: str, event: Event) -> None:
    """What an iteration's tasks tell is told of the loop's own name: a display knows no rows for them."""
    if event.kind == told.OUTPUT:
        run.tell(told.OUTPUT, loop.partition("[")[0], stream=event.stream, line=f"{loop}.{event.task}: {event.line}")
