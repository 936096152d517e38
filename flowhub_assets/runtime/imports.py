"""Imports from a workflow's own folder, as if its script had been started there."""

from __future__ import annotations

import importlib
import os
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

#: Folder → what was imported from it, by module name, so that a later import gives the same module.
_imported: dict[str, dict[str, ModuleType]] = {}

#: What the names of modules begin with that were loaded by the path of a workflow file.
WORKFLOW_MODULE = "flowhub_workflow_"

#: sys.path and sys.modules belong to the whole process: one folder is importable at a time.
_lock = threading.RLock()


def _unlock_in_child() -> None:
    # The thread that held the lock when another one forked does not exist in the child.
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_unlock_in_child)


def lock() -> threading.RLock:
    """The lock of whoever changes what can be imported; the same thread may take it again."""
    return _lock


@contextmanager
def importable(folder: str) -> Iterator[None]:
    """Puts ``folder`` first on sys.path, and takes it and the modules that came from it away afterwards.

    Two folders may so each have a ``my_package``: the functions of each keep their own, and find it again
    in a lazy import when they run within ``importable`` of their folder. Modules of the same name from
    elsewhere are out of the way meanwhile and then come back. Other threads that ask for another folder wait.
    """
    folder = os.path.abspath(folder)
    with _lock:
        hidden = _hide_namesakes(folder)
        before = dict(sys.modules)
        sys.modules.update(_imported.get(folder, {}))
        sys.path.insert(0, folder)
        importlib.invalidate_caches()  # files may be newer than the last look into the folder
        try:
            yield
        finally:
            if folder in sys.path:
                sys.path.remove(folder)
            _take_out(folder, before)
            sys.modules.update(hidden)


def forget(folder: str) -> None:
    """Lets the next import from ``folder`` read its files again."""
    _imported.pop(os.path.abspath(folder), None)


def is_workflow_module(name: str) -> bool:
    """Whether a module of that name was loaded by the path of a workflow file."""
    return name.rpartition(".")[2].startswith(WORKFLOW_MODULE)


def _take_out(folder: str, before: dict[str, ModuleType]) -> None:
    kept = _imported.setdefault(folder, {})
    for name, module in list(sys.modules.items()):
        if before.get(name) is not module and _comes_from(module, folder) and not _is_loaded_by_path(module):
            kept[name] = sys.modules.pop(name)


def _is_loaded_by_path(module: ModuleType) -> bool:
    # Workflow files have a unique name of their own and stay, as pickle and dataclasses look them up.
    return is_workflow_module(module.__name__)


def _hide_namesakes(folder: str) -> dict[str, ModuleType]:
    try:
        entries = set(os.listdir(folder))
    except OSError:
        return {}
    # The folder may hold thousands of files: the names to look for come from sys.modules.
    own = {top for top in {name.partition(".")[0] for name in sys.modules} if _provides(folder, entries, top)}
    hidden: dict[str, ModuleType] = {}
    for name, module in list(sys.modules.items()):
        top = name.partition(".")[0]
        if top in own and _may_be_hidden(top) and not _comes_from(module, folder):
            hidden[name] = sys.modules.pop(name)
    return hidden


def _provides(folder: str, entries: set[str], name: str) -> bool:
    if f"{name}.py" in entries:
        return True
    if name not in entries:
        return False
    if os.path.isfile(os.path.join(folder, name, "__init__.py")):
        return True
    # Without __init__.py a folder counts only against another such folder, as in Python itself.
    loaded = sys.modules.get(name)
    return loaded is not None and getattr(loaded, "__file__", None) is None and hasattr(loaded, "__path__")


def _may_be_hidden(top: str) -> bool:
    if top in ("flowhub", "flowhub_assets", "__main__", "__mp_main__") or top in sys.builtin_module_names:
        return False
    file = getattr(sys.modules.get(top), "__file__", None) or ""
    standard = os.path.dirname(os.__file__) + os.sep
    return not file.startswith(standard) or "site-packages" in file


def _comes_from(module: ModuleType, folder: str) -> bool:
    places = [getattr(module, "__file__", None), *_paths(module)]
    return any(isinstance(place, str) and _inside(place, folder) for place in places)


def _paths(module: ModuleType) -> list[str]:
    try:
        return list(getattr(module, "__path__", None) or [])
    except Exception:  # noqa: BLE001 - modules of other libraries may answer attributes with anything
        return []


def _inside(place: str, folder: str) -> bool:
    path = os.path.abspath(place)
    return path.startswith(folder + os.sep) and "site-packages" not in path[len(folder) :]
