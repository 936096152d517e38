"""Heavy steps: started through a step handler, followed through the event log."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator, Sequence

from flowhub_assets.executor.dagster_private import (
    DagsterEvent,
    EngineEventData,
    ExecutionStep,
    PlanOrchestrationContext,
    SerializableErrorInfo,
    StepDelegatingExecutor,
    StepHandlerContext,
    serializable_error_info_from_exc_info,
)
from flowhub_assets.executor.plan_state import PlanState
from flowhub_assets.executor.step_handlers import ChosenHandler

#: Seconds that the processes of heavy steps have to end after they were told to.
_GRACE = 0.2


class HeavySteps:
    """The heavy steps of one run. Their events come from the log, into which their own processes write."""

    def __init__(
        self,
        executor: StepDelegatingExecutor,
        chosen: ChosenHandler,
        plan_context: PlanOrchestrationContext,
        state: PlanState,
        *,
        check_health_every: float,
    ) -> None:
        self._executor = executor
        self._chosen = chosen
        self._handler = chosen.handler
        self._plan_context = plan_context
        self._state = state
        self._check_health_every = check_health_every
        self._checked = time.monotonic()
        self._seen: set[int] = set()
        self._failed: set[str] = set()
        self.running: dict[str, ExecutionStep] = {}

    def start(self, step: ExecutionStep) -> None:
        """Hands the step to the step handler."""
        self.running[step.key] = step
        try:
            list(self._handler.launch_step(self._context_of(step)))
        except Exception:  # noqa: BLE001 - what keeps one step from starting ends no other
            self.fail(step, serializable_error_info_from_exc_info(sys.exc_info()))

    def prior_events(self) -> Sequence[DagsterEvent]:
        """What the run's log holds already: of a run worker before this one."""
        return self._executor._pop_events(self._plan_context.instance, self._plan_context.run_id, self._seen)

    def news(self) -> Iterator[DagsterEvent]:
        """New events of heavy steps; looks after their health when it is time. Call it only while some run."""
        dead = self._dead()  # before the log is read: what these have written is in it
        for event in self.prior_events():
            if event.step_key in self.running:
                yield event
        for key, reason in dead.items():
            if key in self.running and key not in self._failed and not self._started_again(key):
                error = SerializableErrorInfo(f"Step {key} failed health check: {reason}", [], None)
                self.fail(self.running[key], error)

    def ended(self, event: DagsterEvent) -> None:
        """The step's last event, or that of one try, has been seen."""
        self.running.pop(event.step_key or "", None)
        self._failed.discard(event.step_key or "")

    def fail(self, step: ExecutionStep, error: SerializableErrorInfo) -> None:
        """Writes a failure, or a retry where the op's policy has one left; it comes back as news."""
        self._failed.add(step.key)
        self._executor.log_failure_or_retry_event_after_error(
            self._plan_context.for_step(step), error, self._state.get_known_state()
        )

    def take_up(self, step: ExecutionStep) -> None:
        """A step that was under way when the run worker before this one died: goes on with it, or starts it again."""
        self.running[step.key] = step
        if not self._chosen.finds(self._context_of(step)):
            self._tell(step, f"Starting step {step.key} again, which is not running any more.")
            self.start(step)

    def stop(self) -> None:
        """Tells every step to end."""
        for step in self.running.values():
            list(self._handler.terminate_step(self._context_of(step)))

    def end(self) -> None:
        """Waits a moment for what was told to end; kills what does not, where the step handler can."""
        self._chosen.end(_GRACE)

    def take_over(self) -> Sequence[str]:
        """Ends the run workers before this one that still run; what they were called."""
        return self._chosen.take_over()

    def leave(self) -> None:
        """Another run worker goes on with what runs."""
        self._chosen.leave()
        self.running.clear()

    def _dead(self) -> dict[str, str]:
        if time.monotonic() - self._checked < self._check_health_every:
            return {}
        self._checked = time.monotonic()
        dead = {}
        for key, step in self.running.items():
            try:
                health = self._handler.check_step_health(self._context_of(step))
            except Exception:  # noqa: BLE001 - the step itself may be well
                error = serializable_error_info_from_exc_info(sys.exc_info())
                self._tell(step, f"Error while checking health for step {key}", error)
                continue
            if not health.is_healthy:
                dead[key] = health.unhealthy_reason or "it is not running"
        return dead

    def _started_again(self, key: str) -> bool:
        """Whether the step handler has started a step once more that the cluster has ended, not the step itself."""
        try:
            return self._chosen.started_again(self._context_of(self.running[key]))
        except Exception:  # noqa: BLE001 - then it fails, for what its health check said
            error = serializable_error_info_from_exc_info(sys.exc_info())
            self._tell(self.running[key], f"Error while starting step {key} again", error)
            return False

    def _context_of(self, step: ExecutionStep) -> StepHandlerContext:
        context: StepHandlerContext = self._executor._get_step_handler_context(self._plan_context, [step], self._state)
        return context

    def _tell(self, step: ExecutionStep, message: str, error: SerializableErrorInfo | None = None) -> None:
        DagsterEvent.engine_event(self._plan_context.for_step(step), message, EngineEventData(error=error))
