"""What a light step prints reaches its own compute log, though all light steps share one process.

Dagster's capture redirects the file descriptors of the whole process and starts four helper processes for it. Here
sys.stdout and sys.stderr are replaced once, by streams that ask which step the writing thread runs.
"""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from contextvars import ContextVar
from typing import IO, Any, cast

from flowhub_assets.executor.dagster_private import (
    CloudStorageComputeLogManager,
    ComputeIOType,
    ComputeLogManager,
    LocalComputeLogManager,
    mark_complete,
    new_file_key,
)

_STREAMS = {"stdout": ComputeIOType.STDOUT, "stderr": ComputeIOType.STDERR}


class StepOutput:
    """The compute log of one step, opened when the step first prints: most light steps print nothing."""

    def __init__(self, manager: ComputeLogManager[Any], run_id: str, announce: Callable[[Sequence[str]], None]) -> None:
        self._manager = manager
        self._run_id = run_id
        self._announce = announce
        self._log_key: Sequence[str] | None = None
        self._files: dict[str, IO[str] | None] = {}
        self._opened = contextlib.ExitStack()
        self._lock = threading.RLock()
        self._closed = False

    def write(self, name: str, text: str) -> None:
        """``name`` is ``stdout`` or ``stderr``. What comes after ``close`` is not kept."""
        with self._lock:
            if self._closed:
                return
            if name not in self._files:
                self._files[name] = self._open(name)
            file = self._files[name]
            if file is not None:
                file.write(text)
                if "\n" in text:
                    file.flush()  # whoever follows the log sees whole lines at once

    def close(self) -> None:
        """Nothing more will come: the log is complete, and is uploaded where logs live elsewhere."""
        with self._lock:
            self._closed = True
            self._opened.close()
            if self._log_key is None:
                return
            if isinstance(self._manager, LocalComputeLogManager):
                mark_complete(self._manager, self._log_key)
            elif isinstance(self._manager, CloudStorageComputeLogManager):
                self._manager._on_capture_complete(self._log_key)

    def _open(self, name: str) -> IO[str] | None:
        if self._log_key is None:
            self._log_key = self._manager.build_log_key_for_run(self._run_id, new_file_key())
            self._announce(self._log_key)
        # A manager that uploads does so when either stream is closed: here once, when both are.
        local = (
            self._manager.local_manager if isinstance(self._manager, CloudStorageComputeLogManager) else self._manager
        )
        file: Any = self._opened.enter_context(local.open_log_stream(self._log_key, _STREAMS[name]))
        return cast("IO[str] | None", file)


_current: ContextVar[StepOutput | None] = ContextVar("flowhub_step_output", default=None)


@contextlib.contextmanager
def writing_to(output: StepOutput) -> Iterator[None]:
    """What this thread prints inside goes to ``output`` too."""
    token = _current.set(output)
    try:
        yield
    finally:
        _current.reset(token)
        output.close()


@contextlib.contextmanager
def writing_to_none() -> Iterator[None]:
    """What this thread prints inside is not the step's: loggers write the run's log to the console, too."""
    token = _current.set(None)
    try:
        yield
    finally:
        _current.reset(token)


class _Routed:
    """Stands for sys.stdout or sys.stderr: passes everything on, and keeps a copy for the step that writes."""

    def __init__(self, stream: IO[str], name: str) -> None:
        self._stream = stream
        self._name = name

    def write(self, text: str) -> int:
        output = _current.get()
        if output is not None:
            output.write(self._name, text)
        return self._stream.write(text)

    def writelines(self, lines: Sequence[str]) -> None:
        for line in lines:
            self.write(line)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)


_users = 0
_users_lock = threading.Lock()


@contextlib.contextmanager
def routed_streams() -> Iterator[None]:
    """While inside, sys.stdout and sys.stderr know the steps. Several runs of one process share them."""
    global _users
    with _users_lock:
        _users += 1
        if _users == 1:
            for name in _STREAMS:
                setattr(sys, name, _Routed(getattr(sys, name), name))
    try:
        yield
    finally:
        with _users_lock:
            _users -= 1
            if _users == 0:
                for name in _STREAMS:
                    stream = getattr(sys, name)
                    # Whoever has put another stream there since takes it away again.
                    if isinstance(stream, _Routed):
                        setattr(sys, name, stream._stream)
