"""Runs of the Dagster on this machine, by the same functions as the server's."""

from __future__ import annotations

import getpass
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from flowhub_assets.cli.access import Access, Begun, Order
from flowhub_assets.server.run_facts import RunEvent, RunView

if TYPE_CHECKING:
    from flowhub_assets.server.access import Caller
    from flowhub_assets.server.backend import Backend
    from flowhub_assets.server.runs import Started

#: Where ``flowhub dev`` has Dagster's UI.
_UI = "http://localhost:3000"


@contextmanager
def local_access() -> Iterator[Access]:
    """Raises InputError where there is no Dagster."""
    from flowhub_assets.cli.surroundings import local_backend

    with local_backend(os.environ.get("FLOWHUB_UI", _UI)) as backend:
        yield LocalAccess(backend)


class LocalAccess:
    """Whoever may write into DAGSTER_HOME may do everything: there is no role to be asked for."""

    def __init__(self, backend: Backend) -> None:
        self._backend = backend

    def params_schema(self, pipeline: str) -> Mapping[str, Any]:
        """The JSON Schema of its params. Raises NotFound."""
        from flowhub_assets.server.pipeline_views import params_schema

        return params_schema(self._backend.catalogue.get(pipeline).pipeline)

    def start(self, order: Order) -> list[Begun]:
        """Raises NotFound, ParamsRefused, Conflict, Unavailable."""
        from flowhub_assets.server.matrix import start_each
        from flowhub_assets.server.runs import KEY_LIFETIME, StartRequest

        request = StartRequest(
            pipeline=order.pipeline,
            params=order.params,
            profile=order.env,
            queue=order.queue,
            priority=order.priority,
            partition=order.partition,
            key=order.key,
            key_lifetime=KEY_LIFETIME if order.key_lifetime is None else order.key_lifetime,
            force=order.force,
            door="cli",
            caller=_user(),
        )
        cells = start_each(self._backend, request)
        if cells:
            return [self._begun(cell.started, cell.partition) for cell in cells]
        return [self._begun(self._backend.runs.start(request))]

    def run(self, run_id: str) -> RunView:
        """One run with its steps. Raises NotFound."""
        from flowhub_assets.server.run_views import view_run

        return view_run(self._backend, run_id)

    def runs(self, pipeline: str | None, statuses: Sequence[str], limit: int) -> list[RunView]:
        """The newest runs. Raises NotFound, InputError."""
        from flowhub_assets.server.run_views import list_runs

        return list_runs(self._backend, pipeline=pipeline, statuses=statuses, limit=limit)

    def queues(self, limit: int) -> Mapping[str, Any]:
        """The queues as JSON."""
        from dataclasses import asdict

        from flowhub_assets.server.queue_views import view_queues

        return asdict(view_queues(self._backend, most=limit))

    def events(self, run_id: str, cursor: str | None) -> tuple[list[RunEvent], str]:
        """What came after a cursor, and the next one. Raises NotFound."""
        from flowhub_assets.server.run_events import events_after

        return events_after(self._backend, run_id, cursor)

    def log(self, run_id: str, step: str, attempt: int | None) -> str:
        """What a step has printed so far. Raises NotFound."""
        from flowhub_assets.server.run_events import log_text

        return log_text(self._backend, run_id, step, attempt)

    def follow_log(self, run_id: str, step: str, attempt: int | None) -> Iterator[str]:
        """The same as it comes, until the run is over. Raises NotFound."""
        from flowhub_assets.server.run_events import follow_log

        return follow_log(self._backend, run_id, step, attempt)

    def result(self, run_id: str) -> Any:
        """The pipeline's own value. Raises NotFound, Conflict."""
        from flowhub_assets.server.run_results import result_of

        return result_of(self._backend, run_id)

    def cancel(self, run_id: str) -> RunView:
        """Ends a run. Raises NotFound, Conflict, Unavailable."""
        from flowhub_assets.server.audit import note
        from flowhub_assets.server.run_acts import cancel_run

        caller = _caller()
        view = cancel_run(self._backend, run_id, caller)
        note(self._backend.database, caller, "cli", "cancel", run_id)
        return view

    def retry(self, run_id: str, *, from_failure: bool, steps: Sequence[str]) -> Begun:
        """Takes a run up again. Raises NotFound, Conflict, Unavailable."""
        from flowhub_assets.server.run_acts import retry_run

        started = retry_run(self._backend, run_id, from_failure=from_failure, steps=steps, caller=_caller())
        return self._begun(started)

    def _begun(self, started: Started, partition: str = "") -> Begun:
        url = self._backend.run_url(started.run_id)
        return Begun(started.run_id, started.is_new, started.reason, url, partition)


def _caller() -> Caller:
    from flowhub_assets.server.access import Caller

    return Caller(_user(), "admin")


def _user() -> str:
    try:
        return getpass.getuser()
    except (OSError, KeyError):
        return f"uid {os.getuid()}"
