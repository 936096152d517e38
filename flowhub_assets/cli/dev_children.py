"""The processes of ``flowhub dev``: each in a group of its own, so that none of its children is left when it ends."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence

#: The last lines of a child that are told when it dies.
_LAST_LINES = 25
#: Seconds that a child and its own may take to end before they are killed.
_GRACE_SECONDS = 20.0
_LOOK_SECONDS = 0.1


class Child:
    """One command, begun at once. Its output is passed on to stderr."""

    def __init__(self, name: str, command: Sequence[str], env: Mapping[str, str]) -> None:
        self.name = name
        self._last: deque[str] = deque(maxlen=_LAST_LINES)
        # Ctrl-C is for the one that began it, which ends all in order.
        self._process = subprocess.Popen(
            command,
            env={**env, "PYTHONUNBUFFERED": "1"},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            errors="replace",
            start_new_session=True,
        )
        self._reading = threading.Thread(target=self._read, daemon=True)
        self._reading.start()

    @property
    def exit_code(self) -> int | None:
        """None while it runs."""
        return self._process.poll()

    def last_lines(self) -> str:
        """What it said last."""
        self._reading.join(1)
        return "".join(self._last)

    def interrupt(self) -> None:
        """Tells it and its own to end, as Ctrl-C does."""
        self._signal(signal.SIGINT)

    def end(self, until: float) -> None:
        """Waits until it and its own have ended; at ``until`` (time.monotonic) what is left is killed."""
        while self._is_any_left():
            if time.monotonic() >= until:
                self._signal(signal.SIGKILL)
            time.sleep(_LOOK_SECONDS)
        self._process.wait()
        self._reading.join(5)

    def _is_any_left(self) -> bool:
        self._process.poll()  # else it would be left itself, as a process that nobody has asked for its end
        try:
            os.killpg(self._process.pid, 0)
        except (ProcessLookupError, PermissionError):
            return False
        return True

    def _signal(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)

    def _read(self) -> None:
        assert self._process.stdout is not None
        for line in self._process.stdout:
            self._last.append(line)
            with contextlib.suppress(OSError, ValueError):
                sys.stderr.write(line)
                sys.stderr.flush()


def end_all(children: Sequence[Child], grace: float = _GRACE_SECONDS) -> None:
    """Ends them side by side."""
    for child in children:
        child.interrupt()
    until = time.monotonic() + grace
    for child in children:
        child.end(until)
