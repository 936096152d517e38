"""Threads that are used again, and that never keep a process from ending."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import SimpleQueue


class DaemonThreads:
    """Runs each call in a thread of its own, at once; a thread that is done takes the next call.

    concurrent.futures joins its threads when the interpreter ends: a step that never returns would hold up the
    end of a cancelled run for ever.
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._calls: SimpleQueue[Callable[[], None] | None] = SimpleQueue()
        self._lock = threading.Lock()
        self._idle = 0
        self._count = 0
        self._closed = False

    def run(self, call: Callable[[], None]) -> None:
        """Calls ``call``, which must not raise, in a thread."""
        with self._lock:
            if self._idle:
                self._idle -= 1
                new = False
            else:
                self._count += 1
                new = True
        self._calls.put(call)
        if new:
            threading.Thread(target=self._work, name=f"{self._name}-{self._count}", daemon=True).start()

    def close(self) -> None:
        """Lets every thread end when it is done with its call."""
        with self._lock:
            self._closed = True
            for _ in range(self._count):
                self._calls.put(None)

    def _work(self) -> None:
        while (call := self._calls.get()) is not None:
            call()
            del call
            with self._lock:
                self._idle += 1
