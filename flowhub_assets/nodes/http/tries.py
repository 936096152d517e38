"""Another try of an HTTP call: after which failures, and when."""

from __future__ import annotations

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from flowhub_assets.nodes.http.call import HttpFailed
from flowhub_assets.nodes.sdk import NodeContext

#: Seconds: a server that asks for more is not waited for.
LONGEST_PAUSE = 60.0

#: Methods that may be repeated without harm (RFC 9110, 9.2.2).
IDEMPOTENT_METHODS = frozenset(["GET", "HEAD", "PUT", "DELETE", "OPTIONS"])

Result = TypeVar("Result")


@dataclass(frozen=True)
class Tries:
    """How often a call is repeated, ``times`` beyond the first, and when.

    The first pause is about ``delay`` seconds, each further one twice the one before, a minute at most; what a
    server asks for with Retry-After comes first. With ``harmless`` a call is repeated whatever went wrong in
    passing, without it only if the server cannot have acted on it.
    """

    times: int
    delay: float
    harmless: bool


async def with_tries(once: Callable[[], Awaitable[Result]], tries: Tries, context: NodeContext) -> tuple[Result, int]:
    """What ``once`` gives, and at which try. Raises the HttpFailed of the last try."""
    attempt = 1
    while True:
        try:
            return await once(), attempt
        except HttpFailed as error:
            if attempt > tries.times or not error.retry or not (tries.harmless or not error.worked_on):
                _say_tries(error, attempt)
                raise
            pause = _pause(tries, attempt, error)
            context.logger.warning("%s; another try in %.1f s", error.what, pause)
        await asyncio.sleep(pause)
        attempt += 1


def _pause(tries: Tries, attempt: int, error: HttpFailed) -> float:
    if error.pause is not None:
        if error.pause > LONGEST_PAUSE:
            error.remedy = f"The server asks to wait {error.pause:,.0f} s: give the node a retry with such a delay."
            raise error
        return error.pause
    # Many nodes that were refused together do not come back together.
    planned: float = min(tries.delay * 2.0 ** (attempt - 1), LONGEST_PAUSE)
    return planned * random.uniform(0.75, 1.25)  # noqa: S311


def _say_tries(error: HttpFailed, attempt: int) -> None:
    if attempt > 1:
        error.what = f"{error.what} (after {attempt} tries)"
        error.args = (error.what,)
