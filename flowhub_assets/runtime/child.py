"""Runs a callable in a forked child process that can crash, hang or be killed without hurting its parent.

The child leads its own process group, so that whatever it starts ends with it: on a timeout, when the run
is stopped, when the child ends, and within a second after the death of the parent.
"""

from __future__ import annotations

import contextlib
import os
import selectors
import signal
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import Any

from flowhub_assets.errors import TaskCancelled, TaskTimedOut
from flowhub_assets.runtime.child_main import answer_is_whole, read_answer, run_and_answer
from flowhub_assets.runtime.exit_status import ended_without_answer
from flowhub_assets.runtime.forking import fork
from flowhub_assets.runtime.step_context import current_step

#: Seconds between SIGTERM, which lets a task's finally blocks run, and SIGKILL.
GRACE = 3.0
#: Seconds between two looks whether a child has died without an answer.
_LOOK = 0.05
_CHUNK = 1 << 16
#: Whether the end of a child can be seen before it is reaped; not on macOS before Python 3.13.
_CAN_LOOK_FIRST = hasattr(os, "waitid")
#: A line of output longer than this is passed on in pieces.
_LONGEST_LINE = 1 << 16

#: Called with 1 (stdout) or 2 (stderr) and a line without its end.
OnLine = Callable[[int, str], None]


