"""Blocking calls beside an event loop that can be left behind."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import TypeVar

Result = TypeVar("Result")


async def in_daemon_thread(function: Callable[..., Result], *args: object) -> Result:
    """What ``function(*args)`` returns or raises, called in a daemon thread with this task's context.

    Unlike with asyncio.to_thread, a cancelled caller goes on at once and the end of the loop waits for nothing:
    a name server that does not answer, or a slow upload, holds up no run that is being stopped. The call itself
    goes on to its end; its result is then dropped.
    """
    loop = asyncio.get_running_loop()
    answer: asyncio.Future[Result] = loop.create_future()
    context = contextvars.copy_context()

    def settle(result: Result | None, error: BaseException | None) -> None:
        if answer.done():
            return
        if error is not None:
            answer.set_exception(error)
        else:
            answer.set_result(result)  # type: ignore[arg-type]

    def call() -> None:
        result, failure = None, None
        try:
            result = context.run(function, *args)
        except BaseException as error:  # noqa: BLE001 - it is raised where the answer is awaited
            failure = error
        try:
            loop.call_soon_threadsafe(settle, result, failure)
        except RuntimeError:
            # The loop has ended meanwhile.
            return

    threading.Thread(target=call, name="flowhub-daemon-call", daemon=True).start()
    return await answer
