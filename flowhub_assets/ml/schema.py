"""What a table's columns hold, and which of its cells do not: types, nulls, ranges, allowed values, keys."""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

ColumnType = Literal["number", "integer", "category", "text", "date"]

#: How many rows a fault names, and how many characters of a cell: what faults say stands in the UI.
_MOST_NAMED = 5
_MOST_QUOTED = 40

_PANDAS_NULLS = ("NAType", "NaTType")
_NUMPYS_BOOLEANS = ("bool", "bool_")

#: The largest integer up to which every one has its own float (IEEE 754, 2**53).
_LARGEST_INTEGER = 2**53


@dataclass(frozen=True)
class Column:
    """One column. ``low`` and ``high`` bound numbers and dates (ISO 8601 text), both inclusive; ``values`` categories.

    A ``date`` is text as ``2024-02-29``; a cell that is None, NaN or empty text is a null. What stands in a
    ``private`` column is quoted nowhere: not in a fault, not in a reason.
    """

    name: str
    type: ColumnType
    description: str = ""
    nullable: bool = False
    low: float | str | None = None
    high: float | str | None = None
    values: tuple[str, ...] = ()
    private: bool = False


@dataclass(frozen=True)
class Fault:
    """What is wrong in one column: ``count`` rows, of which ``rows`` are the first (from 0).

    ``kind`` is missing, unknown (a column), type, null, range, value or duplicate (of a key).
    """

    column: str
    kind: str
    count: int
    rows: tuple[int, ...]
    message: str

    def __str__(self) -> str:
        return self.message


def cell(column: Column, value: Any) -> Any:
    """``value`` as the column's type: float, int, str or None for a null. Raises ValueError if it is not one."""
    if is_null(value):
        return None
    if column.type in ("number", "integer"):
        number = _number(value)
        if column.type == "number":
            return number
        if number != int(number) or abs(number) > _LARGEST_INTEGER:
            raise ValueError("is no integer")
        return int(number)
    text = str(value)
    if column.type == "date" and datetime.date.fromisoformat(text).isoformat() != text:
        raise ValueError("is no date")
    return text


def is_null(value: Any) -> bool:
    """Whether a cell holds nothing: None, NaN (pandas' NA and NaT too) or text of blanks alone."""
    if isinstance(value, str):
        return not value.strip()
    return value is None or type(value).__name__ in _PANDAS_NULLS or (isinstance(value, float) and math.isnan(value))


def row_faults(columns: Sequence[Column], row: Mapping[str, Any]) -> list[tuple[str, str, str]]:
    """(column, kind, reason) of each cell that does not fit, in the order of the columns."""
    faults = []
    for column in columns:
        kind, reason = _cell_fault(column, row.get(column.name))
        if kind:
            faults.append((column.name, kind, reason))
    return faults


def column_faults(columns: Sequence[Column], names: Iterable[str]) -> list[Fault]:
    """The columns that are missing, and those that nobody knows."""
    given = [str(name) for name in names]
    known = [column.name for column in columns]
    missing = [Fault(name, "missing", 0, (), f"{name}: there is no such column") for name in known if name not in given]
    unknown = [name for name in given if name not in known]
    return missing + [
        Fault(_cut(name), "unknown", 0, (), f"{_cut(name)}: the schema has no such column") for name in unknown
    ]


def table_faults(columns: Sequence[Column], rows: Sequence[Mapping[str, Any]]) -> list[Fault]:
    """The cells that do not fit, gathered by column and kind, in the order of the columns."""
    found: dict[tuple[str, str], list[tuple[int, str]]] = {}
    for number, row in enumerate(rows):
        for name, kind, reason in row_faults(columns, row):
            found.setdefault((name, kind), []).append((number, reason))
    order = {column.name: place for place, column in enumerate(columns)}
    return [_gathered(*key, found[key]) for key in sorted(found, key=lambda key: (order[key[0]], key[1]))]


def _gathered(column: str, kind: str, told: list[tuple[int, str]]) -> Fault:
    rows = tuple(number for number, _ in told[:_MOST_NAMED])
    where = ", ".join(str(row + 1) for row in rows) + (", …" if len(told) > len(rows) else "")
    noun = "row" if len(told) == 1 else "rows"
    return Fault(column, kind, len(told), rows, f"{column}: {told[0][1]} ({len(told)} {noun}: {where})")


def _cell_fault(column: Column, value: Any) -> tuple[str, str]:
    try:
        typed = cell(column, value)
    except (ValueError, OverflowError):
        noun = {"number": "number", "integer": "integer", "date": "date as 2024-02-29"}[column.type]
        return "type", f"{_told(column, value)} is no {noun}"
    if typed is None:
        return ("", "") if column.nullable else ("null", "has no value")
    if column.low is not None and typed < column.low:
        return "range", f"{_told(column, typed)} is below {column.low}"
    if column.high is not None and typed > column.high:
        return "range", f"{_told(column, typed)} is above {column.high}"
    if column.values and typed not in column.values:
        return "value", f"{_told(column, typed)} is none of {', '.join(column.values)}"
    return "", ""


def _number(value: Any) -> float:
    # float() would also take '1_000', 'nan' and 'inf', and True for 1.
    if isinstance(value, bool) or type(value).__name__ in _NUMPYS_BOOLEANS or (isinstance(value, str) and "_" in value):
        raise ValueError("is no number")
    try:
        number = float(value)
    except TypeError:
        raise ValueError("is no number") from None
    if not math.isfinite(number):
        raise ValueError("is no number")
    return number


def _told(column: Column, value: Any) -> str:
    return "what stands there" if column.private else _quoted(value)


def _quoted(value: Any) -> str:
    return _cut(repr(value) if isinstance(value, str) else str(value))


def _cut(text: str) -> str:
    return text if len(text) <= _MOST_QUOTED else f"{text[:_MOST_QUOTED]}…"
