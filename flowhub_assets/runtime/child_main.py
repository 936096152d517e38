"""The child's side of runtime.child: runs the callable, answers through a pipe, ends with its parent."""

from __future__ import annotations

import contextlib
import gc
import os
import pickle
import signal
import struct
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any, NoReturn

from flowhub_assets.errors import FlowhubError, RunError
from flowhub_assets.runtime.forking import forget_other_threads_imports, seed_anew

#: Seconds between two looks whether the parent still lives.
_WATCH = 0.5
_LENGTH = struct.Struct(">Q")


class _Stopped(BaseException):
    """SIGTERM, as an exception, so that the task's finally blocks run."""


def run_and_answer(call: Callable[[], Any], name: str, parent: int, pipes: Mapping[int, int]) -> NoReturn:
    """Never returns: the process ends here, whatever happens. ``pipes``: 0 the answer's, 1 and 2 the output's."""
    status = 1
    # What the parent has made is its own to end: libraries in C (LightGBM, gRPC) crash where a child collects theirs.
    gc.freeze()
    try:
        forget_other_threads_imports()
        seed_anew()
        _settle(parent, pipes)
        answer = _answer(call, name)
        _flush()
        _write_all(pipes[0], _LENGTH.pack(len(answer)) + answer)
        status = 0
    except _Stopped:
        _flush()
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTERM)
    finally:
        os._exit(status)


def answer_is_whole(data: bytes | bytearray) -> bool:
    """Whether ``data``, read from the answer's pipe, ends with the last byte of the answer."""
    return len(data) >= _LENGTH.size and len(data) - _LENGTH.size >= _LENGTH.unpack_from(data)[0]


def read_answer(data: bytes | bytearray) -> tuple[bool, Any]:
    """(True, value) or (False, exception) of a whole answer."""
    # The pipe's other end is our own fork, so unpickling it trusts nobody new.
    ok, value = pickle.loads(memoryview(data)[_LENGTH.size :])  # noqa: S301
    return bool(ok), value


def _settle(parent: int, pipes: Mapping[int, int]) -> None:
    with contextlib.suppress(OSError):
        os.setpgid(0, 0)
    signal.set_wakeup_fd(-1)
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGCHLD, signal.SIGALRM):
        # The parent's handlers are about the parent's business.
        if callable(signal.getsignal(number)):
            signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGTERM, _raise_stopped)
    signal.pthread_sigmask(signal.SIG_SETMASK, set())
    _set_streams(pipes)
    import threading

    threading.Thread(target=_end_with_parent, args=(parent,), name="flowhub-parent-watch", daemon=True).start()


def _set_streams(pipes: Mapping[int, int]) -> None:
    nothing = os.open(os.devnull, os.O_RDONLY)
    if nothing != 0:
        # Tasks that run side by side cannot share a keyboard.
        os.dup2(nothing, 0)
        os.close(nothing)
    for number in (1, 2):
        if number in pipes:
            os.dup2(pipes[number], number)
            os.close(pipes[number])
    # The parent's own objects may be a test's or a notebook's and lead nowhere from here.
    sys.stdin = open(0, encoding="utf-8", closefd=False)  # noqa: SIM115
    sys.stdout = open(1, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115
    sys.stderr = open(2, "w", encoding="utf-8", errors="backslashreplace", buffering=1, closefd=False)  # noqa: SIM115


def _answer(call: Callable[[], Any], name: str) -> bytes:
    try:
        return pickle.dumps((True, call()), pickle.HIGHEST_PROTOCOL)
    except _Stopped:
        raise
    except FlowhubError as error:
        return pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
    except BaseException as error:  # noqa: BLE001 - the parent is told, whatever it is
        return _unforeseen(error, name)


def _unforeseen(error: BaseException, name: str) -> bytes:
    try:
        answer = pickle.dumps((False, error), pickle.HIGHEST_PROTOCOL)
        if isinstance(error, Exception) and isinstance(pickle.loads(answer)[1], type(error)):  # noqa: S301
            return answer
    except Exception:  # noqa: BLE001,S110 - an exception that does not survive pickling is told as text
        pass
    kind = type(error).__name__
    return pickle.dumps((False, RunError(f"task {name!r} ended with {kind}: {error}")), pickle.HIGHEST_PROTOCOL)


def _raise_stopped(*_signal_and_frame: object) -> NoReturn:
    # Once is enough: a second one would break off the clean-up that the first began.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Stopped


def _end_with_parent(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH)
    # The group that this process leads; should it lead none, the group it is in may be a whole shell's.
    with contextlib.suppress(ProcessLookupError):
        os.killpg(os.getpid(), signal.SIGKILL)
    os._exit(1)


def _flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue


def _write_all(pipe: int, data: bytes) -> None:
    view = memoryview(data)
    while view:
        view = view[os.write(pipe, view) :]
