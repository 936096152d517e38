"""The log of one light step: what context.log and Python's loggers say in its thread, until it is given up."""

from __future__ import annotations

import contextlib
import logging
import os
import sys
import threading
from collections.abc import Iterator, Sequence
from contextvars import ContextVar
from typing import Any

from typing_extensions import override

from flowhub_assets.executor.dagster_private import DagsterLogHandler, DagsterLogManager
from flowhub_assets.executor.step_output import writing_to_none

#: The handler that takes what Python's loggers say in this thread; None inside a step but outside of user code.
_capturing: ContextVar[logging.Handler | None] = ContextVar("flowhub_capturing_handler")


_is_fork = False


def _note_fork() -> None:
    global _is_fork
    _is_fork = True


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_note_fork)


class Gate:
    """Closed once a step is given up: what its thread still says would come after the end of the run."""

    def __init__(self) -> None:
        self.closed = False


class _GatedHandler(DagsterLogHandler):
    def __init__(self, gate: Gate, metadata: Any, loggers: Sequence[logging.Logger], handlers: Sequence[Any]) -> None:
        super().__init__(metadata, loggers, handlers)
        self._gate = gate

    @override
    def with_tags(self, **new_tags: str) -> DagsterLogHandler:
        return _GatedHandler(self._gate, {**self._metadata, **new_tags}, self._loggers, self._handlers)

    @override
    def emit(self, record: logging.LogRecord) -> None:
        if _is_fork:
            # The run's log is its parent's to write: the parent passes on what a child prints.
            print(f"{record.levelname}: {record.getMessage()}", file=sys.stderr)
        elif not self._gate.closed:
            with writing_to_none():
                super().emit(record)


class StepLogManager(DagsterLogManager):
    """A DagsterLogManager for one thread among several.

    Dagster's own adds its handler to the process's loggers while user code runs: with several steps at once each
    of them would get the lines of all. Here the thread says which step it runs.
    """

    @override
    def begin_python_log_capture(self) -> None:
        _capturing.set(self._dagster_handler)

    @override
    def end_python_log_capture(self) -> None:
        _capturing.set(None)

    @override
    def with_tags(self, **new_tags: str) -> DagsterLogManager:
        return StepLogManager(
            dagster_handler=self._dagster_handler.with_tags(**new_tags),
            managed_loggers=self._managed_loggers,
            level=self.level,
        )


def step_log_manager(run_log: DagsterLogManager, gate: Gate, **tags: str) -> StepLogManager:
    """The log manager of a step of the run whose own is ``run_log``; silent once ``gate`` is closed."""
    of_run = run_log._dagster_handler
    return StepLogManager(
        dagster_handler=_GatedHandler(gate, {**of_run._metadata, **tags}, of_run._loggers, of_run._handlers),
        managed_loggers=run_log._managed_loggers,
        level=run_log.level,
    )


class _Router(logging.Handler):
    """Hands a record to the step whose thread made it; one of a thread that no step knows goes to the run's log."""

    def __init__(self, of_run: logging.Handler) -> None:
        super().__init__()
        self._of_run = of_run
        self._orchestrating = threading.get_ident()

    @override
    def emit(self, record: logging.LogRecord) -> None:
        try:
            handler = _capturing.get()
        except LookupError:
            if threading.get_ident() == self._orchestrating:
                return  # Dagster's own words, not a user's
            handler = self._of_run
        if handler is not None:
            handler.handle(record)


@contextlib.contextmanager
def routed_python_logs(run_log: DagsterLogManager) -> Iterator[None]:
    """While inside, the loggers that Dagster captures hand their records to the step that logs."""
    router = _Router(run_log._dagster_handler)
    for logger in run_log._managed_loggers:
        logger.addHandler(router)
    try:
        yield
    finally:
        for logger in run_log._managed_loggers:
            logger.removeHandler(router)
