"""Names that Dagster, Airflow and Kubernetes take, made from the names that people write.

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

#: The longest id that Airflow takes (its database's columns have 250 characters), less what is put behind it.
_AIRFLOW_LENGTH = 200

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
    return _at_most(key, text, _TAG_LENGTH)


def airflow_name(text: str) -> str:
    """A task's id in Airflow for ``text``: at most 200 of letters, digits, ``_``, ``-`` and ``.``."""
    return _at_most(_legal(text, _TAG_ILLEGAL), text, _AIRFLOW_LENGTH)


def dag_id(text: str) -> str:
    """A pipeline's id in Airflow, and the first part of the names of its files: as airflow_name, with - for _."""
    name = _legal(text, _TAG_ILLEGAL).replace("_", "-").strip(".-")
    return _at_most(name or f"x-{_digest(text)}", text, _AIRFLOW_LENGTH).replace("_", "-")


def kubernetes_name(text: str, length: int = 63) -> str:
    """A label of DNS for ``text`` (RFC 1123), as pods and config maps have it: small letters, digits and ``-``."""
    name = re.sub(r"[^a-z0-9-]", "-", _legal(text, _TAG_ILLEGAL).lower()).strip("-") or f"x-{_digest(text)}"
    return _at_most(name, text, length).replace("_", "-").strip("-")


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


def _at_most(name: str, text: str, length: int) -> str:
    return name if len(name) <= length else f"{name[: length - 9]}_{_digest(text)}"


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:8]
