"""What a task shows beside its value: a plot, a table, text, a number."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from flowhub_assets.errors import ValueRefused

#: The kind of a check that was told (runtime.check): its data are passed, description and shown.
CHECK = "check"
#: The kind of what a table is (runtime.table): its data are columns, and rows, name and url where they were told.
DESCRIBED = "described table"

_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"


@dataclass(frozen=True)
class Shown:
    """One thing shown. ``kind`` says what ``data`` is: png (bytes), table (list of dicts), markdown (str), number,
    CHECK or DESCRIBED.

    A table's cells are str, int, float, bool or None; no number is NaN or infinite, for JSON has neither.
    """

    name: str
    kind: str
    data: Any


_shown: ContextVar[list[Shown] | None] = ContextVar("flowhub_shown", default=None)


def show(name: str, value: Any) -> None:
    """Shows ``value`` under ``name`` in the run's page, next to what the task returns.

    Takes a matplotlib figure or axes, PNG bytes, a table (a list of dicts, one for each row, or a pandas
    DataFrame), Markdown text or a number. Outside a run it only checks. Raises ValueRefused for anything else.
    """
    shown = shown_value(name, value)
    collecting = collected()
    if collecting is not None:
        collecting.append(shown)


def shown_value(name: str, value: Any) -> Shown:
    """``value`` as it is shown. Raises ValueRefused as ``show`` does."""
    return Shown(str(name), *_kind_and_data(str(name), value))


def collected() -> list[Shown] | None:
    """What the step that runs here has shown so far, to be added to; None outside a step."""
    return _shown.get()


@contextmanager
def collect_shown() -> Iterator[list[Shown]]:
    """Everything that is shown inside the with block, in order."""
    collecting: list[Shown] = []
    token = _shown.set(collecting)
    try:
        yield collecting
    finally:
        _shown.reset(token)


def _kind_and_data(name: str, value: Any) -> tuple[str, Any]:
    if isinstance(value, str):
        return "markdown", value
    if isinstance(value, (bytes, bytearray)) and bytes(value[:8]) == _PNG_SIGNATURE:
        return "png", bytes(value)
    figure = value if hasattr(value, "savefig") else getattr(value, "figure", None)
    if hasattr(figure, "savefig"):
        return "png", _png(figure)
    if hasattr(value, "to_dict") and hasattr(value, "columns"):
        value = value.to_dict("records")
    if isinstance(value, (list, tuple)) and all(isinstance(row, dict) for row in value):
        return "table", [{str(column): _cell(cell) for column, cell in row.items()} for row in value]
    number = _plain(value)
    if isinstance(number, (int, float)):
        return ("number", number) if math.isfinite(number) else ("markdown", str(number))
    raise ValueRefused(
        f"show({name!r}, ...) was given a {type(value).__name__}",
        effect="It can show a matplotlib figure, PNG bytes, a list of dicts, Markdown text or a number.",
        remedy="Turn it into one of these; show(name, str(value)) shows it as text.",
    )


def _cell(value: Any) -> str | int | float | bool | None:
    plain = _plain(value)
    if isinstance(plain, float) and not math.isfinite(plain):
        return None if math.isnan(plain) else str(plain)
    return plain if plain is None or isinstance(plain, (str, int, float)) else str(plain)


def _plain(value: Any) -> Any:
    """A number of numpy's as Python's own, and so the subclasses of these; anything else as it is."""
    if getattr(value, "shape", None) == () and hasattr(value, "item"):
        return value.item()
    return float(value) if isinstance(value, float) else value


def _png(figure: Any) -> bytes:
    from io import BytesIO

    picture = BytesIO()
    figure.savefig(picture, format="png", bbox_inches="tight")
    return picture.getvalue()
