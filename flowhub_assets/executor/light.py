"""Light steps: each in a thread of the run worker, with the events that Dagster's own executors would give it."""

from __future__ import annotations

import asyncio
import contextlib
from asyncio import AbstractEventLoop
from collections.abc import Iterator, Sequence
from contextvars import copy_context
from dataclasses import dataclass, field
from functools import partial
from queue import Empty, SimpleQueue

from typing_extensions import override

from flowhub_assets.executor.daemon_threads import DaemonThreads
from flowhub_assets.executor.dagster_private import (
    CapturedLogContext,
    DagsterEvent,
    ExecutionStep,
    KnownExecutionState,
    PlanExecutionContext,
    StepExecutionContext,
    dagster_event_sequence_for_step,
    hook_events,
)
from flowhub_assets.executor.step_log import Gate, step_log_manager
from flowhub_assets.executor.step_output import StepOutput, writing_to
from flowhub_assets.runtime.step_context import Cancellation, StepContext, step_context


class _StepExecutionContext(StepExecutionContext):
    """A StepExecutionContext whose event loop, made when an async op asks for it, is its thread's alone."""

    _own_loop: AbstractEventLoop | None = None

    @property
    @override
    def event_loop(self) -> AbstractEventLoop:
        if self._own_loop is None:
            self._own_loop = asyncio.new_event_loop()
        return self._own_loop

    def close(self) -> None:
        """Ends what the op has left behind in its loop, if it has used one."""
        if self._own_loop is not None:
            self._own_loop.run_until_complete(self._own_loop.shutdown_asyncgens())
            self._own_loop.close()

    def cancel_coroutines(self) -> None:
        """Raises CancelledError in the coroutine at which the op waits; called from another thread."""
        loop = self._own_loop
        if loop is not None and loop.is_running():
            loop.call_soon_threadsafe(lambda: [task.cancel() for task in asyncio.all_tasks(loop)])


@dataclass(frozen=True)
class News:
    """What a light step has to tell: events, and, with ``ended``, that its thread is through with it."""

    step_key: str
    events: Sequence[DagsterEvent] = ()
    ended: bool = False
    error: BaseException | None = None


@dataclass(frozen=True)
class _Running:
    gate: Gate = field(default_factory=Gate)
    cancellation: Cancellation = field(default_factory=Cancellation)


class LightSteps:
    """The light steps of one run. All methods are for the thread that runs the plan."""

    def __init__(self, plan_context: PlanExecutionContext, *, tell_at_once: bool) -> None:
        """``tell_at_once``: an event is news as soon as it is there, not only with the end of its step."""
        self._plan_context = plan_context
        self._tell_at_once = tell_at_once
        self._news: SimpleQueue[News] = SimpleQueue()
        self._running: dict[str, _Running] = {}
        self._threads = DaemonThreads("flowhub-step")

    @property
    def running(self) -> Sequence[str]:
        """The keys of the steps that have not ended."""
        return tuple(self._running)

    def start(self, step: ExecutionStep, known_state: KnownExecutionState) -> None:
        """Runs the step in a thread."""
        running = self._running[step.key] = _Running()
        context = _StepExecutionContext(
            plan_data=self._plan_context.plan_data,
            execution_data=self._plan_context._execution_data,
            log_manager=step_log_manager(self._plan_context.log, running.gate, **step.logging_tags),
            step=step,
            output_capture=self._plan_context.output_capture,
            known_state=known_state,
            event_loop=None,
        )
        call = partial(self._run, context, running)
        self._threads.run(partial(copy_context().run, call))

    def news(self, seconds: float) -> Iterator[News]:
        """Waits so long for news; what is there then."""
        try:
            item = self._news.get(timeout=seconds) if seconds > 0 else self._news.get_nowait()
            while True:
                running = self._running.get(item.step_key)
                if item.ended:
                    self._running.pop(item.step_key, None)
                if running is not None:
                    yield item
                item = self._news.get_nowait()
        except Empty:
            return

    def cancel(self) -> None:
        """Asks every step to stop: its children are killed, its coroutines cancelled."""
        for running in tuple(self._running.values()):
            running.cancellation.set()

    def give_up(self) -> Sequence[str]:
        """Silences the steps that still run, and forgets them; their threads end with the process. Returns the keys."""
        left = tuple(self._running)
        for running in self._running.values():
            running.gate.closed = True
        self._running.clear()
        return left

    def close(self) -> None:
        """No more steps will start."""
        self._threads.close()

    def _run(self, context: _StepExecutionContext, running: _Running) -> None:
        key = context.step.key
        error: BaseException | None = None
        try:
            self._run_in_its_context(context, running)
        except BaseException as raised:  # noqa: BLE001 - the thread that runs the plan decides what it means
            error = raised
        self._news.put(News(key, ended=True, error=error))

    def _run_in_its_context(self, context: _StepExecutionContext, running: _Running) -> None:
        # Until user code runs, what loggers say in this thread is nobody's.
        context.log.end_python_log_capture()
        attempt = context.previous_attempt_count + 1
        output = StepOutput(
            context.instance.compute_log_manager,
            context.run_id,
            lambda log_key: _announce(context, log_key),
        )
        events: list[DagsterEvent] = []
        with (
            step_context(StepContext(attempt, context.log, running.cancellation)),
            running.cancellation.on_set(context.cancel_coroutines),
            contextlib.closing(context),
            writing_to(output),
        ):
            try:
                for event in dagster_event_sequence_for_step(context):
                    if running.gate.closed:
                        return
                    events.append(event)
                    if self._tell_at_once:
                        self._news.put(News(context.step.key, (event,)))
            finally:
                if not self._tell_at_once and events:
                    self._news.put(News(context.step.key, tuple(events)))
            hooks = tuple(hook_events(context, events))
            if hooks:
                self._news.put(News(context.step.key, hooks))


def _announce(context: StepExecutionContext, log_key: Sequence[str]) -> None:
    DagsterEvent.capture_logs(context, [context.step.key], log_key, CapturedLogContext(log_key))
