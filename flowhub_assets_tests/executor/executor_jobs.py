"""Jobs of the executor's tests, in a module of their own: a heavy step's process imports them by name."""

# No "from __future__ import annotations" here: Dagster reads annotations as types.
import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.executor.placement import HEAVY, LIGHT, MAX_CONCURRENT_TAG, PLACEMENT_TAG
from flowhub_assets.runtime.child import run_in_child
from flowhub_assets.runtime.step_context import current_step

LIGHTLY = {PLACEMENT_TAG: LIGHT}
HEAVILY = {PLACEMENT_TAG: HEAVY}


def folder() -> Path:
    """Where the ops of a test leave marks for it."""
    return Path(os.environ["EXECUTOR_TEST_FOLDER"])


def _mark(name: str, text: str = "") -> None:
    with (folder() / name).open("a") as file:
        file.write(f"{text or os.getpid()}\n")


@dg.op(tags=LIGHTLY)
def light_one() -> int:
    """Prints, logs, and tells which process it ran in."""
    print("printed by light_one")
    logging.getLogger("dagster").info("nobody's")
    _mark("light_one")
    return 1


@dg.op(tags=HEAVILY)
def heavy_plus_one(number: int) -> int:
    """Runs in a process of its own."""
    print("printed by heavy_plus_one")
    _mark("heavy_plus_one")
    return number + 1


@dg.op(tags=LIGHTLY)
def light_double(number: int) -> int:
    """Reads what a heavy step has saved."""
    _mark("light_double", str(number * 2))
    return number * 2


@dg.job(executor_def=hybrid_executor)
def mixed() -> None:
    """Light, heavy, light."""
    light_double(heavy_plus_one(light_one()))
