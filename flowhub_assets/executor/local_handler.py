"""The step handler of one machine: a heavy step is a process, ``dagster api execute_step``, of its own."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator

from dagster import serialize_value
from typing_extensions import override

from flowhub_assets.executor.dagster_private import (
    CheckStepHealthResult,
    DagsterEvent,
    StepHandler,
    StepHandlerContext,
)


class LocalStepHandler(StepHandler):
    """Starts each step in a session of its own, so that what the step starts ends with it."""

    def __init__(self) -> None:
        self._processes: dict[str, subprocess.Popen[bytes]] = {}

    @property
    @override
    def name(self) -> str:
        return "local"

    @override
    def launch_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        args = step_handler_context.execute_step_args
        key = _step_key(step_handler_context)
        yield DagsterEvent.step_worker_starting(
            step_handler_context.get_step_context(key), f"Launching a process for step {key}.", metadata={}
        )
        # Known state grows with the run; a command line or an environment variable ends at 128 KiB.
        with tempfile.TemporaryFile() as told:
            # Modules are looked for where this process found them, as multiprocessing does it.
            told.write(json.dumps({"path": sys.path, "args": serialize_value(args)}).encode())
            told.seek(0)
            self._processes[key] = subprocess.Popen(
                [sys.executable, "-m", "flowhub_assets.executor.step_process", str(os.getpid())],
                stdin=told,
                start_new_session=True,
            )

    @override
    def check_step_health(self, step_handler_context: StepHandlerContext) -> CheckStepHealthResult:
        process = self._processes.get(_step_key(step_handler_context))
        if process is None:
            return CheckStepHealthResult.unhealthy("its process was started by a run worker that is gone")
        status = process.poll()
        if status is None:
            return CheckStepHealthResult.healthy()
        return CheckStepHealthResult.unhealthy(_how_it_ended(status))

    @override
    def terminate_step(self, step_handler_context: StepHandlerContext) -> Iterator[DagsterEvent]:
        process = self._processes.get(_step_key(step_handler_context))
        if process is not None and process.poll() is None:
            _signal(process, signal.SIGTERM)
        yield from ()

    def close(self, grace: float) -> None:
        """Waits ``grace`` seconds for what was told to end, and kills the rest."""
        until = time.monotonic() + grace
        for process in self._processes.values():
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(max(0.0, until - time.monotonic()))
            if process.poll() is None:
                _signal(process, signal.SIGKILL)
                process.wait()
        self._processes.clear()


def _step_key(context: StepHandlerContext) -> str:
    (key,) = context.execute_step_args.step_keys_to_execute or ()
    return key


def _signal(process: subprocess.Popen[bytes], number: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError):
        os.killpg(process.pid, number)


def _how_it_ended(status: int) -> str:
    if status >= 0:
        return f"its process ended with exit code {status} before the step did"
    name = signal.Signals(-status).name if -status in set(signal.Signals) else f"signal {-status}"
    memory = " (out of memory, most likely, if nobody sent it)" if -status == signal.SIGKILL else ""
    return f"its process was ended by {name}{memory}"
