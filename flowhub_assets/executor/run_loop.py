"""Starts the steps that may start, takes what they tell, and stops them when the run is stopped."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

from dagster import DagsterRunStatus

from flowhub_assets.errors import TaskCancelled
from flowhub_assets.executor.dagster_private import (
    DagsterEvent,
    DagsterExecutionInterruptedError,
    EngineEventData,
    ErrorSource,
    PlanOrchestrationContext,
    SerializableErrorInfo,
    error_info,
    failure_data,
    serializable_error_info_from_exc_info,
)
from flowhub_assets.executor.heavy import HeavySteps
from flowhub_assets.executor.light import LightSteps, News
from flowhub_assets.executor.plan_state import PlanState
from flowhub_assets.executor.pools import Pools

#: The longest wait for news, in seconds: how soon a request to stop is seen.
_LOOK = 0.1
#: Seconds between two looks into the event log while heavy steps run.
_TAIL = 0.2
#: Seconds that steps have to end by themselves when the run is stopped.
_GRACE = 0.4


class RunLoop:
    """The loop of one run, from its first step to its last."""

    def __init__(
        self,
        plan_context: PlanOrchestrationContext,
        state: PlanState,
        pools: Pools,
        light: LightSteps | None,
        heavy: HeavySteps,
        flush: Callable[[], None],
    ) -> None:
        self._plan_context = plan_context
        self._state = state
        self._pools = pools
        self._light = light
        self._heavy = heavy
        self._flush = flush
        self._tailed = 0.0

    def events(self) -> Iterator[DagsterEvent]:
        """Runs the steps; yields what happens. Raises DagsterExecutionInterruptedError when the run is stopped."""
        try:
            if self._plan_context.resume_from_failure:
                yield from self._resume()
            while True:
                if self._state.check_for_interrupts():
                    yield from self._stop()
                    raise DagsterExecutionInterruptedError("The run was stopped before all of its steps had ended.")
                yield from self._state.plan_events_iterator(self._plan_context)
                yield from self._start()
                if self._state.is_complete and not self._running:
                    return
                yield from self._news(_LOOK)
        except BaseException as error:
            if self._running:
                self._abort(error)
            raise

    @property
    def _running(self) -> bool:
        return bool(self._heavy.running) or (self._light is not None and bool(self._light.running))

    def _start(self) -> Iterator[DagsterEvent]:
        steps = self._state.get_steps_to_execute()
        yield from self._state.concurrency_event_iterator(self._plan_context)
        for step in steps:
            if self._light is not None and self._state.is_light(step):
                self._light.start(step, self._state.get_known_state())
            else:
                self._flush()  # its process may read what its upstream steps have told
                self._heavy.start(step)

    def _news(self, seconds: float) -> Iterator[DagsterEvent]:
        """Waits at most so long for something to happen; takes what has happened."""
        if self._heavy.running and time.monotonic() - self._tailed >= _TAIL:
            self._tailed = time.monotonic()
            for event in self._heavy.news():
                yield from self._take_heavy(event)
        retry = self._state.next_retry
        wait = seconds if retry is None else max(0.0, min(seconds, retry - time.time()))
        if self._light is None or not self._light.running:
            time.sleep(wait)
            return
        for item in self._light.news(wait):
            yield from self._take_light(item)

    def _take_light(self, item: News) -> Iterator[DagsterEvent]:
        for event in item.events:
            self._state.handle_event(event)
            yield event
            if event.is_step_up_for_retry:
                self._flush()
        if item.error is not None and self._plan_context.raise_on_error:
            raise item.error
        if item.unsettled:
            error = item.error or RuntimeError(f"step {item.step_key} ended without a success or a failure")
            yield self._failed(item.step_key, error_info(error), ErrorSource.UNEXPECTED_ERROR)
        elif item.error is not None:
            data = EngineEventData(error=error_info(item.error))
            yield self._tell(f"Step {item.step_key} has ended, but not what comes after it", data)

    def _take_heavy(self, event: DagsterEvent) -> Iterator[DagsterEvent]:
        yield event
        key = event.step_key or ""
        if event.is_resource_init_failure:
            self._state.handle_event(event)
            self._heavy.fail(self._state.get_step_by_key(key), event.engine_event_data.error)  # type: ignore[arg-type]
            return
        self._state.handle_event(event)
        if event.is_step_success or event.is_step_failure or event.is_step_up_for_retry:
            self._heavy.ended(event)

    def _failed(self, key: str, error: SerializableErrorInfo, source: ErrorSource) -> DagsterEvent:
        context = self._plan_context.for_step(self._state.get_step_by_key(key))
        event = DagsterEvent.step_failure_event(
            step_context=context,
            step_failure_data=failure_data(error, source),
        )
        self._state.handle_event(event)
        return event

    def _resume(self) -> Iterator[DagsterEvent]:
        """Goes on after a run worker that died: what is in the log has happened, what was under way starts again."""
        yield self._tell("Resuming execution from failure", EngineEventData())
        if ended := self._heavy.take_over():
            yield self._tell(f"Ended run workers before this one that still ran: {', '.join(ended)}", EngineEventData())
        prior = self._heavy.prior_events()
        yield from prior
        for step in self._state.resume(prior):
            self._pools.adopt(step.key)
            self._heavy.take_up(step)

    def _stop(self) -> Iterator[DagsterEvent]:
        self._state.mark_interrupted()
        light = self._light.running if self._light is not None else ()
        keys = [*light, *self._heavy.running]
        if self._will_resume():
            # Another run worker goes on: it finds heavy steps as they are, and starts light ones again.
            self._heavy.leave()
            if self._light is not None:
                self._light.give_up()
            yield self._tell("Executor received termination signal; the run will be resumed", EngineEventData())
            return
        yield self._tell("Executor received termination signal, forwarding to steps", EngineEventData.interrupted(keys))
        self._heavy.stop()
        if self._light is not None:
            self._light.cancel()
        until = time.monotonic() + _GRACE
        while self._running and (left := until - time.monotonic()) > 0:
            yield from self._news(min(left, 0.05))
        self._heavy.end()
        given_up = self._light.give_up() if self._light is not None else ()
        for key in (*given_up, *self._heavy.running):
            if self._state.is_in_flight(key):
                yield self._failed(key, error_info(_cancelled(key)), ErrorSource.INTERRUPT)
        self._heavy.running.clear()

    def _will_resume(self) -> bool:
        """Dagster counts the resumes that are left, also for a run that somebody has cancelled."""
        instance, run_id = self._plan_context.instance, self._plan_context.run_id
        run = instance.get_run_by_id(run_id)
        wanted = run is not None and run.status in (DagsterRunStatus.STARTING, DagsterRunStatus.STARTED)
        return wanted and bool(instance.run_will_resume(run_id))

    def _abort(self, error: BaseException) -> None:
        """Something else than a step went wrong: nothing is left running, and no pool's place is kept."""
        light = self._light.give_up() if self._light is not None else ()
        keys = [*light, *self._heavy.running]
        self._heavy.stop()
        self._heavy.end()
        self._heavy.running.clear()
        for key in keys:
            self._pools.free_step(key)
        if isinstance(error, Exception):
            info = serializable_error_info_from_exc_info(sys.exc_info())
            self._tell(f"The executor failed while steps ran, which were stopped: {keys}", EngineEventData(error=info))

    def _tell(self, message: str, data: EngineEventData) -> DagsterEvent:
        return DagsterEvent.engine_event(self._plan_context, message, data)


def _cancelled(key: str) -> TaskCancelled:
    return TaskCancelled(f"step {key!r} was stopped, because the run was")
