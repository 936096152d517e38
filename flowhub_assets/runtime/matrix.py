"""Partitions by keys: the cells of a matrix of one or two dimensions, and which of them a pattern means.

Keys are Dagster's own for the same partitions: of two dimensions the one whose name sorts first stands first,
``iris|xgboost``.
"""

from __future__ import annotations

from collections.abc import Iterable
from itertools import product
from typing import Optional

from flowhub_assets.errors import InputError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ir.triggers import Dimension, Partitions

#: What stands between the keys of two dimensions, and for all keys of one.
SEPARATOR, ALL = "|", "*"

#: What a task finds of its partition: ``key``, and the key of each dimension under its name.
Cell = dict[str, str]

_MOST_SHOWN = 20
#: What a file's name cannot hold everywhere, and the sign with which it is written.
_NOT_IN_FILES = '%|/\\:*?"<>'


def cells(partitions: Partitions) -> list[Cell]:
    """All of them, in Dagster's order: ``{"key": "iris|xgboost", "data_set": "iris", "model": "xgboost"}``."""
    dimensions = _in_order(partitions)
    names = [dimension.name for dimension in dimensions]
    chosen = product(*(dimension.keys for dimension in dimensions))
    return [{"key": SEPARATOR.join(keys), **dict(zip(names, keys))} for keys in chosen]


def cell_of(partitions: Partitions, key: str) -> Cell:
    """The cell of that key. Raises InputError, which lists the keys, where there is none."""
    found = next((cell for cell in cells(partitions) if cell["key"] == key), None)
    if found is None:
        raise _none(partitions, f"{key[:130]!r} is no partition", did_you_mean(key, _keys(cells(partitions))))
    return found


def is_pattern(partitions: Partitions, text: str) -> bool:
    """Whether ``text`` means several cells, as ``iris|*``, ``*`` and ``model=xgboost`` do, and is no cell's own key."""
    return _chosen(partitions, text) is not None and text not in _keys(cells(partitions))


def matching(partitions: Partitions, text: str) -> list[Cell]:
    """The cells that a pattern means, or the one of that key. Raises InputError where there is none."""
    chosen = _chosen(partitions, text)
    if chosen is None or text in _keys(cells(partitions)):
        return [cell_of(partitions, text)]
    for dimension in _in_order(partitions):
        key = chosen.get(dimension.name, ALL)
        if key != ALL and key not in dimension.keys:
            hint = did_you_mean(key, dimension.keys)
            raise _none(partitions, f"{key[:80]!r} is no {dimension.name}", hint)
    return [cell for cell in cells(partitions) if all(key in (ALL, cell[name]) for name, key in chosen.items())]


def none_named(partitions: Partitions) -> InputError:
    """The error of a run that is told no partition: there is no last one to be taken."""
    return _none(partitions, "no partition is named", "")


def file_name(key: str) -> str:
    """``key`` as part of a file's name, another one for each key: ``iris%7Cxgboost``."""
    return "".join(f"%{ord(sign):02X}" if sign in _NOT_IN_FILES else sign for sign in key)


def _chosen(partitions: Partitions, text: str) -> Optional[dict[str, str]]:
    """Name of a dimension → its key or ALL, as a pattern says it; None for what is no pattern."""
    dimensions = _in_order(partitions)
    if text == ALL:
        return {}
    name, equals, key = text.partition("=")
    if equals and any(dimension.name == name for dimension in dimensions):
        return {name: key}
    parts = text.split(SEPARATOR)
    if ALL in parts and len(parts) == len(dimensions):
        return {dimension.name: part for dimension, part in zip(dimensions, parts)}
    return None


def _in_order(partitions: Partitions) -> list[Dimension]:
    return sorted(partitions.dimensions, key=lambda dimension: dimension.name)


def _keys(known: Iterable[Cell]) -> list[str]:
    return [cell["key"] for cell in known]


def _none(partitions: Partitions, what: str, hint: str) -> InputError:
    known = _keys(cells(partitions))
    more = f" and {len(known) - _MOST_SHOWN} more" if len(known) > _MOST_SHOWN else ""
    one = _in_order(partitions)[0]
    several = f"several: {ALL}" + (f", {one.name}={one.keys[0]}" if len(partitions.dimensions) > 1 else "")
    listing = f"Its partitions: {', '.join(known[:_MOST_SHOWN])}{more}; {several}."
    return InputError(
        what, effect="Nothing was run.", remedy=f"{hint[0].upper()}{hint[1:]} {listing}" if hint else listing
    )
