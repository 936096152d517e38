"""A process that has imported what Dagster's commands need, and forks one of itself for each that is started.

    python -m flowhub_assets_tests.executor.kubernetes.chaos.fork_server SOCKET
    write_image(folder, socket)  # folder/bin/dagster asks it: an image whose Dagster starts in a tenth of the time

What is forked is a process like any other: it has the arguments, variables, folder and standard streams of whoever
asked, a session and memory of its own. ``dagster`` in the image stays beside it, hands on its signals and ends as it
does; where that is killed, the fork and all that it has started are killed at once.
"""

from __future__ import annotations

import array
import contextlib
import ctypes
import gc
import importlib
import marshal
import os
import selectors
import signal
import socket
import stat
import struct
import sys
import tempfile
from pathlib import Path
from typing import Any

from flowhub_assets.executor import step_log
from flowhub_assets.executor.dagster_private import dagster_command

PRELOADED = (
    "dagster._cli",
    "dagster_k8s",
    "dagster_postgres",
    "flowhub_assets.definitions",
    "flowhub_assets.executor.event_batch",
    "flowhub_assets.executor.hybrid",
    "flowhub_assets.executor.kubernetes.own_image",
    "flowhub_assets.executor.kubernetes.step_handler",
    "sqlalchemy.dialects.postgresql.psycopg2",
)
_LOOK_SECONDS, _ANSWER_SECONDS = 0.5, 10.0
_PR_SET_PDEATHSIG = 1

_CLIENT = """\
#!{python} -IS
import _signal, _socket, array, marshal, os, struct, sys
pid, waiting = 0, []
def hand_on(number, _):
    if pid:
        try:
            os.kill(pid, number)
        except ProcessLookupError:
            pass
    else:
        waiting.append(number)
for number in (_signal.SIGTERM, _signal.SIGINT, _signal.SIGHUP, _signal.SIGUSR1):
    _signal.signal(number, hand_on)
door = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
door.connect({path!r})
told = marshal.dumps((sys.argv, dict(os.environ), os.getcwd()))
streams = array.array("i", [0, 1, 2])
door.sendmsg([struct.pack("i", len(told))], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, streams)])
while told:
    told = told[door.send(told):]
pid = struct.unpack("i", door.recv(4))[0]
for number in waiting:
    hand_on(number, None)
end = door.recv(4)
code = struct.unpack("i", end)[0] if end else 1
if code < 0:
    _signal.signal(-code, _signal.SIG_DFL)
    os.kill(os.getpid(), -code)
os._exit(code)
"""


def write_image(folder: Path, path: Path) -> Path:
    """Makes ``folder/bin`` with a ``dagster`` that asks the server at ``path``; returns the image's Python."""
    programs = folder / "bin"
    programs.mkdir(parents=True)
    command = programs / "dagster"
    command.write_text(_CLIENT.format(python=sys.executable, path=str(path)))
    command.chmod(command.stat().st_mode | stat.S_IXUSR)
    (programs / "python").symlink_to(sys.executable)
    return programs / "python"


class ForkServer:
    """The loop of the server. ``serve`` returns in each forked process, with the words of its command."""

    def __init__(self, path: Path) -> None:
        self._door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._door.bind(str(path))
        self._door.listen(128)
        self._parent = os.getppid()
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._door, selectors.EVENT_READ, None)
        self._workers: dict[int, tuple[socket.socket, int]] = {}  # process → who has asked, its pidfd
        self._ended = False

    def serve(self) -> list[str] | None:
        """Until SIGTERM or the end of the process that has started this one: None then."""
        signal.signal(signal.SIGTERM, lambda *_: setattr(self, "_ended", True))
        while not self._ended and os.getppid() == self._parent:
            for key, _ in self._selector.select(_LOOK_SECONDS):
                if key.data is None:
                    words = self._accept()
                    if words is not None:
                        return words
                elif key.data in self._workers:
                    self._attend(key.data, key.fileobj)
        for worker in self._workers:
            _kill(worker)
        return None

    def _attend(self, worker: int, about: Any) -> None:
        asker, pidfd = self._workers[worker]
        if about is asker:  # it tells nothing: it has ended
            _kill(worker)
            self._selector.unregister(asker)
            return
        code = os.waitstatus_to_exitcode(os.waitpid(worker, 0)[1])
        _kill(worker)  # what it has started goes with it
        del self._workers[worker]
        self._selector.unregister(pidfd)
        os.close(pidfd)
        with contextlib.suppress(KeyError):
            self._selector.unregister(asker)
        with contextlib.suppress(OSError):
            asker.sendall(struct.pack("i", code))
        asker.close()

    def _accept(self) -> list[str] | None:
        asker, _ = self._door.accept()
        asker.settimeout(_ANSWER_SECONDS)
        try:
            words, variables, folder, streams = _received(asker)
        except (OSError, EOFError, struct.error):
            asker.close()  # killed while it asked
            return None
        worker = os.fork()
        if worker:
            for stream in streams:
                os.close(stream)
            pidfd = os.pidfd_open(worker)
            self._workers[worker] = (asker, pidfd)
            self._selector.register(asker, selectors.EVENT_READ, worker)
            self._selector.register(pidfd, selectors.EVENT_READ, worker)
            with contextlib.suppress(OSError):
                asker.sendall(struct.pack("i", worker))
            return None
        self._leave(asker)
        _become(variables, folder, streams)
        return words

    def _leave(self, asker: socket.socket) -> None:
        """In the fork: nothing of the server's stays open."""
        self._selector.close()
        self._door.close()
        asker.close()
        for other, pidfd in self._workers.values():
            other.close()
            os.close(pidfd)
        self._workers.clear()


def _received(asker: socket.socket) -> tuple[list[str], dict[str, str], str, list[int]]:
    size = array.array("i").itemsize
    head, ancillary, _, _ = asker.recvmsg(4, socket.CMSG_SPACE(3 * size))
    streams = array.array("i")
    for _, _, data in ancillary:
        streams.frombytes(data[: len(data) - len(data) % size])
    (left,) = struct.unpack("i", head)
    told = bytearray()
    while len(told) < left:
        chunk = asker.recv(left - len(told))
        if not chunk:
            raise EOFError
        told += chunk
    words, variables, folder = marshal.loads(bytes(told))
    return words, variables, folder, list(streams)


def _become(variables: dict[str, str], folder: str, streams: list[int]) -> None:
    os.setsid()
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, stream in enumerate(streams):
        os.dup2(stream, number)
        os.close(stream)
    os.environ.clear()
    os.environ.update(variables)
    os.chdir(folder)
    tempfile.tempdir = None
    # What is forked here is a run worker, not the child of one.
    step_log._is_fork = False
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGUSR1):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)


def _kill(worker: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(worker, signal.SIGKILL)


def main() -> None:
    """Imports, says ``ready`` and serves; a fork runs ``dagster`` with its words and ends as that does."""
    for name in PRELOADED:
        importlib.import_module(name)
    gc.collect()
    gc.freeze()
    server = ForkServer(Path(sys.argv[1]))
    print("ready", flush=True)
    words = server.serve()
    if words is not None:
        sys.argv = ["dagster", *words[1:]]
        command: Any = dagster_command()
        command(words[1:], prog_name="dagster")


if __name__ == "__main__":
    main()
