"""What a running step can ask about itself: which try it is, where its log goes, whether it is being stopped."""

from __future__ import annotations

import contextlib
import logging
import os
import threading
from collections.abc import Iterator
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Callable


class Cancellation:
    """Whether a step is to stop; whoever can stop something sooner than the step itself says how."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._callbacks: list[Callable[[], None]] = []

    def is_set(self) -> bool:
        """Whether the step is to stop."""
        return self._event.is_set()

    def wait(self, seconds: float) -> bool:
        """Waits so long, less if the step is to stop meanwhile: then True."""
        return self._event.wait(seconds)

    def set(self) -> None:
        """Asks the step to stop, once; calls what ``on_set`` was given."""
        with self._lock:
            self._event.set()
            callbacks, self._callbacks = self._callbacks, []
        for callback in callbacks:
            callback()

    @contextlib.contextmanager
    def on_set(self, callback: Callable[[], None]) -> Iterator[None]:
        """Calls ``callback``, from another thread, if the step is to stop while the block runs, or is already."""
        with self._lock:
            now = self._event.is_set()
            if not now:
                self._callbacks.append(callback)
        if now:
            callback()
        try:
            yield
        finally:
            with self._lock:
                if callback in self._callbacks:
                    self._callbacks.remove(callback)


@dataclass(frozen=True)
class StepContext:
    """``attempt`` counts from 1; ``log`` goes to the step's own log, wherever the run keeps it."""

    attempt: int = 1
    log: logging.Logger = field(default_factory=lambda: logging.getLogger("flowhub.step"))
    cancellation: Cancellation = field(default_factory=Cancellation)


_current: ContextVar[StepContext] = ContextVar("flowhub_step")
_live: set[Cancellation] = set()
_live_lock = threading.Lock()


def _forget_other_steps() -> None:
    # In a forked child only its own step goes on; a lock that another thread held would never be released.
    global _live_lock
    _live_lock = threading.Lock()
    _live.clear()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_other_steps)


def current_step() -> StepContext:
    """The step that this thread runs; outside of any, one that logs to ``flowhub.step`` and is never stopped."""
    return _current.get(None) or StepContext()


@contextlib.contextmanager
def step_context(context: StepContext) -> Iterator[StepContext]:
    """Makes ``context`` that of the step which runs inside."""
    token = _current.set(context)
    with _live_lock:
        _live.add(context.cancellation)
    try:
        yield context
    finally:
        with _live_lock:
            _live.discard(context.cancellation)
        _current.reset(token)


def cancel_all_steps() -> None:
    """Asks every step that runs in this process to stop."""
    with _live_lock:
        cancellations = list(_live)
    for cancellation in cancellations:
        cancellation.set()
