"""A real PostgreSQL for tests and benchmarks: a cluster of its own in a new folder, on a free port of the loopback.

    with postgres_server() as url: ...

or, in a test module, ``from flowhub_assets_tests.postgres_server import shared_postgres`` (a pytest fixture).

The programs and the cluster are those of the demo. The way of the package pgserver is not used: as root it adds a user
to the machine and opens the folders above the cluster to everybody. PostgreSQL refuses to run as root, so there it runs
as ``nobody``, in a folder that belongs to ``nobody``.
"""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from flowhub_assets.cli import demo_postgres
from flowhub_assets_tests.loopback_server import free_port

_READY_SECONDS = 60.0


@dataclass(frozen=True)
class PostgresServer:
    """A running server; ``process`` is its postmaster, whose end by SIGKILL is that of a power cut."""

    host: str
    port: int
    password: str
    process: subprocess.Popen[bytes]

    def url(self, database: str = "postgres") -> str:
        """``postgresql://user:password@host:port/database``."""
        return f"postgresql://{demo_postgres.USER}:{self.password}@{self.host}:{self.port}/{database}"

    def new_database(self) -> str:
        """Makes an empty database; returns its URL."""
        import psycopg2

        name = f"d{secrets.token_hex(6)}"
        with contextlib.closing(psycopg2.connect(self.url())) as connection:
            connection.autocommit = True
            with connection.cursor() as cursor:
                cursor.execute(f"CREATE DATABASE {name}")
        return self.url(name)

    def stop(self) -> None:
        """Ends it at once, in order; SIGKILL where that takes too long."""
        demo_postgres.stop(self.process)


@contextlib.contextmanager
def postgres_server(durable: bool = False) -> Iterator[str]:
    """Starts a server, yields the URL of an empty database and stops it; ``durable`` as in ``running_postgres``."""
    with running_postgres(durable) as server:
        yield server.new_database()


@contextlib.contextmanager
def running_postgres(durable: bool = False) -> Iterator[PostgresServer]:
    """Starts a server and stops it at the end; ``durable``: it waits for the disk as the default settings do."""
    # Not below pytest's folders: those are closed to everybody but their owner.
    folder = Path(tempfile.mkdtemp(prefix="flowhub-postgres-"))
    try:
        with _started(folder, durable) as server:
            yield server
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture(scope="session")
def shared_postgres() -> Iterator[PostgresServer]:
    """One server for a whole test run; each test takes a ``new_database()`` of it."""
    with running_postgres() as server:
        yield server


@contextlib.contextmanager
def _started(folder: Path, durable: bool) -> Iterator[PostgresServer]:
    user = demo_postgres.UNPRIVILEGED if os.geteuid() == 0 else None
    if user:
        shutil.chown(folder, user)
    password, port = secrets.token_hex(12), free_port()
    programs = demo_postgres.installation(folder, root=user is not None)
    demo_postgres.make_cluster(programs, folder, password, user)
    settings = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": ""}
    settings |= {} if durable else demo_postgres.FAST
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    process = subprocess.Popen(
        [programs / "bin/postgres", "-D", folder / "cluster", *arguments],
        user=user,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        # Ctrl-C of a test run reaches the tests, which then stop the server.
        start_new_session=True,
    )
    server = PostgresServer("127.0.0.1", port, password, process)
    try:
        _wait_until_ready(server)
        yield server
    finally:
        server.stop()


def _wait_until_ready(server: PostgresServer) -> None:
    import psycopg2

    last = time.monotonic() + _READY_SECONDS
    while time.monotonic() < last:
        if server.process.poll() is not None:
            raise RuntimeError(f"postgres ended at once, exit code {server.process.returncode}")
        try:
            psycopg2.connect(server.url(), connect_timeout=2).close()
        except psycopg2.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise TimeoutError(f"postgres did not answer within {_READY_SECONDS:.0f} s")
