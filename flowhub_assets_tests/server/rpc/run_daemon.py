"""Stands for Dagster's daemon and its run workers, in a process of its own: a server with gRPC's threads cannot fork.

python -m flowhub_assets_tests.server.rpc.run_daemon FOLDER BASE: runs what waits until its input is closed.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

from flowhub_assets_tests.server.backends import backend_over
from flowhub_assets_tests.server.rpc.rpc_servers import run_here


@contextlib.contextmanager
def run_daemon(folder: Path, base: Path) -> Iterator[None]:
    """While it is there, runs of the backend over ``folder`` and ``base`` are run."""
    command = [sys.executable, "-m", "flowhub_assets_tests.server.rpc.run_daemon", str(folder), str(base)]
    with subprocess.Popen(command, stdin=subprocess.PIPE) as process:
        try:
            yield
        finally:
            process.communicate(timeout=60)
    assert process.returncode == 0


def main(folder: str, base: str) -> None:
    """Looks for runs that wait, and runs them one after the other."""
    ended = threading.Event()

    def wait() -> None:
        sys.stdin.buffer.read()
        ended.set()

    threading.Thread(target=wait, daemon=True).start()
    with backend_over(Path(folder), Path(base)) as backend:
        while not ended.wait(0.05):
            for run in backend.instance.get_runs():
                if run.status.value == "QUEUED":
                    run_here(backend, run.run_id)


if __name__ == "__main__":
    main(*sys.argv[1:])
