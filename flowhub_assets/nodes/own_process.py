"""Runs a node's ``execute`` in a forked child that can be stopped, and brings back what it logs and shows."""

from __future__ import annotations

import contextlib
import dataclasses
import json
import logging
import os
import sys
from collections.abc import Callable, Iterator
from typing import Any

from flowhub_assets.errors import TaskCancelled, TaskTimedOut
from flowhub_assets.nodes.sdk import NodeContext
from flowhub_assets.runtime.child import Child, stop_all, wait
from flowhub_assets.runtime.show import collect_shown, show

_CHUNK = 1 << 16


def call_in_own_process(call: Callable[[NodeContext], Any], context: NodeContext) -> Any:
    """Returns what ``call`` returns of the context in a forked child; raises what it raises.

    Log records and what is shown there arrive here, printed lines on this process's stdout and stderr. The child and
    all that it started end when ``context.timeout`` is over (TaskTimedOut) or the run is stopped (TaskCancelled).
    """
    with _pipe() as (log_read, log_write), _pipe() as (cancel_read, cancel_write):
        child = Child(
            lambda: _in_child(call, context, log_write), context.node, timeout=context.timeout, on_line=_print_line
        )
        lines = _LogLines(log_read, context.logger)
        with context.cancellation.on_set(lambda: _write(cancel_write)):
            try:
                while not child.finished:
                    if context.cancelled():
                        child.stop()
                        wait([child], 1, also=(log_read,))
                    else:
                        wait([child], 60, also=(log_read, cancel_read))
                    lines.read()
            finally:
                stop_all([child])
        lines.read()
        if context.cancelled() and not child.answered:
            raise stopped(context)
        if child.timed_out:
            raise timed_out(context)
        value, shown = child.result()
    for one in shown:
        show(one.name, one.data)
    return value


def timed_out(context: NodeContext) -> TaskTimedOut:
    """What is told of a node whose time was over."""
    return TaskTimedOut(
        f"node {context.node!r} ran longer than its timeout of {context.timeout:g} s and was stopped",
        effect="What it had begun outside, a request say, may have been done all the same.",
        remedy="Give it more time with timeout:, or make it faster.",
    )


def stopped(context: NodeContext) -> TaskCancelled:
    """What is told of a node that did not end before its run was stopped."""
    return TaskCancelled(f"node {context.node!r} was stopped with its run")


def _in_child(call: Callable[[NodeContext], Any], context: NodeContext, log: int) -> tuple[Any, list[Any]]:
    # The logger of the run may write to a database, whose connection cannot be shared with a child.
    logger = logging.Logger("flowhub.step", level=context.logger.getEffectiveLevel())  # noqa: LOG001 - of this call only
    logger.addHandler(_PipeHandler(log))
    with collect_shown() as shown:
        value = call(dataclasses.replace(context, logger=logger))
    return value, shown


class _PipeHandler(logging.Handler):
    """Writes each record as a line of JSON."""

    def __init__(self, pipe: int) -> None:
        super().__init__()
        self.pipe = pipe

    def emit(self, record: logging.LogRecord) -> None:
        line = json.dumps([record.levelno, self.format(record)]).encode() + b"\n"
        with contextlib.suppress(OSError):
            while line:
                line = line[os.write(self.pipe, line) :]


class _LogLines:
    """The records that a _PipeHandler wrote, given to ``logger`` as they arrive."""

    def __init__(self, pipe: int, logger: logging.Logger) -> None:
        self.pipe = pipe
        self.logger = logger
        self.rest = b""
        os.set_blocking(pipe, False)

    def read(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while data := os.read(self.pipe, _CHUNK):
                *lines, self.rest = (self.rest + data).split(b"\n")
                for line in lines:
                    level, text = json.loads(line)
                    self.logger.log(level, "%s", text)


@contextlib.contextmanager
def _pipe() -> Iterator[tuple[int, int]]:
    read_end, write_end = os.pipe()
    try:
        yield read_end, write_end
    finally:
        os.close(read_end)
        os.close(write_end)


def _write(pipe: int) -> None:
    with contextlib.suppress(OSError):
        os.write(pipe, b"x")


def _print_line(stream: int, line: str) -> None:
    print(line, file=sys.stdout if stream == 1 else sys.stderr)
