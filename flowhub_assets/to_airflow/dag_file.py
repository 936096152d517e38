"""The text of the DAG file: what it is, PIPELINE as a Python literal, and the shell word for word."""

from __future__ import annotations

import math
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

#: As long as a line of the literal may be before its items get lines of their own.
_LINE = 110


def dag_file(data: Mapping[str, Any], written_from: str) -> str:
    """The Python source of a DAG. ``written_from`` names the file of the pipeline, for whoever reads the DAG."""
    title = f"The pipeline {data['dag'].get('dag_display_name', data['dag']['dag_id'])!r}, written from {written_from}."
    head = [
        f"# {_one_line(title)}",
        "# PIPELINE is what the pipeline is; below it is how Airflow runs it, alike in every DAG. To change",
        "# something, change the pipeline and export it again.",
        f"PIPELINE = {literal(data)}",
    ]
    return "\n".join(head) + "\n\n" + _shell()


def _one_line(text: str) -> str:
    """For a comment: a file's name may hold a line break, after which it would be code."""
    return "".join(letter if letter.isprintable() else "?" for letter in " ".join(text.split()))


@cache
def _shell() -> str:
    return Path(__file__).with_name("dag_shell.py").read_text(encoding="utf-8")


def literal(value: Any, indent: int = 0) -> str:
    """``value``, of JSON's types, as a Python literal; the same value gives the same text. No text in it is code."""
    if not isinstance(value, (Mapping, list, tuple)):
        return _scalar(value)
    flat = _flat(value, _LINE - indent)
    if flat is not None:
        return flat
    pad = " " * (indent + 4)
    if isinstance(value, Mapping):
        lines = [f"{pad}{_scalar(key)}: {literal(item, indent + 4)}," for key, item in value.items()]
        return "\n".join(["{", *lines, " " * indent + "}"])
    lines = [f"{pad}{literal(item, indent + 4)}," for item in value]
    return "\n".join(["[", *lines, " " * indent + "]"])


def _flat(value: Any, room: int) -> str | None:
    """``value`` on one line of at most ``room`` characters, None where it is longer: that is found out early."""
    if not isinstance(value, (Mapping, list, tuple)):
        text = _scalar(value)
        return text if len(text) <= room else None
    is_mapping = isinstance(value, Mapping)
    parts: list[str] = []
    room -= len("[]")
    for one in value:
        key = f"{_scalar(one)}: " if is_mapping else ""
        item = _flat(value[one] if isinstance(value, Mapping) else one, room - len(key))
        if item is None:
            return None
        parts.append(key + item)
        room -= len(key) + len(item) + len(", ")
    if parts and room + len(", ") < 0:
        return None
    inner = ", ".join(parts)
    return f"{{{inner}}}" if is_mapping else f"[{inner}]"


def _scalar(value: Any) -> str:
    if isinstance(value, float) and not math.isfinite(value):
        raise ValueError(f"{value} is no JSON")
    return repr(value)
