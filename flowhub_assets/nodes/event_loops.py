"""Runs a coroutine as asyncio.run does, in an event loop that was used before: making one costs more than a light node.

Nothing of one call is left for the next: a loop in which a task still runs is closed. Threads of asyncio.to_thread
are not waited for, so that one which blocks holds up neither a timeout nor a run that is being stopped.
"""

from __future__ import annotations

import asyncio
import atexit
import contextvars
import os
import threading
from collections.abc import Coroutine
from typing import Any, TypeVar

_MOST_IDLE = 16

Value = TypeVar("Value")

_idle: list[asyncio.AbstractEventLoop] = []
_of_parent: list[list[asyncio.AbstractEventLoop]] = []


def run_in_loop(main: Coroutine[Any, Any, Value]) -> Value:
    """What ``main`` returns; raises what it raises. May be called where this thread runs a loop already, too.

    That is so in a notebook and in an async test; it runs in another thread then, and this one waits.
    """
    return _run_beside(main) if _has_loop() else _run_here(main)


def _run_here(main: Coroutine[Any, Any, Value]) -> Value:
    try:
        loop = _idle.pop()
    except IndexError:
        loop = asyncio.new_event_loop()
    try:
        value = loop.run_until_complete(main)
    except BaseException:
        _close(loop)
        raise
    if asyncio.all_tasks(loop) or len(_idle) >= _MOST_IDLE:
        _close(loop)
    else:
        _idle.append(loop)
    return value


def _run_beside(main: Coroutine[Any, Any, Value]) -> Value:
    result: list[Value] = []
    failure: list[BaseException] = []
    surroundings = contextvars.copy_context()

    def target() -> None:
        try:
            result.append(surroundings.run(_run_here, main))
        except BaseException as error:  # noqa: BLE001 - raised again in the thread that waits
            failure.append(error)

    thread = threading.Thread(target=target, name="flowhub-node")
    thread.start()
    thread.join()
    if failure:
        raise failure[0]
    return result[0]


def _has_loop() -> bool:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return False
    return True


def _close(loop: asyncio.AbstractEventLoop) -> None:
    try:
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        if tasks:
            loop.run_until_complete(asyncio.wait(tasks))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()


def _forget_in_child() -> None:
    # A child shares the selectors of its parent's loops: to use one, or only to close it, would change the parent's.
    global _idle
    _of_parent.append(_idle)
    _idle = []


def _close_idle() -> None:
    while _idle:
        _idle.pop().close()


os.register_at_fork(after_in_child=_forget_in_child)
atexit.register(_close_idle)
