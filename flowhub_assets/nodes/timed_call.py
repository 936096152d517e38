"""A blocking call of a driver that a node waits for: bounded in time, and told to stop when the run is."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import Callable
from typing import TypeVar

from flowhub_assets.nodes.daemon_call import in_daemon_thread
from flowhub_assets.nodes.sdk import NodeError

Result = TypeVar("Result")


async def timed_call(
    call: Callable[[], Result], *, seconds: float, system: str, stop: Callable[[], object] | None = None
) -> Result:
    """What ``call()`` returns or raises, called in a thread.

    Raises NodeError, which may be retried, where it takes longer than ``seconds``; ``system`` is the other side's
    name in the message. Then, and where the step is cancelled, nobody waits for it any more: ``stop`` tells the
    other side, from a thread of its own, and may fail.
    """
    try:
        async with asyncio.timeout(seconds) as deadline:
            return await in_daemon_thread(call)
    except asyncio.CancelledError:
        _tell(stop)
        raise
    except TimeoutError:
        if not deadline.expired():
            raise
        _tell(stop)
        raise timed_out(system, seconds) from None


def timed_out(system: str, seconds: float) -> NodeError:
    """The error for a ``system`` that did not answer in time."""
    return NodeError(
        f"{system} did not answer within {seconds:g} s",
        remedy="See whether it is under load, or raise timeout in the node's config.",
    )


def _tell(stop: Callable[[], object] | None) -> None:
    if stop is None:
        return

    def tell() -> None:
        # The other side may be gone; the call is given up either way.
        with contextlib.suppress(Exception):
            stop()

    threading.Thread(target=tell, name="flowhub-stop-call", daemon=True).start()
