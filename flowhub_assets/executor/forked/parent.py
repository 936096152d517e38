"""A process that has imported Dagster, and what pipelines say that they import, and forks a run worker for each run.

    python -m flowhub_assets.executor.forked.parent FD MODULE...

FD is a socket to the launcher that has started it, each MODULE is imported beforehand. A line comes in for each run,
an ``Order``, and a line goes out, ``{"pid"}``, or ``{"stale": true}``: what was imported has changed, and nothing more
is forked here. The process ends once the launcher has gone and its last worker has ended; of a worker that ends before
its run does Dagster is told.

A fork starts in milliseconds where a new process imports for seconds. It is made here and not in Dagster's daemon,
whose threads and connections a fork would copy in the middle of what they do; this process has neither.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
from dataclasses import dataclass
from typing import Any

from flowhub_assets.executor.forked import loaded_code
from flowhub_assets.executor.forked.worker import Order, tell_of_crash, work

_MOST_AT_ONCE = 65_536


@dataclass
class _Worker:
    """A fork: its run, and the end of a pipe on which it says which modules it would like to find here."""

    order: Order
    wishes: int
    pidfd: int


class Parent:
    """The loop of the process."""

    def __init__(self, launcher: socket.socket) -> None:
        self._launcher: socket.socket | None = launcher
        self._selector = selectors.DefaultSelector()
        self._selector.register(launcher, selectors.EVENT_READ, None)
        self._workers: dict[int, _Worker] = {}
        self._heard = b""
        self._written = loaded_code.written()

    def serve(self) -> None:
        """Until the launcher is gone and no worker is left."""
        while self._launcher is not None or self._workers:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._hear()
                elif key.data in self._workers:  # and was not attended to by another event of this look
                    self._attend(key.data)

    def _hear(self) -> None:
        assert self._launcher is not None
        try:
            told = self._launcher.recv(_MOST_AT_ONCE)
        except ConnectionError:
            told = b""
        if not told:
            self._selector.unregister(self._launcher)
            self._launcher.close()
            self._launcher = None
            return
        *lines, self._heard = (self._heard + told).split(b"\n")
        for line in lines:
            self._answer(self._start(Order(**json.loads(line))))

    def _start(self, order: Order) -> dict[str, Any]:
        if loaded_code.has_changed(self._written):
            return {"stale": True}
        return {"pid": self._fork(order)}

    def _answer(self, answer: dict[str, Any]) -> None:
        if self._launcher is not None:
            try:
                self._launcher.sendall(json.dumps(answer).encode() + b"\n")
            except OSError:
                return  # it is gone, as the next look tells

    def _fork(self, order: Order) -> int:
        wishes, wish = os.pipe()
        pid = os.fork()
        if pid == 0:
            os.close(wishes)
            self._leave()
            work(order, wish)
        os.close(wish)
        worker = _Worker(order, wishes, os.pidfd_open(pid))
        self._workers[pid] = worker
        self._selector.register(worker.wishes, selectors.EVENT_READ, pid)
        self._selector.register(worker.pidfd, selectors.EVENT_READ, pid)
        return pid

    def _attend(self, pid: int) -> None:
        """A worker has closed its end of the pipe, with or without a wish, or has ended: its wish comes first."""
        if self._workers[pid].wishes >= 0:
            self._take_wishes(pid)
        else:
            self._bury(pid)

    def _take_wishes(self, pid: int) -> None:
        worker = self._workers[pid]
        wished = os.read(worker.wishes, _MOST_AT_ONCE)
        self._selector.unregister(worker.wishes)
        os.close(worker.wishes)
        worker.wishes = -1
        if not wished:
            return
        loaded_code.import_all(json.loads(wished))
        self._written = loaded_code.written(self._written)
        gc.freeze()
        self._wait_for(pid)
        self._fork(worker.order.without_wishes())

    def _bury(self, pid: int) -> None:
        worker, code = self._wait_for(pid)
        if code != 0 and os.fork() == 0:
            self._leave()
            tell_of_crash(worker.order, pid, code)

    def _wait_for(self, pid: int) -> tuple[_Worker, int]:
        worker = self._workers.pop(pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._selector.unregister(worker.pidfd)
        os.close(worker.pidfd)
        if worker.wishes >= 0:
            self._selector.unregister(worker.wishes)
            os.close(worker.wishes)
        return worker, code

    def _leave(self) -> None:
        """In a fork: nothing of the parent's stays open."""
        self._selector.close()
        if self._launcher is not None:
            self._launcher.close()
        for worker in self._workers.values():
            os.close(worker.pidfd)
            if worker.wishes >= 0:
                os.close(worker.wishes)


def main() -> None:
    """Imports, and serves the launcher."""
    launcher = socket.socket(fileno=int(sys.argv[1]))
    # Ctrl-C is for the workers, which cancel their runs; this process ends after them.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    loaded_code.import_all(["dagster._cli", *sys.argv[2:]])
    gc.collect()
    gc.freeze()
    Parent(launcher).serve()


if __name__ == "__main__":
    main()
