"""Concurrency pools: Dagster's own, with a waiting step woken as soon as this run gives its place back."""

from __future__ import annotations

from typing import Any

from typing_extensions import override

from flowhub_assets.executor.dagster_private import DagsterInstance, InstanceConcurrencyContext


class Pools(InstanceConcurrencyContext):
    """The places that one run's steps hold in the instance's pools.

    Dagster asks again for a taken place after 1 to 15 seconds, as a place is mostly given back by another run. Light
    steps take less time than that, and it is mostly this run which knows.
    """

    def __init__(self, instance: DagsterInstance, dagster_run: Any) -> None:
        super().__init__(instance, dagster_run)
        self._pool_of: dict[str, str] = {}

    @override
    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        self._pool_of[step_key] = concurrency_key
        return super().claim(concurrency_key, step_key, step_priority)

    def adopt(self, step_key: str) -> None:
        """The run worker before this one claimed the step's place, if it needs one."""
        self._claims.add(step_key)

    @override
    def free_step(self, step_key: str) -> None:
        held = step_key in self._claims
        super().free_step(step_key)
        pool = self._pool_of.pop(step_key, None)
        if not held or pool is None or pool not in {self._pool_of.get(waiting) for waiting in self._pending_claims}:
            return
        # The storage has given the place to whoever waits longest or matters most; only that step asks again now.
        for pending in self._instance.event_log_storage.get_concurrency_info(pool).pending_steps:
            if pending.run_id == self._run_id and pending.assigned_timestamp is not None:
                self._pending_timeouts[pending.step_key] = 0.0
