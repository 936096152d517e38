"""Event loops that are used again: nothing of one call reaches the next, nothing blocks, nothing leaks."""

from __future__ import annotations

import asyncio
import contextvars
import os
import threading
from typing import Any

import pytest

from flowhub_assets.nodes.event_loops import run_in_loop
from flowhub_assets.runtime.child import run_in_child

NAME: contextvars.ContextVar[str] = contextvars.ContextVar("name", default="")


async def loop_of_this() -> asyncio.AbstractEventLoop:
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


def test_a_loop_is_used_again() -> None:
    assert run_in_loop(loop_of_this()) is run_in_loop(loop_of_this())


def test_a_loop_in_which_something_still_runs_is_not() -> None:
    ended = []

    async def forgets() -> asyncio.AbstractEventLoop:
        async def forgotten() -> None:
            try:
                await asyncio.sleep(600)
            finally:
                ended.append(True)

        task = asyncio.create_task(forgotten())
        await asyncio.sleep(0)
        assert not task.done()
        return asyncio.get_running_loop()

    first = run_in_loop(forgets())
    assert ended == [True]
    assert first.is_closed()
    assert run_in_loop(loop_of_this()) is not first


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt, asyncio.CancelledError])
def test_what_is_raised_comes_out_and_the_loop_is_closed(error: type[BaseException]) -> None:
    seen: list[asyncio.AbstractEventLoop] = []

    async def fails() -> None:
        seen.append(asyncio.get_running_loop())
        raise error

    with pytest.raises(error):
        run_in_loop(fails())
    assert seen[0].is_closed()


def test_side_by_side_each_thread_has_its_own() -> None:
    barrier = threading.Barrier(4, timeout=60)
    loops: list[Any] = []

    async def meets() -> None:
        await asyncio.to_thread(barrier.wait)
        loops.append(asyncio.get_running_loop())

    threads = [threading.Thread(target=lambda: run_in_loop(meets()), daemon=True) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert len({id(loop) for loop in loops}) == 4


def test_the_context_of_the_caller_is_seen_and_not_changed() -> None:
    async def reads_and_writes() -> str:
        before = NAME.get()
        NAME.set("inside")
        return before

    token = NAME.set("outside")
    assert run_in_loop(reads_and_writes()) == "outside"
    assert NAME.get() == "outside"

    async def within_a_loop() -> str:
        return run_in_loop(reads_and_writes())

    assert asyncio.run(within_a_loop()) == "outside"
    NAME.reset(token)


def test_a_thread_that_blocks_is_not_waited_for() -> None:
    blocked, release = threading.Event(), threading.Event()

    def block() -> None:
        blocked.set()
        release.wait(60)

    async def gives_up() -> None:
        waiting = asyncio.create_task(asyncio.to_thread(block))
        while not blocked.is_set():
            await asyncio.sleep(0.01)
        waiting.cancel()
        raise ValueError("given up")

    try:
        with pytest.raises(ValueError, match="given up"):
            run_in_loop(gives_up())
        assert not release.is_set()
    finally:
        release.set()


def test_a_child_uses_no_loop_of_its_parent() -> None:
    mine = run_in_loop(loop_of_this())
    assert run_in_child(lambda: run_in_loop(loop_of_this()) is mine, 60) is False
    assert run_in_loop(loop_of_this()) is mine


def test_no_file_descriptor_is_left_open() -> None:
    for _ in range(20):  # each closes a loop that other tests have left idle
        with pytest.raises(ZeroDivisionError):
            run_in_loop(divide())
    run_in_loop(loop_of_this())
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(5):
        run_in_loop(loop_of_this())
        with pytest.raises(ZeroDivisionError):
            run_in_loop(divide())
        run_in_loop(loop_of_this())
    assert sorted(os.listdir("/proc/self/fd")) == before


async def divide() -> float:
    return 1 / 0
