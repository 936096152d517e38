"""Concurrency pools: Dagster's own, with a waiting step woken as soon as this run gives its place back.

Two things are mended here, which Dagster leaves to chance. Two run workers that ask at the same moment were both given
the last place, on SQLite mostly, on PostgreSQL at times; here they ask one after the other. And a step that waits while
more urgent ones keep coming would wait for ever; here it goes up to the highest priority that waits with it, once in
``PATIENCE`` seconds.
"""

from __future__ import annotations

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from typing import Any

from typing_extensions import override

from flowhub_assets.executor.dagster_private import DagsterInstance, InstanceConcurrencyContext

#: Seconds for which a step waits until it goes up.
PATIENCE = 300.0
#: Any number that nobody else locks in Dagster's database, and how long one waits for it: a claim takes milliseconds.
_POSTGRES_LOCK, _LOCK_SECONDS = 7_364_012, 15.0


class Pools(InstanceConcurrencyContext):
    """The places that one run's steps hold in the instance's pools.

    Dagster asks again for a taken place after 1 to 15 seconds, as a place is mostly given back by another run. Light
    steps take less time than that, and it is mostly this run which knows.
    """

    def __init__(self, instance: DagsterInstance, dagster_run: Any) -> None:
        super().__init__(instance, dagster_run)
        self._pool_of: dict[str, str] = {}
        #: When a waiting step came, or went up last.
        self._since: dict[str, float] = {}

    @override
    def claim(self, concurrency_key: str, step_key: str, step_priority: int = 0) -> bool:
        self._pool_of[step_key] = concurrency_key
        if step_key in self._pending_claims and time.time() <= self._pending_timeouts[step_key]:
            return False
        with _one_at_a_time(self._instance):
            claimed = super().claim(concurrency_key, step_key, step_priority)
            if not claimed:
                self._go_up(concurrency_key, step_key)
        if claimed:
            self._since.pop(step_key, None)
        return claimed

    def _go_up(self, pool: str, step_key: str) -> None:
        now = time.time()
        if now - self._since.setdefault(step_key, now) < PATIENCE:
            return
        self._since[step_key] = now
        storage = self._instance.event_log_storage
        waiting = [step for step in storage.get_concurrency_info(pool).pending_steps if step.assigned_timestamp is None]
        priorities = {(step.run_id, step.step_key): step.priority or 0 for step in waiting}
        own, highest = priorities.get((self._run_id, step_key)), max(priorities.values(), default=0)
        if own is not None and own < highest:
            # Behind those that wait already, before all that come from now on.
            storage.free_concurrency_slot_for_step(self._run_id, step_key)
            storage.claim_concurrency_slot(pool, self._run_id, step_key, highest)

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


def _one_at_a_time(instance: DagsterInstance) -> AbstractContextManager[None]:
    storage: Any = instance.event_log_storage
    kind = type(storage).__name__.lower()
    if "sqlite" in kind:
        return _locked_file(os.path.join(instance.root_directory, "pools.lock"))
    return _locked_in_postgres(storage.postgres_url) if "postgres" in kind else nullcontext()


@contextmanager
def _locked_file(path: str) -> Iterator[None]:
    import fcntl  # not on Windows, where our steps do not run

    file = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield
    finally:
        # A step's process that was forked meanwhile has the file open, too: to close it here would not be enough.
        fcntl.flock(file, fcntl.LOCK_UN)
        os.close(file)


@contextmanager
def _locked_in_postgres(url: str) -> Iterator[None]:
    """Dagster selects a place for update, but commits each statement at once: that locks nothing."""
    from sqlalchemy import create_engine, text
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import NullPool

    key = {"key": _POSTGRES_LOCK}
    with ExitStack() as stack:
        # Where the server is away, Dagster's own queries wait for it, and tell.
        with suppress(DBAPIError):
            engine = create_engine(url, isolation_level="AUTOCOMMIT", poolclass=NullPool)
            connection = stack.enter_context(engine.connect())
            last = time.monotonic() + _LOCK_SECONDS
            while not connection.execute(text("SELECT pg_try_advisory_lock(:key)"), key).scalar():
                if time.monotonic() > last:
                    break
                time.sleep(0.02)
            else:
                stack.callback(_unlock, connection, text("SELECT pg_advisory_unlock(:key)"), key)
        yield


def _unlock(connection: Any, statement: Any, key: Any) -> None:
    with suppress(Exception):  # the lock goes with its connection
        connection.execute(statement, key)
