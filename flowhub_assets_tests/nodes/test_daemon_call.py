from __future__ import annotations

import asyncio
import contextvars
import threading

import pytest

from flowhub_assets.nodes.daemon_call import in_daemon_thread

COLOUR = contextvars.ContextVar("colour", default="none")


def test_it_gives_what_the_call_gives() -> None:
    assert asyncio.run(in_daemon_thread(divmod, 7, 2)) == (3, 1)


def test_it_raises_what_the_call_raises() -> None:
    with pytest.raises(ZeroDivisionError):
        asyncio.run(in_daemon_thread(divmod, 7, 0))


def test_the_call_sees_the_task_s_context() -> None:
    async def coloured() -> str:
        COLOUR.set("red")
        return await in_daemon_thread(COLOUR.get)

    assert asyncio.run(coloured()) == "red"


def test_a_cancelled_caller_does_not_wait() -> None:
    go_on, begun, ended = threading.Event(), threading.Event(), threading.Event()

    def slow() -> None:
        begun.set()
        go_on.wait(20)
        ended.set()

    async def cancelled() -> None:
        task = asyncio.ensure_future(in_daemon_thread(slow))
        while not begun.is_set():
            await asyncio.sleep(0.001)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(cancelled())
    # The loop has ended although the call goes on; what it gives then disturbs nobody.
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(20)
