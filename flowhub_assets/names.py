"""Names that Dagster takes, made from the names that people write.

A legal name is kept as it is. An illegal character becomes ``_``; a name with characters outside ASCII
(a Korean one, say) also gets eight digits of its digest, so that two such names stay two. Two names that
become one are a mistake of their writer: ``collisions`` finds them, nobody patches them over.
"""

from __future__ import annotations

import hashlib
import keyword
import re
from collections.abc import Iterable

_DAGSTER_ILLEGAL = re.compile(r"[^A-Za-z0-9_]")
_TAG_ILLEGAL = re.compile(r"[^A-Za-z0-9_.-]")

#: Words that Dagster keeps for itself (its DISALLOWED_NAMES); they get a ``_`` behind them.
_DAGSTER_RESERVED = frozenset(
    [
        *"arg_dict bool conf config context dict float input input_arg_dict int meta output".split(),
        *"output_arg_dict str type".split(),
        *keyword.kwlist,
    ]
)

#: The longest tag key that Dagster and Kubernetes labels take.
_TAG_LENGTH = 63


def dagster_name(text: str) -> str:
    """The name of a job, group or part of an asset key for ``text``: letters, digits and ``_`` (Dagster's rule)."""
    name = _legal(text, _DAGSTER_ILLEGAL)
    return f"{name}_" if name in _DAGSTER_RESERVED else name


def op_name(flow: str, task: str) -> str:
    """The name of a task's op, one per code location: ``flow__task``."""
    return f"{dagster_name(flow)}__{dagster_name(task)}"


def tag_key(text: str) -> str:
    """A Dagster tag key for ``text``: at most 63 of letters, digits, ``_``, ``-`` and ``.``."""
    key = _legal(text, _TAG_ILLEGAL)
    return key if len(key) <= _TAG_LENGTH else f"{key[: _TAG_LENGTH - 9]}_{_digest(text)}"


def collisions(names: Iterable[str]) -> list[tuple[str, str]]:
    """The pairs of ``names`` that become one name in Dagster, the earlier one first; equal names count too."""
    first: dict[str, str] = {}
    found = []
    for name in names:
        legal = dagster_name(name)
        if legal in first:
            found.append((first[legal], name))
        else:
            first[legal] = name
    return found


def _legal(text: str, illegal: re.Pattern[str]) -> str:
    name = illegal.sub("_", text)
    if text.isascii() and text:
        return name
    return f"{name.strip('_') or 'x'}_{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
