"""Which process is at work on a run: a file for each run, which its run worker holds locked as long as it lives.

The system gives up the lock with the process, however that ends, so that a number of a process is never taken for
another's that came after it.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO
from urllib.parse import quote

#: Seconds for which somebody who asks for the holder may keep a worker from holding its run.
_ASKING = 2.0

_held: list[BinaryIO] = []


def _let_go_in_child() -> None:
    """A process that a worker forks does not hold its run; what it starts may outlive both."""
    while _held:
        _held.pop().close()


os.register_at_fork(after_in_child=_let_go_in_child)


@contextlib.contextmanager
def holding(folder: Path, run_id: str) -> Iterator[bool]:
    """Holds the run for this process until the end of the block. False: another process has it."""
    folder.mkdir(parents=True, exist_ok=True)
    path = _file_of(folder, run_id)
    with path.open("a+b") as file:
        if not _locks(file):
            yield False
            return
        file.truncate(0)
        file.write(str(os.getpid()).encode())
        file.flush()
        _held.append(file)
        try:
            yield True
        finally:
            path.unlink(missing_ok=True)
            _held.remove(file)


def holder(folder: Path, run_id: str) -> int | None:
    """The process that holds the run; None if nobody does."""
    try:
        file = _file_of(folder, run_id).open("rb")
    except FileNotFoundError:
        return None
    with file:
        try:
            fcntl.flock(file, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            written = file.read()
            return int(written) if written else None
    return None


def _locks(file: BinaryIO) -> bool:
    """Whether this process got the lock; one who only asks for the holder has it for a moment."""
    until = time.monotonic() + _ASKING
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > until:
                return False
            time.sleep(0.01)
        else:
            return True


def forget(folder: Path, run_id: str) -> None:
    """Removes the file of a run whose worker was killed."""
    _file_of(folder, run_id).unlink(missing_ok=True)


def _file_of(folder: Path, run_id: str) -> Path:
    """In that folder, whatever the run is called: who launches a run over GraphQL may choose its id."""
    return folder / quote(run_id, safe="")
