"""A PostgreSQL of the demo's own: a new cluster on a free port of the loopback, gone when the demo ends.

The programs come from the package pgserver, or from a PostgreSQL of the machine. PostgreSQL refuses to run as root;
there it runs as ``nobody``, in a folder that ``nobody`` can reach.
"""

from __future__ import annotations

import contextlib
import ctypes
import importlib.util
import os
import secrets
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from flowhub_assets.errors import FlowhubError

#: Of the folder of a server, before the id of the process that it belongs to.
_PREFIX = "demo-postgres-"
#: Whose the database is.
USER = "demo"
_DATABASE = "postgres"
#: As whom the server runs where the demo runs as root.
UNPRIVILEGED = "nobody"
_READY_SECONDS = 30.0
_PROGRAMS = "bin/initdb", "bin/postgres"
_PR_SET_PDEATHSIG = 1
#: It is gone with the demo, so nothing need survive a power cut.
FAST = {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}


class NoPostgres(FlowhubError):
    """PostgreSQL is not installed, or does not start."""


@contextlib.contextmanager
def demo_postgres(home: Path) -> Iterator[str]:
    """Starts a server below ``home`` (root: where ``nobody`` can be), yields the URL of an empty database, stops it.

    Raises NoPostgres.
    """
    root = os.geteuid() == 0
    # The folder of root's own checkout is often closed to everybody else.
    place = Path(tempfile.gettempdir()) if root else home
    _remove_left_over(place)
    folder = Path(tempfile.mkdtemp(prefix=f"{_PREFIX}{os.getpid()}-", dir=place))
    try:
        if root:
            shutil.chown(folder, UNPRIVILEGED)
        with _running(installation(folder, root), folder, UNPRIVILEGED if root else None) as url:
            yield url
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _remove_left_over(place: Path) -> None:
    """Removes the folders of those that were killed and could not do it themselves."""
    for folder in place.glob(f"{_PREFIX}*"):
        process = folder.name.removeprefix(_PREFIX).partition("-")[0]
        try:
            os.kill(int(process), 0)
        except ProcessLookupError:
            shutil.rmtree(folder, ignore_errors=True)
        except (ValueError, PermissionError, OverflowError):
            continue


def installation(folder: Path, root: bool) -> Path:
    """The folder with PostgreSQL's bin; a copy in ``folder`` where only root can read it. Raises NoPostgres."""
    package = importlib.util.find_spec("pgserver")
    places = [Path(package.origin).parent / "pginstall"] if package is not None and package.origin is not None else []
    on_path = shutil.which("postgres")
    places += [Path(on_path).resolve().parent.parent] if on_path else []
    places += sorted(Path("/usr/lib/postgresql").glob("*"), reverse=True)
    for place in places:
        if all((place / program).is_file() for program in _PROGRAMS):
            if not root or _open_to_all(place):
                return place
            return Path(shutil.copytree(place, folder / "postgresql", symlinks=True))
    raise NoPostgres(
        "PostgreSQL is not installed",
        effect="The pipelines that end in a database have none.",
        remedy="pip install pgserver, or install the system's PostgreSQL.",
    )


def _open_to_all(place: Path) -> bool:
    return all(folder.stat().st_mode & 0o005 == 0o005 for folder in (place, *place.parents))


@contextlib.contextmanager
def _running(programs: Path, folder: Path, user: str | None) -> Iterator[str]:
    password, port = secrets.token_hex(12), _free_port()
    make_cluster(programs, folder, password, user)
    settings = {"listen_addresses": "127.0.0.1", "port": str(port), "unix_socket_directories": "", **FAST}
    arguments = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    log = folder / "postgres.log"
    with log.open("wb") as out:
        process = subprocess.Popen(
            [programs / "bin/postgres", "-D", folder / "cluster", *arguments],
            user=user,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=out,
            # Ctrl-C is for the demo, which stops the server when its last run has ended.
            start_new_session=True,
            preexec_fn=_ends_with_parent(),
        )
    try:
        _wait_until_ready(process, port, log)
        yield f"postgresql://{USER}:{password}@127.0.0.1:{port}/{_DATABASE}"
    finally:
        stop(process)


def make_cluster(programs: Path, folder: Path, password: str, user: str | None) -> None:
    """Makes ``folder``/cluster, whose USER has that password; ``user`` owns it and is to run it. Raises NoPostgres."""
    password_file = folder / "password"
    password_file.touch(mode=0o600)
    password_file.write_text(password)
    if user:
        shutil.chown(password_file, user)
    made = subprocess.run(
        [
            *(programs / "bin/initdb", "-D", folder / "cluster", "-U", USER, "--pwfile", password_file),
            *("--auth", "scram-sha-256", "--encoding", "UTF8", "--locale", "C", "--no-sync"),
        ],
        user=user,
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    password_file.unlink()
    if made.returncode:
        raise _does_not_start(made.stderr)


def _wait_until_ready(process: subprocess.Popen[bytes], port: int, log: Path) -> None:
    ends = time.monotonic() + _READY_SECONDS
    while process.poll() is None and time.monotonic() < ends:
        # Its line in the log comes after the port is open and the database takes queries.
        if b"ready to accept connections" in log.read_bytes() and _answers(port):
            return
        time.sleep(0.05)
    raise _does_not_start(log.read_text("utf-8", "replace"))


def _answers(port: int) -> bool:
    with socket.socket() as client:
        return client.connect_ex(("127.0.0.1", port)) == 0


def _does_not_start(said: str) -> NoPostgres:
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    return NoPostgres(
        f"PostgreSQL does not start: {lines[-1] if lines else 'it says nothing'}",
        effect="The pipelines that end in a database have none.",
        remedy="See what it says; pip install --force-reinstall pgserver brings its programs anew.",
    )


def stop(process: subprocess.Popen[bytes]) -> None:
    """SIGINT: it hangs up on its clients and ends in order; SIGKILL where that takes too long."""
    process.send_signal(signal.SIGINT)
    try:
        process.wait(timeout=10)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait(timeout=10)


def _ends_with_parent() -> Callable[[], object] | None:
    """For the new process: to be stopped by the kernel if the demo is killed, as far as the system knows how."""
    if sys.platform != "linux":
        return None
    # Loaded before the fork: between fork and exec there is time for one call only.
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port
