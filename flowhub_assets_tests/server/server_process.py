"""``flowhub serve`` as a process of its own, which a test may kill."""

from __future__ import annotations

import os
import shutil
import signal
import ssl
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import httpx

from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.loopback_server import free_port


def within(seconds: float, holds: Callable[[], Any]) -> Any:
    """What ``holds`` gives once it is true. Fails if that takes longer."""
    last = time.monotonic() + seconds
    while not (found := holds()):
        assert time.monotonic() < last, f"it did not come within {seconds:.0f} s"
        time.sleep(0.2)
    return found


class ServerProcess:
    """Over the pipelines in ``base/workflows``; Dagster's storage and ours are in ``base/home``."""

    def __init__(self, base: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
        self.base = base
        self.port, self.grpc_port = free_port(), free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self._arguments = arguments
        self._environment = environment or {}
        self.process: subprocess.Popen[bytes] | None = None
        (base / "workflows").mkdir(exist_ok=True)
        home = base / "home"
        home.mkdir(exist_ok=True)
        if not (home / "dagster.yaml").exists():
            shutil.copy(ROOT / "deploy" / "dagster.yaml", home / "dagster.yaml")

    @property
    def environment(self) -> dict[str, str]:
        """That of a command that is to see the same Dagster and the same pipelines."""
        kept = {key: value for key, value in os.environ.items() if not key.startswith(("FLOWHUB_", "DAGSTER_"))}
        own = {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DAGSTER_HOME": str(self.base / "home"),
            "FLOWHUB_PIPELINES": str(self.base / "workflows"),
            "DAGSTER_DISABLE_TELEMETRY": "yes",
        }
        return {**kept, **own, **self._environment}

    def start(self, seconds: float = 90, verify: ssl.SSLContext | bool = True) -> None:
        """Starts it and waits until it answers; ``verify`` is what its certificate is checked against."""
        with (self.base / "server.log").open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "flowhub_assets.cli", "serve", "--rate", "0"),
                    *("--port", str(self.port), "--grpc-port", str(self.grpc_port), *self._arguments),
                ],
                cwd=self.base,
                env=self.environment,
                stdout=log,
                stderr=log,
            )
        last = time.monotonic() + seconds
        while time.monotonic() < last:
            assert self.process.poll() is None, self.log()
            try:
                if httpx.get(f"{self.url}/readyz", timeout=5, verify=verify).status_code == 200:
                    return
            except httpx.TransportError:
                pass
            time.sleep(0.1)
        raise TimeoutError(self.log())

    def kill(self) -> None:
        """SIGKILL: as a machine that is switched off."""
        self._end(signal.SIGKILL)

    def stop(self) -> int:
        """SIGTERM; its exit status."""
        return self._end(signal.SIGTERM)

    def log(self) -> str:
        """What it has printed, all starts of it."""
        return (self.base / "server.log").read_text()

    def _end(self, number: int) -> int:
        if self.process is None:
            return 0
        if self.process.poll() is None:
            self.process.send_signal(number)
        try:
            return self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(10)
            raise

    def __enter__(self) -> ServerProcess:
        self.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()
