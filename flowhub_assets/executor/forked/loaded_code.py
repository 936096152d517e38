"""What a process has imported: whether its files have changed since, and which modules it may import for others."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import sysconfig
from collections.abc import Iterable, Mapping

#: Under this name a job's metadata tell which modules its steps import, separated by commas.
IMPORTS = "imports"

#: Where what is installed lies: it changes with an installation, and not while somebody writes a pipeline.
_INSTALLED = tuple(
    os.path.realpath(path) + os.sep
    for name, path in sysconfig.get_paths().items()
    if name in ("stdlib", "platstdlib", "purelib", "platlib")
)


def written(known: Mapping[str, int] | None = None) -> dict[str, int]:
    """File → when it was written (ns since 1970) of all imported modules; those that are ``known`` stay as they are."""
    found = dict(known or {})
    for module in list(sys.modules.values()):
        path = getattr(module, "__file__", None)
        if isinstance(path, str) and path not in found:
            found[path] = _written(path)
    return found


def has_changed(known: Mapping[str, int]) -> bool:
    """Whether a file is another one, or gone, since ``written`` saw it."""
    return any(_written(path) != moment for path, moment in known.items())


def installed_only(modules: Iterable[str]) -> list[str]:
    """Those that came with an installation and are not imported yet: what a user writes is read anew by each run."""
    return [name for name in modules if name not in sys.modules and _is_installed(name)]


def import_all(modules: Iterable[str]) -> None:
    """One that cannot be imported is left to the task that needs it to tell."""
    for name in modules:
        try:
            importlib.import_module(name)
        except (Exception, SystemExit):  # noqa: BLE001,S112
            continue


def _is_installed(name: str) -> bool:
    try:
        spec = importlib.util.find_spec(name.partition(".")[0])
    except (ImportError, ValueError):
        return False
    if spec is None:
        return False
    places = [spec.origin] if spec.has_location and spec.origin else [*(spec.submodule_search_locations or ())]
    return bool(places) and all(os.path.realpath(place).startswith(_INSTALLED) for place in places)


def _written(path: str) -> int:
    try:
        return os.stat(path).st_mtime_ns
    except OSError:
        return -1
