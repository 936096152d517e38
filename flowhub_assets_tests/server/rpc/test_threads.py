"""What blocks is done in so many threads at most, and never in the loop's own."""

from __future__ import annotations

import asyncio
import threading

import pytest

from flowhub_assets.server.rpc.threads import Threads


def test_so_many_work_at_a_time_and_the_loop_goes_on() -> None:
    at_work, most, lock, go_on = 0, 0, threading.Lock(), threading.Event()

    def work(number: int) -> tuple[int, str]:
        nonlocal at_work, most
        with lock:
            at_work += 1
            most = max(most, at_work)
        assert go_on.wait(60)
        with lock:
            at_work -= 1
        return number, threading.current_thread().name

    async def ask() -> list[tuple[int, str]]:
        threads = Threads(3, "asked")
        tasks = [asyncio.create_task(threads.do(work, number)) for number in range(10)]
        while at_work < 3:
            await asyncio.sleep(0.01)
        go_on.set()
        done = await asyncio.gather(*tasks)
        threads.close()
        return done

    done = asyncio.run(asyncio.wait_for(ask(), 60))
    assert [number for number, _ in done] == list(range(10))
    assert all(name.startswith("asked") for _, name in done)
    assert most == 3


def test_an_error_comes_to_who_asked_and_who_comes_late_is_refused() -> None:
    async def ask() -> None:
        threads = Threads(1, "asked")
        with pytest.raises(ZeroDivisionError):
            await threads.do(divmod, 1, 0)
        threads.close()
        with pytest.raises(RuntimeError):
            await threads.do(divmod, 1, 1)

    asyncio.run(ask())
