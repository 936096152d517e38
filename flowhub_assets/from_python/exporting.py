"""Hands a flow to whatever is installed under an --export target's name."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any, Union

from flowhub_assets.errors import InputError
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.runtime.step import Runnable

_GROUP = "flowhub.exporters"

#: (runnable, profile name, out folder or None for the exporter's own) → an exit code, or the paths it wrote.
Exporter = Callable[[Runnable, str, "str | None"], Union[int, Iterable[Any], None]]


def export(runnable: Runnable, profile_name: str, target: str, out_folder: str | None) -> int:
    """Writes the flow for ``target`` and prints the paths written; returns the exit code.

    Raises InputError, naming what is installed, if no package offers the target.
    """
    found = _installed()
    if target not in found:
        near = did_you_mean(target, found)
        raise InputError(
            f"no exporter for {target!r} is installed",
            effect="Nothing was written.",
            remedy=near or _what_to_install(target, found),
        )
    try:
        exporter: Exporter = found[target].load()
    except ImportError as error:
        raise InputError(
            f"the exporter for {target!r} cannot be imported: {error}",
            effect="Nothing was written.",
            remedy="Install what it needs, here: pip install flowhub-assets.",
        ) from None
    answer = exporter(runnable, profile_name, out_folder)
    if answer is None or isinstance(answer, int):
        return answer or 0
    for path in answer:
        print(path)
    return 0


def _what_to_install(target: str, found: Iterable[str]) -> str:
    installed = f"Installed: {listed(sorted(found))}."
    return f"{installed} Install a package that offers the entry point {target!r} in the group {_GROUP}."


def _installed() -> dict[str, Any]:
    from importlib import metadata

    if sys.version_info >= (3, 10):
        points: Iterable[Any] = metadata.entry_points(group=_GROUP)
    else:
        points = metadata.entry_points().get(_GROUP, ())
    return {point.name: point for point in points}
