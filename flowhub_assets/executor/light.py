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
from flowhub_assets.executor.light_context import SharedResources
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


@dataclass(eq=False)
class _Attempt:
    """One try of one step, in its thread."""

    step: ExecutionStep
    gate: Gate = field(default_factory=Gate)
    cancellation: Cancellation = field(default_factory=Cancellation)
    #: Whether the event that ends the try has been told.
    settled: bool = False


@dataclass(frozen=True)
class News:
    """What a light step has to tell: events, or ``unsettled``: it has ended without the event that says how."""

    step_key: str
    events: Sequence[DagsterEvent] = ()
    unsettled: bool = False
    error: BaseException | None = None


class LightSteps:
    """The light steps of one run. All methods are for the thread that runs the plan."""

    def __init__(self, plan_context: PlanExecutionContext, *, tell_at_once: bool) -> None:
        """``tell_at_once``: an event is news as soon as it is there, not only with the end of its step."""
        self._plan_context = plan_context
        execution = plan_context._execution_data
        shared = SharedResources.over(execution.scoped_resources_builder)
        self._execution_data = execution._replace(scoped_resources_builder=shared)
        self._tell_at_once = tell_at_once
        self._news: SimpleQueue[tuple[_Attempt, News | None]] = SimpleQueue()
        # The try before may still be in its hooks when a step is tried again: a key would not tell them apart.
        self._running: set[_Attempt] = set()
        self._threads = DaemonThreads("flowhub-step")

    @property
    def running(self) -> Sequence[str]:
        """The keys of the steps that have not ended."""
        return tuple(attempt.step.key for attempt in self._running)

    def start(self, step: ExecutionStep, known_state: KnownExecutionState) -> None:
        """Runs the step in a thread."""
        attempt = _Attempt(step)
        self._running.add(attempt)
        self._threads.run(partial(copy_context().run, self._run, attempt, known_state))

    def news(self, seconds: float) -> Iterator[News]:
        """Waits so long for news; what is there then."""
        with contextlib.suppress(Empty):
            attempt, item = self._news.get(timeout=seconds) if seconds > 0 else self._news.get_nowait()
            while True:
                if attempt in self._running and item is not None:
                    yield item
                if item is None:
                    self._running.discard(attempt)
                attempt, item = self._news.get_nowait()

    def cancel(self) -> None:
        """Asks every step to stop: its children are killed, its coroutines cancelled."""
        for attempt in self._running:
            attempt.cancellation.set()

    def give_up(self) -> Sequence[str]:
        """Silences the steps that still run, and forgets them; their threads end with the process. Returns the keys."""
        left = self.running
        for attempt in self._running:
            attempt.gate.closed = True
        self.cancel()
        self._running.clear()
        return left

    def close(self) -> None:
        """No more steps will start."""
        self._threads.close()

    def _run(self, attempt: _Attempt, known_state: KnownExecutionState) -> None:
        error: BaseException | None = None
        try:
            self._run_with_its_logs(attempt, self._context_of(attempt, known_state))
        except BaseException as raised:  # noqa: BLE001 - the thread that runs the plan decides what it means
            error = raised
        if error is not None or not attempt.settled:
            news = News(attempt.step.key, unsettled=not attempt.settled, error=error)
            self._news.put((attempt, news))
        self._news.put((attempt, None))

    def _context_of(self, attempt: _Attempt, known_state: KnownExecutionState) -> _StepExecutionContext:
        plan_context, step = self._plan_context, attempt.step
        return _StepExecutionContext(
            plan_data=plan_context.plan_data,
            execution_data=self._execution_data,
            log_manager=step_log_manager(plan_context.log, attempt.gate, **step.logging_tags),
            step=step,
            output_capture=plan_context.output_capture,
            known_state=known_state,
            event_loop=None,
        )

    def _run_with_its_logs(self, attempt: _Attempt, context: _StepExecutionContext) -> None:
        # Until user code runs, what loggers say in this thread is nobody's.
        context.log.end_python_log_capture()
        number = context.previous_attempt_count + 1
        output = StepOutput(
            context.instance.compute_log_manager,
            context.run_id,
            lambda log_key: _announce(context, log_key),
        )
        with (
            step_context(StepContext(number, context.log, attempt.cancellation)),
            attempt.cancellation.on_set(context.cancel_coroutines),
            contextlib.closing(context),
            writing_to(output),
        ):
            events: list[DagsterEvent] = []
            try:
                for event in dagster_event_sequence_for_step(context):
                    events.append(event)
                    if self._tell_at_once:
                        self._tell(attempt, [event])
            finally:
                if not self._tell_at_once:
                    self._tell(attempt, events)
            self._tell(attempt, list(hook_events(context, events)))

    def _tell(self, attempt: _Attempt, events: Sequence[DagsterEvent]) -> None:
        if any(event.is_step_success or event.is_step_failure or event.is_step_up_for_retry for event in events):
            attempt.settled = True
        if events:
            self._news.put((attempt, News(attempt.step.key, events)))


def _announce(context: StepExecutionContext, log_key: Sequence[str]) -> None:
    DagsterEvent.capture_logs(context, [context.step.key], log_key, CapturedLogContext(log_key))
