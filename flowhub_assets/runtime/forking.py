"""A fork in a process with threads, which may be in the middle of an import, or of pydantic's first use.

A forked child has one thread. A module lock that another thread held stays locked in it for ever, and a module
which that thread had half imported stays half: whoever imports it in the child would wait, or get half a module.
So it is with what a native library sets up once under a lock of its own: pydantic's serializer does, in Python code
during which any other thread may fork.
"""

from __future__ import annotations

import importlib._bootstrap
import os
import signal
import sys
import threading
import time
import warnings
from collections.abc import Iterator
from types import ModuleType
from typing import Any

#: The longest time in seconds that a fork waits for other threads' imports.
_LONGEST_IMPORT = 5.0
_LOOK = 0.005
# Warning filters belong to the whole process: two threads would not give them back as they were.
_one_at_a_time = threading.Lock()
#: The modules whose first use is over.
_used: set[ModuleType] = set()


def fork() -> int:
    """os.fork() once no other thread imports anything. The child has SIGINT and SIGTERM blocked."""
    _finish_first_uses()
    _wait_for_imports(_LONGEST_IMPORT)
    # A signal must not find the parent's handlers in the child: there it waits until the child has its own.
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM})
    pid = -1
    try:
        with _one_at_a_time, warnings.catch_warnings():
            # Python 3.12 warns of forks in a process with threads. The child takes no lock of another thread:
            # it runs the task, writes the answer to a pipe and leaves by os._exit.
            warnings.simplefilter("ignore", DeprecationWarning)
            pid = os.fork()
    finally:
        if pid != 0:
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
    return pid


def _finish_first_uses() -> None:
    """Has pydantic set up what it sets up once, or waits for the thread that has it do so."""
    pydantic = sys.modules.get("pydantic.main")
    if pydantic is not None and pydantic not in _used:
        pydantic.create_model("FirstUse", value=(object, None))().model_dump(mode="json")
        _used.add(pydantic)


def _wait_for_imports(seconds: float) -> None:
    until = time.monotonic() + seconds
    while any(True for _ in _held_elsewhere()) and time.monotonic() < until:
        time.sleep(_LOOK)


def forget_other_threads_imports() -> None:
    """In a forked child: releases what threads that are gone had locked; what they had half imported starts anew."""
    locks = _module_locks()
    for name in list(_held_elsewhere()):
        locks.pop(name, None)
        spec = getattr(sys.modules.get(name), "__spec__", None)
        if getattr(spec, "_initializing", False):
            del sys.modules[name]


def _held_elsewhere() -> Iterator[str]:
    """The names of the modules whose lock another thread holds."""
    own = threading.get_ident()
    for name, reference in list(_module_locks().items()):
        owner = getattr(reference(), "owner", None)
        if owner is not None and owner != own:
            yield name


def seed_anew() -> None:
    """In a forked child: numpy's global random numbers begin elsewhere than its parent's and its siblings'.

    Python's own module does so by itself.
    """
    numbers = sys.modules.get("numpy.random")
    if numbers is not None:
        numbers.seed()


def _module_locks() -> dict[str, Any]:
    locks: dict[str, Any] = vars(importlib._bootstrap)["_module_locks"]
    return locks
