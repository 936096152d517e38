"""The process of one heavy step on this machine: ``dagster api execute_step``, which ends with its run worker."""

from __future__ import annotations

import json
import os
import signal
import sys
import threading
import time

#: Seconds between two looks whether the run worker still lives.
_WATCH = 0.5


def main() -> None:
    """Runs the step that standard input describes; the argument is the run worker's process id."""
    threading.Thread(target=_end_with, args=(int(sys.argv[1]),), daemon=True).start()
    told = json.load(sys.stdin)
    sys.path[:] = told["path"]
    from flowhub_assets.executor.dagster_private import dagster_command

    dagster_command()(["api", "execute_step", told["args"]])


def _end_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH)
    # This process leads its own group: whatever the step has started goes with it.
    os.killpg(os.getpid(), signal.SIGKILL)


if __name__ == "__main__":
    main()
