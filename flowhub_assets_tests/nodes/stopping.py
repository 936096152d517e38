"""Runs a node in a thread and stops it, as a run that is cancelled does."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from flowhub_assets.errors import TaskCancelled
from flowhub_assets.nodes import NodeContext
from flowhub_assets.runtime.step_context import Cancellation

_MOST_SECONDS = 60.0


def until(there: Callable[[], object]) -> None:
    """Waits until ``there()`` says so."""
    end = time.monotonic() + _MOST_SECONDS
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def stopped(call: Callable[[NodeContext], Any], context: NodeContext, when: Callable[[], object]) -> None:
    """Calls it with a cancellation, which is set once ``when()`` holds; it must end as a cancelled node does."""
    cancellation = Cancellation()
    raised: list[BaseException] = []

    def target() -> None:
        with pytest.raises(TaskCancelled) as caught:
            call(replace(context, cancellation=cancellation))
        raised.append(caught.value)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    until(when)
    cancellation.set()
    thread.join(_MOST_SECONDS)
    assert raised
