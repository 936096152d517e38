"""Servers that outlive the step which starts them, and whose every process is found again whatever dies in between.

A server has a folder. Every process of it carries that folder in its environment (FLOWHUB_SERVER), its workers too,
which BentoML puts into sessions of their own: so they are found and ended where the one that started them is gone,
and no process that merely has the number of one of them is ever touched.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.serving.places import read_json, write_json

if TYPE_CHECKING:
    import psutil

MARK = "FLOWHUB_SERVER"
#: What a server gets of our environment. It answers strangers: no credential of the step's goes into it.
_PASSED = (
    "CUDA_VISIBLE_DEVICES HOME LANG LC_ALL LC_CTYPE LD_LIBRARY_PATH NVIDIA_VISIBLE_DEVICES PATH SSL_CERT_FILE TMPDIR TZ"
    " VIRTUAL_ENV"
).split()
#: Workers of one server are processes: more threads in each of them would only fight for the same cores.
_ONE_THREAD = dict.fromkeys(("MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
#: Seconds from SIGTERM, which lets requests under way end, to SIGKILL.
_GRACE = 30.0
_LOOK = 0.1
_LOG_TOLD = 2000

# Whoever started a process is told of its end; kept until it is, so that none stays as a zombie.
_started: list[subprocess.Popen[bytes]] = []


def start(folder: Path, command: Sequence[str], environment: Mapping[str, str], **told: Any) -> dict[str, Any]:
    """Starts ``python <command>`` in a session of its own, its output in ``folder/server.log``.

    Returns what then stands in ``folder/process.json``: ``told``, pid, and started, the process's own time of start in
    seconds since 1970, without which a pid says nothing.
    """
    _reap()
    folder.mkdir(parents=True, exist_ok=True)
    with open(folder / "server.log", "ab") as log:
        process = subprocess.Popen(
            [sys.executable, *command],
            cwd=folder,
            env=_environment(folder, environment),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    _started.append(process)
    made = {**told, "pid": process.pid, "started": _start_time(process.pid)}
    write_json(folder / "process.json", made)
    return made


def record(folder: Path) -> dict[str, Any]:
    """What process.json tells of the server; nothing where there is none."""
    return read_json(folder / "process.json") or {}


def lives(folder: Path) -> bool:
    """Whether the process that ``folder/process.json`` tells of is there: that one, and no later one of its number."""
    _reap()
    told = record(folder)
    return told.get("started") is not None and _start_time(told.get("pid", -1)) == told["started"]


def end(folder: Path) -> int:
    """Ends every process of the server and removes its folder; how many there were. Nothing there is no error.

    Requests under way have time to end. Raises RunError where a process cannot be ended.
    """
    left = there = _members(folder)
    first, told = record(folder).get("pid"), set[int]()
    began = time.monotonic()
    while left:
        # The one that was started ends its workers in order; where it is gone, they are told themselves.
        for process in [one for one in left if one.pid == first] or left:
            if process.pid not in told:
                told.add(process.pid)
                _signal(process, signal.SIGTERM)
        time.sleep(_LOOK)
        _reap()
        left = _members(folder)
        seconds = time.monotonic() - began
        if seconds > _GRACE:
            for process in left:
                _signal(process, signal.SIGKILL)
        if left and seconds > 2 * _GRACE:
            raise RunError(
                f"processes {', '.join(str(one.pid) for one in left)} of a server do not end",
                where=folder,
                remedy="Look what holds them (ps -o stat,wchan), end them, and run it again.",
            )
    shutil.rmtree(folder, ignore_errors=True)
    return len(there)


def folders_below(folder: Path) -> list[Path]:
    """The folders of servers right below ``folder``: those that are there, and those that only a process tells of.

    Somebody may have removed the workspace and left what runs in it.
    """
    found = set(folder.iterdir()) if folder.is_dir() else set()
    for mark in _marks().values():
        if Path(mark).parent == folder:
            found.add(Path(mark))
    return sorted(found)


def log_end(folder: Path) -> str:
    """The last lines that the server has written."""
    with contextlib.suppress(OSError):
        text = (folder / "server.log").read_text("utf-8", "replace").strip()
        return text[-_LOG_TOLD:]
    return ""


def free_port() -> int:
    """A port of the loopback that nothing listens on now."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port: int = free.getsockname()[1]
    return port


def plain_environment(**more: str) -> dict[str, str]:
    """What of our environment a program gets that needs no credential, our packages' folder for Python, and more."""
    own = {name: os.environ[name] for name in _PASSED if name in os.environ}
    package = str(Path(__file__).resolve().parents[3])
    path = os.pathsep.join([package, *filter(None, [os.environ.get("PYTHONPATH")])])
    return {**own, **_ONE_THREAD, "PYTHONPATH": path, "PYTHONUNBUFFERED": "1", **more}


def _environment(folder: Path, environment: Mapping[str, str]) -> dict[str, str]:
    return plain_environment(**environment, **{MARK: str(folder)})


def _members(folder: Path) -> list[psutil.Process]:
    return [process for process, mark in _marks().items() if mark == str(folder)]


def _marks() -> dict[psutil.Process, str]:
    """Each process of a server → the server's folder."""
    import psutil

    found = {}
    for process in psutil.process_iter():
        # Those of other users, and those that have just ended, do not show their environment.
        with contextlib.suppress(psutil.Error, OSError):
            mark = process.environ().get(MARK)
            if mark:
                found[process] = mark
    return found


def _start_time(pid: int) -> float | None:
    import psutil

    try:
        process = psutil.Process(pid)
        return None if process.status() == psutil.STATUS_ZOMBIE else process.create_time()
    except (psutil.Error, ValueError):
        return None


def _signal(process: psutil.Process, number: signal.Signals) -> None:
    import psutil

    with contextlib.suppress(psutil.Error):
        # psutil looks at the time of start first: a number that was given again is not signalled.
        process.send_signal(number)


def _reap() -> None:
    _started[:] = [process for process in _started if process.poll() is None]
