"""The first process of a step's pod in the code location's image: runs Dagster's, and takes SIGTERM in its place.

    python -m flowhub_assets.executor.kubernetes.step_in_pod dagster api execute_step ...

Dagster's process would write down that the step has failed. But the cluster may only want the pod's place: what the end
of a pod means is decided by the run worker, which knows why it came.
"""

from __future__ import annotations

import os
import signal
import sys
import time
from contextlib import suppress
from types import FrameType
from typing import NoReturn

#: Seconds for the finally blocks of tasks; Kubernetes gives a pod 30 by default.
_GRACE = 25.0
_LOOK = 0.05


def main() -> None:
    """Runs the command that its arguments are; ends as that ends."""
    child = 0

    def end(_number: int, _frame: FrameType | None) -> NoReturn:
        if child:
            _end_tasks(child)
        os._exit(128 + signal.SIGTERM)

    signal.signal(signal.SIGTERM, end)
    child = os.fork()
    if child == 0:
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.execvp(sys.argv[1], sys.argv[1:])
    while True:
        ended, status = os.wait()  # as the first process of a container, it is also told of what nobody else waits for
        if ended == child:
            code = os.waitstatus_to_exitcode(status)
            os._exit(128 - code if code < 0 else code)


def _end_tasks(dagster: int) -> None:
    """SIGTERM to the processes in which tasks run, and time for what they do then; Dagster's own is held meanwhile."""
    with suppress(ProcessLookupError):
        os.kill(dagster, signal.SIGSTOP)
    tasks = _running_children(dagster)
    for task in tasks:
        with suppress(ProcessLookupError):
            os.kill(task, signal.SIGTERM)
    until = time.monotonic() + _GRACE
    while tasks and time.monotonic() < until:
        time.sleep(_LOOK)
        tasks = _running_children(dagster)
    with suppress(ProcessLookupError):
        os.kill(dagster, signal.SIGKILL)


def _running_children(parent: int) -> list[int]:
    """The processes that ``parent`` has started and that have not ended, whether or not it knows."""
    found = []
    for name in filter(str.isdecimal, os.listdir("/proc")):
        with suppress(OSError):
            with open(f"/proc/{name}/stat", encoding="utf-8", errors="replace") as file:
                # The process's name, in parentheses, may hold any character.
                state, its_parent = file.read().rpartition(")")[2].split()[:2]
            if its_parent == str(parent) and state != "Z":
                found.append(int(name))
    return found


if __name__ == "__main__":
    main()
