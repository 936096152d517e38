"""Dagster's own launcher for one machine, with run workers that start in milliseconds: each is forked.

    run_launcher:
      module: flowhub_assets.executor.forked.launcher
      class: ForkingRunLauncher
      config: {modules: [...]}  # imported once, for all run workers

Dagster starts a new Python for each run, which imports for seconds before the first step begins: Dagster, the code
location, and whatever the tasks use. Here a process beside the daemon (parent.py) has imported that and forks. It has
nothing of the user's own code, which each run reads anew. Runs of a code server elsewhere, of another Python, and runs
on systems where a fork is not safe are Dagster's own launcher's.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

from dagster import Array, DagsterRun, DefaultRunLauncher, Field
from typing_extensions import override

from flowhub_assets.errors import RunError
from flowhub_assets.executor.dagster_private import (
    GRPC_INFO_TAG,
    CheckRunHealthResult,
    LaunchRunContext,
    WorkerStatus,
    is_served_here,
    run_arguments,
    worker_health,
)
from flowhub_assets.executor.forked.holding import holder
from flowhub_assets.executor.forked.worker import Order

#: In Dagster's home: which process works on which run.
_FOLDER = "run_workers"
#: Seconds: for a process that imports Dagster and starts, or imports for another run; for a run's process to appear.
_START, _APPEAR = 120.0, 20.0


class ForkingRunLauncher(DefaultRunLauncher):
    """Launches runs as forks of a process that is started with the first of them, and ends after this one."""

    def __init__(self, inst_data: Any = None, modules: Sequence[str] = ()) -> None:
        super().__init__(inst_data)
        self._modules = list(modules)
        self._parent: socket.socket | None = None
        self._one_at_a_time = threading.Lock()

    @classmethod
    @override
    def config_type(cls) -> dict[str, Any]:
        return {"modules": Field(Array(str), is_required=False, default_value=[])}

    @classmethod
    @override
    def from_config_value(cls, inst_data: Any, config_value: Mapping[str, Any]) -> ForkingRunLauncher:
        return cls(inst_data, **config_value)

    @override
    def launch_run(self, context: LaunchRunContext) -> None:
        run = context.dagster_run
        if not sys.platform.startswith("linux") or self._instance.is_ephemeral or not is_served_here(run):
            super().launch_run(context)
            return
        pid = self._fork(Order(run.run_id, run_arguments(run, self._instance), str(self._folder)))
        self._instance.report_engine_event(f"Forked a process for the run (pid: {pid}).", run)
        self._run_ids.add(run.run_id)

    @override
    def terminate(self, run_id: str) -> bool:
        run = self._instance.get_run_by_id(run_id)
        if run is None or run.is_finished or GRPC_INFO_TAG in run.tags:
            of_dagster: Any = super().terminate
            return bool(of_dagster(run_id))
        self._instance.report_run_canceling(run)
        pid = self._appeared(run_id)
        if pid is None:
            self._instance.report_engine_event("No process works on the run.", run)
            return False
        os.kill(pid, signal.SIGTERM)
        return True

    @property
    @override
    def supports_check_run_worker_health(self) -> bool:
        return True

    @override
    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        if GRPC_INFO_TAG in run.tags:  # its code server looks after it
            return worker_health(WorkerStatus.RUNNING)
        pid = holder(self._folder, run.run_id)
        if pid is None:
            return worker_health(WorkerStatus.FAILED, "No process works on the run")
        return worker_health(WorkerStatus.RUNNING)

    @override
    def dispose(self) -> None:
        with self._one_at_a_time:
            self._let_go()

    @property
    def _folder(self) -> Path:
        return Path(self._instance.root_directory) / _FOLDER

    def _appeared(self, run_id: str) -> int | None:
        """The run's process; one that was forked just now is waited for."""
        until = time.monotonic() + _APPEAR
        while (pid := holder(self._folder, run_id)) is None and time.monotonic() < until:
            run = self._instance.get_run_by_id(run_id)
            if run is None or run.is_finished:
                return None
            time.sleep(0.1)
        return pid

    def _fork(self, order: Order) -> int:
        """The number of the process that was forked for it. Raises RunError where none could be."""
        with self._one_at_a_time:
            answer = self._asked(order)
            if "pid" not in answer:  # what it had imported has changed, or it was killed: a new one takes its place
                self._let_go()
                answer = self._asked(order)
            if "pid" not in answer:
                self._let_go()
                raise _not_started(order, "has ended by itself", "See what it has printed where dagster-daemon prints")
            return int(answer["pid"])

    def _asked(self, order: Order) -> dict[str, Any]:
        if self._parent is None:
            self._parent = self._started()
        try:
            self._parent.sendall(json.dumps(asdict(order)).encode() + b"\n")
            answer = _line(self._parent)
        except ConnectionError:
            return {}
        except TimeoutError:
            self._let_go()
            what, look = f"did not answer within {_START:.0f} s", "See whether the machine has memory and time left"
            raise _not_started(order, what, look) from None
        return json.loads(answer) if answer else {}

    def _started(self) -> socket.socket:
        here, there = socket.socketpair()
        with there:
            command = [sys.executable, "-m", f"{__package__}.parent", str(there.fileno()), *self._modules]
            subprocess.Popen(command, pass_fds=[there.fileno()], stdin=subprocess.DEVNULL)
        here.settimeout(_START)
        return here

    def _let_go(self) -> None:
        if self._parent is not None:
            self._parent.close()
            self._parent = None


def _line(stream: socket.socket) -> bytes:
    """The next line; nothing if the other side is gone. Raises TimeoutError."""
    told = b""
    while not told.endswith(b"\n"):
        more = stream.recv(4_096)
        if not more:
            return b""
        told += more
    return told


def _not_started(order: Order, what: str, look: str) -> RunError:
    return RunError(
        f"the process that forks run workers ({__package__}.parent) {what}",
        where=f"run {order.run_id}",
        effect="The run was not started.",
        remedy=f"{look}, and launch the run again.",
    )