class Child:
    """One forked child. ``finished`` once ``result()`` can be asked for."""

    def __init__(
        self, call: Callable[[], Any], name: str, *, timeout: float | None = None, on_line: OnLine | None = None
    ) -> None:
        self.name = name
        self.timeout = timeout
        self.finished = False
        self.timed_out = False
        self._on_line = on_line
        self._answer = bytearray()
        self._lines = {1: bytearray(), 2: bytearray()}
        self._status = 0
        self._pipes: dict[int, int] = {}  # read end → 0 (answer), 1 (stdout), 2 (stderr)
        self._kill_at: float | None = None
        self.started = time.monotonic()
        self.pid = self._fork(call)

    def _fork(self, call: Callable[[], Any]) -> int:
        streams = (0, 1, 2) if self._on_line else (0,)
        pipes = {stream: os.pipe() for stream in streams}
        for stream in (sys.stdout, sys.stderr):
            # What is still in the buffer would otherwise be written by both processes.
            if stream is not None and not stream.closed:
                stream.flush()
        parent = os.getpid()
        try:
            pid = fork()
        except OSError:  # no more processes
            for pipe in pipes.values():
                for end in pipe:
                    os.close(end)
            raise
        if pid == 0:
            for read_end, _ in pipes.values():
                os.close(read_end)
            run_and_answer(call, self.name, parent, {stream: write_end for stream, (_, write_end) in pipes.items()})
        for stream, (read_end, write_end) in pipes.items():
            os.close(write_end)
            os.set_blocking(read_end, False)
            self._pipes[read_end] = stream
        with contextlib.suppress(OSError):
            # The child does the same: whoever comes first, the group is there before a signal is sent to it.
            os.setpgid(pid, pid)
        return pid

    @property
    def deadline(self) -> float:
        """The time.monotonic() at which something is due: the timeout, or SIGKILL after SIGTERM."""
        if self._kill_at is not None:
            return self._kill_at
        return self.started + self.timeout if self.timeout is not None else float("inf")

    def read(self, pipe: int) -> None:
        """Takes what the pipe holds now."""
        try:
            data = os.read(pipe, _CHUNK)
        except BlockingIOError:
            return
        stream = self._pipes[pipe]
        if not data:
            del self._pipes[pipe]
            os.close(pipe)
        if stream == 0:
            self._answer += data
        else:
            self._pass_on(stream, data)

    def look(self, now: float) -> None:
        """Stops the child if its time is over; notices its end."""
        if now >= self.deadline:
            if self._kill_at is None:
                self.timed_out = True
                self.stop(now)
            else:
                self._signal(signal.SIGKILL)
        try:
            if _CAN_LOOK_FIRST:
                if os.waitid(os.P_PID, self.pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                    return
                # What it left behind ends before it is reaped: until then no other process can have its number.
                self._signal(signal.SIGKILL)
            pid, status = os.waitpid(self.pid, os.WNOHANG)
        except ChildProcessError:
            # Whoever ignores SIGCHLD in this process lets the system reap its children: how it ended is lost.
            pid, status = self.pid, 0
        if pid:
            self._ended(status)

    def stop(self, now: float | None = None) -> None:
        """SIGTERM to the child and all that it started; SIGKILL follows after GRACE seconds."""
        if not self.finished and self._kill_at is None:
            self._kill_at = (time.monotonic() if now is None else now) + GRACE
            self._signal(signal.SIGTERM)

    def kill(self) -> None:
        """Ends the child and all that it started at once."""
        if not self.finished:
            self._on_line = None  # whoever listens may be what has failed
            self._signal(signal.SIGKILL)
            while not self.finished:
                self.look(time.monotonic())
                time.sleep(0.001)

    def result(self) -> Any:
        """What the callable returned. Raises what it raised, TaskTimedOut or TaskKilled."""
        if self.timed_out:
            raise TaskTimedOut(
                f"task {self.name!r} ran longer than its timeout of {self.timeout:g} s and was stopped",
                effect="Its process and whatever that had started are ended.",
                remedy="Give it a longer timeout, in seconds, or make it faster.",
            )
        if not self.answered:
            raise ended_without_answer(self.name, self._status)
        ok, value = read_answer(self._answer)
        if ok:
            return value
        raise value

    @property
    def answered(self) -> bool:
        """Whether the whole answer has arrived: the child ends any moment now."""
        return answer_is_whole(self._answer)

    @property
    def pipes(self) -> Sequence[int]:
        """The file descriptors from which more may come."""
        return tuple(self._pipes)

    def _ended(self, status: int) -> None:
        self._status = status
        self.finished = True
        if not _CAN_LOOK_FIRST:
            # What the child left behind still holds its pipes; the group outlives its leader.
            self._signal(signal.SIGKILL)
        for pipe in self.pipes:
            # Bounded: whoever left the group could write for ever.
            for _ in range(1024):
                if pipe not in self._pipes or not _readable(pipe):
                    break
                self.read(pipe)
        for pipe in self.pipes:
            os.close(pipe)
        self._pipes.clear()
        for stream, rest in self._lines.items():
            if rest:
                self._tell(stream, bytes(rest))
            rest.clear()

    def _signal(self, number: int) -> None:
        try:
            os.killpg(self.pid, number)
        except (ProcessLookupError, PermissionError):
            # Not once it is known to have ended: another process may have its number by now.
            if not self.finished:
                with contextlib.suppress(ProcessLookupError, PermissionError):
                    os.kill(self.pid, number)

    def _pass_on(self, stream: int, data: bytes) -> None:
        rest = self._lines[stream]
        rest += data
        *whole, last = bytes(rest).split(b"\n")
        while len(last) > _LONGEST_LINE:
            whole.append(last[:_LONGEST_LINE])
            last = last[_LONGEST_LINE:]
        rest[:] = last
        for line in whole:
            self._tell(stream, line)

    def _tell(self, stream: int, line: bytes) -> None:
        if self._on_line is not None:
            self._on_line(stream, line.decode("utf-8", "replace").rstrip("\r"))


def wait(children: Iterable[Child], timeout: float, also: Sequence[int] = ()) -> None:
    """Waits until a child has news or ``timeout`` seconds are over; reads output, keeps the children's deadlines.

    ``also`` are further file descriptors that end the wait when they can be read.
    """
    children = list(children)
    until = time.monotonic() + timeout
    with selectors.DefaultSelector() as selector:
        for child in children:
            for pipe in child.pipes:
                selector.register(pipe, selectors.EVENT_READ, child)
        for other in also:
            selector.register(other, selectors.EVENT_READ)
        while True:
            now = time.monotonic()
            due = min([until, *(child.deadline for child in children)])
            # A child whose answer is complete ends within moments; it need not be waited for long.
            pause = 0.001 if any(child.answered for child in children) else _LOOK
            ready = selector.select(max(0.0, min(pause, due - now)))
            for key, _ in ready:
                if key.data is not None:
                    key.data.read(key.fd)
                    if key.fd not in key.data.pipes:
                        selector.unregister(key.fd)
            now = time.monotonic()
            for child in children:
                child.look(now)
            if now >= until or any(child.finished for child in children) or any(key.data is None for key, _ in ready):
                return


def run_in_child(
    call: Callable[[], Any],
    timeout: float | None = None,
    *,
    name: str = "call",
    on_line: OnLine | None = None,
) -> Any:
    """Returns what ``call`` returns, run in a forked child; raises what it raises.

    ``timeout`` is in seconds; ``name`` stands for the task in messages. The child's output reaches this
    process's file descriptors 1 and 2, or ``on_line`` line by line. May be called from any thread; whatever
    interrupts the wait (KeyboardInterrupt, say) stops the child and all that it started first. Raises
    TaskTimedOut, TaskKilled if the child died without an answer, and TaskCancelled if that was because the
    current step's cancellation was set.
    """
    cancellation = current_step().cancellation
    child = Child(call, name, timeout=timeout, on_line=on_line)
    try:
        with cancellation.on_set(child.stop):
            while not child.finished:
                wait([child], 60)
    finally:
        stop_all([child])
    if cancellation.is_set() and not child.answered and not child.timed_out:
        raise TaskCancelled(f"task {name!r} was stopped, because its run was")
    return child.result()


def stop_all(children: Iterable[Child]) -> None:
    """Stops all the children that still run, together; they have GRACE seconds to end by themselves."""
    running = [child for child in children if not child.finished]
    try:
        for child in running:
            child.stop()
        while running:
            wait(running, GRACE)
            running = [child for child in running if not child.finished]
    finally:
        # A second Ctrl-C during the grace leaves nothing behind either.
        for child in running:
            child.kill()


def _readable(pipe: int) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(pipe, selectors.EVENT_READ)
        return bool(selector.select(0))
