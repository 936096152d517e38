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
class _Fork:
    """A process: its run, and the end of a pipe on which it says which modules it would like to find here (-1: closed).

    One without a run tells of another's crash.
    """

    order: Order | None
    wishes: int
    pidfd: int


class Parent:
    """The loop of the process."""

    def __init__(self, launcher: socket.socket) -> None:
        self._launcher: socket.socket | None = launcher
        self._selector = selectors.DefaultSelector()
        self._selector.register(launcher, selectors.EVENT_READ, None)
        self._forks: dict[int, _Fork] = {}
        self._heard = b""
        self._written = loaded_code.written()

    def serve(self) -> None:
        """Until the launcher is gone and nothing that was forked is left."""
        while self._launcher is not None or self._forks:
            for key, _ in self._selector.select():
                if key.data is None:
                    self._hear()
                elif key.data in self._forks:  # and was not attended to by another event of this look
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
        self._watch(pid, order, wishes)
        return pid

    def _watch(self, pid: int, order: Order | None, wishes: int) -> None:
        fork = self._forks[pid] = _Fork(order, wishes, os.pidfd_open(pid))
        self._selector.register(fork.pidfd, selectors.EVENT_READ, pid)
        if wishes >= 0:
            self._selector.register(wishes, selectors.EVENT_READ, pid)

    def _attend(self, pid: int) -> None:
        """A worker has closed its end of the pipe, with or without a wish, or has ended: its wish comes first."""
        if self._forks[pid].wishes >= 0:
            self._take_wishes(pid)
        else:
            self._bury(pid)

    def _take_wishes(self, pid: int) -> None:
        worker = self._forks[pid]
        wished = os.read(worker.wishes, _MOST_AT_ONCE)
        self._close_wishes(worker)
        if not wished or worker.order is None:
            return
        loaded_code.import_all(json.loads(wished))
        self._written = loaded_code.written(self._written)
        gc.freeze()
        self._wait_for(pid)
        self._fork(worker.order.without_wishes())

    def _bury(self, pid: int) -> None:
        order, code = self._wait_for(pid)
        if code == 0 or order is None:
            return
        telling = os.fork()
        if telling == 0:
            self._leave()
            tell_of_crash(order, pid, code)
        self._watch(telling, None, -1)

    def _wait_for(self, pid: int) -> tuple[Order | None, int]:
        fork = self._forks.pop(pid)
        code = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        self._selector.unregister(fork.pidfd)
        os.close(fork.pidfd)
        return fork.order, code

    def _close_wishes(self, worker: _Fork) -> None:
        self._selector.unregister(worker.wishes)
        os.close(worker.wishes)
        worker.wishes = -1

    def _leave(self) -> None:
        """In a fork: nothing of the parent's stays open."""
        self._selector.close()
        if self._launcher is not None:
            self._launcher.close()
        for fork in self._forks.values():
            os.close(fork.pidfd)
            if fork.wishes >= 0:
                os.close(fork.wishes)


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
