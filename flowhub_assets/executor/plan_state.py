"""Which step may start next: Dagster's state machine of a plan, with room for our limits."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

from typing_extensions import override

from flowhub_assets.executor.dagster_private import ActiveExecution, DagsterEvent, ExecutionPlan, ExecutionStep
from flowhub_assets.executor.placement import IN_RUN_WORKER, concurrency_limit, op_of_step


class PlanState(ActiveExecution):
    """An ActiveExecution that also keeps the limit of each op and the free places of each placement.

    ``placement`` gives a step's, ``places`` the most steps of each placement at a time (None: no limit).
    """

    def __init__(
        self,
        plan: ExecutionPlan,
        *,
        placement: Callable[[ExecutionStep], str],
        places: dict[str, int | None],
        **options: Any,
    ) -> None:
        self._placement = placement
        self._places = places
        self._unlimited = False
        super().__init__(plan, **options)

    @override
    def get_steps_to_execute(self, limit: int | None = None) -> Sequence[ExecutionStep]:
        self._update()
        if not self._executable:
            return ()
        if self._unlimited:
            return super().get_steps_to_execute(limit)
        # A pool's slot must not be claimed for a step that cannot start here: those are taken out meanwhile.
        allowed = self._with_a_place()
        withheld = [key for key in self._executable if key not in allowed]
        self._executable = [key for key in self._executable if key in allowed]
        try:
            return super().get_steps_to_execute(limit)
        finally:
            self._executable += withheld

    def resume(self, events: Sequence[DagsterEvent]) -> Sequence[ExecutionStep]:
        """Takes over what ``events``, the log of a run worker that died, say of the steps.

        Returns the heavy steps that may still be under way. Light ones died with their worker: they start again, as
        places allow.
        """
        pools, limits = self._instance_concurrency_context, self._tag_concurrency_limits
        # The steps have run: no limit that held them up then may keep their events from being taken now.
        self._instance_concurrency_context, self._tag_concurrency_limits, self._unlimited = None, [], True
        try:
            # Steps that were skipped are skipped again, by what their upstream steps have given.
            told = [event for event in events if event.step_key and not event.is_step_skipped]
            waiting = self.rebuild_from_events(told)
        finally:
            self._instance_concurrency_context, self._tag_concurrency_limits, self._unlimited = pools, limits, False
        begun = {event.step_key for event in told}
        under_way = [step for step in waiting if step.key in begun and not self.is_light(step)]
        for step in waiting:
            if step not in under_way:
                self._in_flight.remove(step.key)
                self._executable.append(step.key)
        return under_way

    def is_light(self, step: ExecutionStep) -> bool:
        """Whether the step runs in this process."""
        return self._placement(step) in IN_RUN_WORKER

    def is_in_flight(self, step_key: str) -> bool:
        """Whether the step has started and not ended."""
        return step_key in self._in_flight

    @property
    def next_retry(self) -> float | None:
        """The time.time() at which a step that waits for its retry may start; None if there is none."""
        return min(self._waiting_to_retry.values(), default=None)

    def _with_a_place(self) -> set[str]:
        used: Counter[str] = Counter()
        for key in self._in_flight:
            used[self._placement(self.get_step_by_key(key))] += 1
            used[f"op {op_of_step(key)}"] += 1
        allowed = set()
        for step in sorted(map(self.get_step_by_key, self._executable), key=self._sort_key_fn):
            placement, op = self._placement(step), f"op {op_of_step(step.key)}"
            limits = {placement: self._places[placement], op: concurrency_limit(step.tags)}
            if all(limit is None or used[name] < limit for name, limit in limits.items()):
                used.update(limits.keys())
                allowed.add(step.key)
        return allowed
