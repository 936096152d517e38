"""A real MLflow server on a free port, over any backend store; it and its workers end with the block."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flowhub_assets_tests.loopback_server import free_port

_SECONDS_TO_START = 90.0


@contextmanager
def mlflow_server(store: str, port: int | None = None) -> Iterator[str]:
    """The URL of a server over the backend ``store``, sqlite:///... say; its artifacts lie in a folder of its own."""
    with tempfile.TemporaryDirectory(prefix="mlflow-") as folder:
        port = port or free_port()
        command = [sys.executable, "-m", "mlflow", "server", "--backend-store-uri", store, "--port", str(port)]
        command += ["--artifacts-destination", f"{folder}/artifacts", "--workers", "1"]
        log = Path(folder) / "log"
        with log.open("wb") as out:
            # Its workers are children of its own: the whole session ends with it.
            process = subprocess.Popen(command, stdout=out, stderr=out, cwd=folder, start_new_session=True)
        try:
            _wait(f"http://127.0.0.1:{port}", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


def _wait(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + _SECONDS_TO_START
    while time.monotonic() < end and process.poll() is None:
        try:
            with urllib.request.urlopen(f"{url}/health", timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.1)
    raise AssertionError(f"MLflow did not start:\n{log.read_text(errors='replace')[-2000:]}")
