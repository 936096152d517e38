"""Imports once what the tasks of a pipeline import: each runs in a process that is forked from this one."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
import threading
from collections.abc import Iterable

#: A process that is forked while another thread imports would wait for ever for that module's lock.
_lock = threading.Lock()


def _unlock_in_child() -> None:
    global _lock
    _lock = threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)


def preload(modules: Iterable[str]) -> None:
    """Imports these modules, if they are not there yet. One that cannot be imported is left to the task to tell."""
    with _lock:  # a module stands in sys.modules from the moment at which its import begins
        for name in modules:
            if name not in sys.modules:
                with contextlib.suppress(Exception):
                    importlib.import_module(name)
