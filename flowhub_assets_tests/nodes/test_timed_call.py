"""A blocking call that is bounded in time and told to stop."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flowhub_assets.nodes import NodeError
from flowhub_assets.nodes.timed_call import timed_call


def call(function: object, seconds: float = 30, stop: object = None) -> object:
    return asyncio.run(timed_call(function, seconds=seconds, system="The server", stop=stop))  # type: ignore[arg-type]


def test_it_gives_what_the_call_gives() -> None:
    assert call(lambda: 3) == 3
    with pytest.raises(ZeroDivisionError):
        call(lambda: 1 / 0)


def test_a_timeout_of_the_driver_stays_the_drivers() -> None:
    def late() -> None:
        raise TimeoutError("of the driver")

    with pytest.raises(TimeoutError, match="of the driver"):
        call(late)


def test_what_takes_too_long_is_told_and_stopped() -> None:
    told = threading.Event()
    with pytest.raises(NodeError, match=r"The server did not answer within 0\.05 s") as caught:
        call(lambda: told.wait(30), seconds=0.05, stop=told.set)
    assert caught.value.retry
    assert told.wait(30)


def test_a_stop_that_fails_hides_nothing() -> None:
    released = threading.Event()
    with pytest.raises(NodeError, match="did not answer"):
        call(lambda: released.wait(30), seconds=0.05, stop=lambda: 1 / 0)
    released.set()


def test_a_cancelled_step_tells_the_other_side_and_waits_for_nothing() -> None:
    told, begun, released = threading.Event(), threading.Event(), threading.Event()

    def wait() -> None:
        begun.set()
        released.wait(30)

    async def cancelled() -> None:
        waiting = asyncio.ensure_future(timed_call(wait, seconds=600, system="The server", stop=told.set))
        await asyncio.to_thread(begun.wait, 30)
        waiting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await waiting

    asyncio.run(cancelled())
    assert told.wait(30)
    assert not released.is_set()
    released.set()
