"""The process of one run, forked from one that has imported what it needs: it runs ``dagster api execute_run``."""

from __future__ import annotations

import json
import os
import signal
import sys
import traceback
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NoReturn

from flowhub_assets.executor import step_log
from flowhub_assets.executor.dagster_private import dagster_command, job_of, report_crash
from flowhub_assets.executor.forked import loaded_code
from flowhub_assets.executor.forked.holding import forget, holding
from flowhub_assets.runtime.forking import seed_anew


@dataclass(frozen=True)
class Order:
    """A run to be worked on: ``arguments`` are those of execute_run, ``folder`` is that of ``holding``.

    A worker may wish for modules once; the one that is forked when they are there takes what there is.
    """

    run_id: str
    arguments: str
    folder: str
    may_wish: bool = True

    def without_wishes(self) -> Order:
        """The order of the worker that is forked once the wishes were looked at."""
        return replace(self, may_wish=False)


def work(order: Order, wishes: int) -> NoReturn:
    """Runs it and ends the process. What is written to the pipe ``wishes`` is imported before the next fork."""

    def run() -> None:
        with holding(Path(order.folder), order.run_id) as is_mine:
            if is_mine and not (order.may_wish and _has_wished(order.arguments, wishes)):
                os.close(wishes)
                dagster_command()(["api", "execute_run", order.arguments])

    _as_process(run)


def tell_of_crash(order: Order, pid: int, status: int) -> NoReturn:
    """Tells Dagster that the run's worker has ended by itself, if its run has not ended; ends the process."""

    def tell() -> None:
        forget(Path(order.folder), order.run_id)
        report_crash(order.arguments, pid, status)

    _as_process(tell)


def _has_wished(arguments: str, wishes: int) -> bool:
    """Whether the run's pipeline names modules that would be imported for it, and the next."""
    try:
        told = job_of(arguments).metadata.get(loaded_code.IMPORTS)
    except Exception:  # noqa: BLE001 - Dagster tells of code that does not load, as it executes the run
        return False
    missing = loaded_code.installed_only(str(told.value).split(", ")) if told is not None else []
    if missing:
        os.write(wishes, json.dumps(missing).encode())
    return bool(missing)


def _as_process(do: Callable[[], object]) -> NoReturn:
    """Does it as a process of its own, not as the copy of another, and ends that."""
    # What is forked here is a run worker, not the child of one.
    step_log._is_fork = False
    signal.signal(signal.SIGINT, signal.default_int_handler)
    seed_anew()
    status = 1
    try:
        do()
        status = 0
    except SystemExit as end:
        status = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:  # noqa: BLE001 - the parent's frames below this one are not to run in its copy
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(status)
