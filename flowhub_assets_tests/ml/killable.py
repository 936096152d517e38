"""Servers that a test kills as a power cut would, and starts again where they were: S3, PostgreSQL, MLflow."""

from __future__ import annotations

import contextlib
import os
import secrets
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import psycopg2

from flowhub_assets.cli import demo_postgres
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.postgres_server import running_postgres
from flowhub_assets_tests.s3_server import rclone_binary

_SECONDS_TO_START = 120.0


class Killable:
    """A process by its ``command``; ``answers`` says whether it does its work."""

    def __init__(
        self,
        command: Sequence[str | Path],
        answers: Callable[[], bool],
        log: Path,
        environment: Mapping[str, str] | None = None,
        user: str | None = None,
    ) -> None:
        self._command, self._answers, self._log = command, answers, log
        self._environment, self._user = {**os.environ, **(environment or {})}, user
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Starts it, and waits until it answers."""
        with self._log.open("ab") as log:
            self._process = subprocess.Popen(
                self._command, env=self._environment, user=self._user, cwd="/", stdout=log, stderr=log,
                stdin=subprocess.DEVNULL, start_new_session=True,
            )  # fmt: skip
        last = time.monotonic() + _SECONDS_TO_START
        while not self._answers():
            lives = self._process.poll() is None
            assert lives, self._log.read_text()[-3_000:]
            assert time.monotonic() < last, self._log.read_text()[-3_000:]
            time.sleep(0.1)

    def kill(self) -> None:
        """SIGKILL to it and to all that it has started."""
        if self._process is not None:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait(timeout=30)

    @contextlib.contextmanager
    def killed_for(self, seconds: float) -> Iterator[None]:
        """Killed as the block begins, there again so many seconds later; the block ends when it answers."""
        self.kill()
        again = threading.Timer(seconds, self.start)
        again.start()
        try:
            yield
        finally:
            again.join()


@contextlib.contextmanager
def killable_s3(folder: Path) -> Iterator[tuple[Killable, dict[str, str]]]:
    """An S3 server with the bucket ``team-ml``; the profile of that bucket."""
    (folder / "team-ml").mkdir(parents=True)
    access, secret, port = "AK" + secrets.token_hex(9).upper(), secrets.token_hex(20), free_port()
    command = [rclone_binary(), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", os.devnull, str(folder)]
    server = Killable(
        command,
        lambda: _answers(f"http://127.0.0.1:{port}"),
        folder.with_name("s3.log"),
        {"RCLONE_AUTH_KEY": f'"{access},{secret}"'},
    )
    profile = {
        "BUCKET": "team-ml",
        "REGION_NAME": "us-east-1",
        "ENDPOINT": f"http://127.0.0.1:{port}",
        "ACCESS_KEY": access,
        "SECRET_KEY": secret,
    }
    with _running(server):
        yield server, profile


@contextlib.contextmanager
def killable_postgres(folder: Path) -> Iterator[tuple[Killable, str]]:
    """A PostgreSQL, and the URL of an empty database in it. Its cluster waits for the disk: a kill loses nothing."""
    with running_postgres(durable=True) as first:
        url, arguments = first.new_database(), list(map(os.fsdecode, first.process.args))  # type: ignore[arg-type]
        user = demo_postgres.UNPRIVILEGED if os.geteuid() == 0 else None
        first.stop()
        cluster = Path(arguments[arguments.index("-D") + 1])

        def answers() -> bool:
            try:
                psycopg2.connect(url, connect_timeout=2).close()
            except psycopg2.OperationalError:
                return False
            return True

        server = Killable(arguments, answers, folder / "postgres.log", user=user)
        with _running(server):
            yield server, url
        assert cluster.is_dir()


@contextlib.contextmanager
def killable_mlflow(folder: Path, database: str, storage: Mapping[str, str]) -> Iterator[tuple[Killable, str]]:
    """An MLflow server over that database, which keeps artifacts in the bucket of the profile ``storage``; its URL."""
    port = free_port()
    url = f"http://127.0.0.1:{port}"
    command = [
        sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers", "1",
        "--backend-store-uri", database, "--artifacts-destination", f"s3://{storage['BUCKET']}/mlflow",
    ]  # fmt: skip
    environment = {
        "AWS_ACCESS_KEY_ID": storage["ACCESS_KEY"],
        "AWS_SECRET_ACCESS_KEY": storage["SECRET_KEY"],
        "AWS_DEFAULT_REGION": storage["REGION_NAME"],
        "MLFLOW_S3_ENDPOINT_URL": storage["ENDPOINT"],
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    server = Killable(command, lambda: _answers(f"{url}/health"), folder / "mlflow.log", environment)
    with _running(server):
        yield server, url


@contextlib.contextmanager
def _running(server: Killable) -> Iterator[None]:
    try:
        server.start()
        yield
    finally:
        server.kill()


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(url, timeout=5):
            return True
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
