"""A CSV file whose rows are judged one by one: the good ones typed, each other one kept with the reason."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.schema import Column, cell, row_faults

#: What a reject's ``kind`` may be.
KINDS = ("cells", "null", "type", "range", "value", "duplicate")


#: A row that fits: its line, its typed cells, its cells as they stand in the file.
_Good = tuple[int, dict[str, Any], list[str]]


@dataclass(frozen=True)
class Validated:
    """``rows`` are typed by the columns; ``rejects`` say line, kind, column and reason beside their cells.

    Lines count from 1, the header's. ``seen`` holds the key of every row, good or bad, that has one.
    """

    rows: list[dict[str, Any]] = field(default_factory=list)
    rejects: list[dict[str, Any]] = field(default_factory=list)
    seen: list[Any] = field(default_factory=list)

    def count(self, *kinds: str) -> int:
        """How many rows were rejected for one of these kinds; for any, where none is named."""
        return sum(not kinds or reject["kind"] in kinds for reject in self.rejects)


def validate_csv(data: bytes, columns: Sequence[Column], key: str, newest: str = "", *, source: str = "") -> Validated:
    """Judges each row of a CSV file with a header; no row is lost.

    Of rows with the same ``key`` the one with the greatest value in the column ``newest`` stays (the first of equals),
    the others are rejected as duplicates. Raises InputError for what is no CSV, and for a header that lacks a column
    or has one that nobody knows: then no row could be judged.
    """
    lines = _lines(data, source)
    header = [name.strip() for name in lines[0][1]] if lines else []
    _require_header(header, [column.name for column in columns], source)
    good: list[_Good] = []
    found = Validated()
    for number, cells in lines[1:]:
        faults = _faults(columns, header, cells)
        row = dict(zip(header, cells, strict=False))
        known = _key_of(columns, key, row)
        if known is not None:
            found.seen.append(known)
        if faults:
            found.rejects.append(_reject(number, faults[0], "; ".join(reason for *_, reason in faults), header, cells))
        else:
            good.append((number, {column.name: cell(column, row[column.name]) for column in columns}, cells))
    _without_duplicates(good, key, newest, header, found)
    found.rejects.sort(key=lambda reject: reject["line"])
    return found


def csv_of(rows: Sequence[Mapping[str, Any]], names: Sequence[str]) -> bytes:
    """``rows`` as CSV (RFC 4180, UTF-8) with a header; None is an empty cell."""
    text = io.StringIO(newline="")
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(names)
    writer.writerows([["" if row.get(name) is None else row[name] for name in names] for row in rows])
    return text.getvalue().encode("utf-8")


def _lines(data: bytes, source: str) -> list[tuple[int, list[str]]]:
    """(line, cells) of each row; blank lines are none."""
    try:
        reader = csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True)
        found = []
        begins = 1
        for cells in reader:
            if cells:
                found.append((begins, cells))
            begins = reader.line_num + 1
    except (UnicodeDecodeError, csv.Error) as error:
        raise InputError(
            f"{source or 'the file'} is no CSV: {error}",
            effect="None of its rows was loaded.",
            remedy="Write RFC 4180 in UTF-8, commas between.",
        ) from None
    return found


def _require_header(header: Sequence[str], names: Sequence[str], source: str) -> None:
    missing = [name for name in names if name not in header]
    unknown = [name for name in header if name not in names]
    twice = [name for name in dict.fromkeys(header) if header.count(name) > 1]
    told = [("lacks", missing), ("has the unknown", unknown), ("names twice", twice)]
    wrong = [f"{word} {', '.join(map(repr, some))}" for word, some in told if some]
    if wrong:
        raise InputError(
            f"the header of {source or 'the file'} {' and '.join(wrong)}",
            effect="None of its rows was loaded.",
            remedy=f"Write the columns {', '.join(names)}.",
        )


def _faults(columns: Sequence[Column], header: Sequence[str], cells: Sequence[str]) -> list[tuple[str, str, str]]:
    """(column, kind, what is wrong, with the column's name in front)."""
    if len(cells) != len(header):
        return [("", "cells", f"has {len(cells)} cells, the header {len(header)}")]
    faults = row_faults(columns, dict(zip(header, cells, strict=True)))
    return [
        (name, kind, f"{name} {reason}" if kind == "null" else f"{name}: {reason}") for name, kind, reason in faults
    ]


def _key_of(columns: Sequence[Column], key: str, row: Mapping[str, str]) -> Any:
    column = next(column for column in columns if column.name == key)
    try:
        return cell(column, row.get(key))
    except (ValueError, OverflowError):
        return None


def _reject(
    line: int, fault: tuple[str, str, str], reason: str, header: Sequence[str], cells: Sequence[str]
) -> dict[str, Any]:
    name, kind, _ = fault
    return {"line": line, "kind": kind, "column": name, "reason": reason, **dict(zip(header, cells, strict=False))}


def _without_duplicates(good: Sequence[_Good], key: str, newest: str, header: Sequence[str], found: Validated) -> None:
    """Puts the rows that stay into ``found.rows`` in the file's order, the others into ``found.rejects``."""
    kept: dict[Any, tuple[int, Any]] = {}
    for number, row, _ in good:
        rank = row[newest] if newest else None
        there = kept.get(row[key])
        if there is None or (rank is not None and (there[1] is None or rank > there[1])):
            kept[row[key]] = (number, rank)
    for number, row, cells in good:
        stays = kept[row[key]][0]
        if stays == number:
            found.rows.append(row)
        else:
            reason = f"{key} {row[key]} stands in line {stays}, too, which stays"
            found.rejects.append(_reject(number, (key, "duplicate", reason), reason, header, cells))
