"""What a task tells of the table that it has made: its columns, how many rows it has, its name and its place."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from typing import Any, Optional, Union

from flowhub_assets.errors import ValueRefused
from flowhub_assets.runtime.show import DESCRIBED, Shown, collected

#: A column: a mapping, or an object of a dataclass with fields of the same names.
ColumnLike = Union[Mapping[str, Any], Any]


def describe_table(
    columns: Iterable[ColumnLike] = (), *, rows: Optional[int] = None, name: str = "", url: str = ""
) -> None:
    """Tells what the table is that the task has made; the UI shows it in its own places for tables.

    ``columns`` are ``{"name": ..., "type": ...}``, or ``ml.Column``; also known are description, nullable, unique,
    low, high and values. ``rows`` is how many it has now, ``name`` that of a database's table, ``url`` where it
    lies. Told twice, the last one counts. Outside a run it only checks. Raises ValueRefused for a column without a
    name, a number of rows that is none, and a URL with a password.
    """
    described: dict[str, Any] = {"columns": [_column(column) for column in columns]}
    number: Any = rows
    if hasattr(number, "item"):  # a number of numpy's
        number = number.item()
    if number is not None:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise ValueRefused(f"describe_table(rows={rows!r:.40})", remedy="Write how many rows the table has.")
        described["rows"] = number
    for word, text in (("name", name), ("url", url)):
        if text:
            described[word] = str(text)
    authority = url.partition("://")[2].partition("/")[0]
    if "@" in authority and ":" in authority.rpartition("@")[0]:
        raise ValueRefused(
            "describe_table(url=...) was given a URL with a password",
            effect="It would stand in the UI.",
            remedy="Leave the user and the password out.",
        )
    collecting = collected()
    if collecting is not None:
        collecting.append(Shown("table", DESCRIBED, described))


def _column(column: ColumnLike) -> dict[str, Any]:
    """{name, type, description, nullable, unique, constraints}, all of JSON."""
    given: Mapping[str, Any] = {}
    if isinstance(column, Mapping):
        given = column
    elif dataclasses.is_dataclass(column) and not isinstance(column, type):
        given = {field.name: getattr(column, field.name) for field in dataclasses.fields(column)}
    if not isinstance(given.get("name"), str) or not given["name"]:
        raise ValueRefused(
            f"describe_table was given the column {column!r:.60}",
            remedy="Write a column as {'name': 'age', 'type': 'integer'}, or as ml.Column('age', 'integer').",
        )
    return {
        "name": given["name"],
        "type": str(given.get("type") or "text"),
        "description": str(given.get("description") or ""),
        "nullable": bool(given.get("nullable", True)),
        "unique": bool(given.get("unique", False)),
        "constraints": _constraints(given),
    }


def _constraints(given: Mapping[str, Any]) -> list[str]:
    words = {"low": "at least", "high": "at most"}
    bounds = [(word, given[key]) for key, word in words.items() if given.get(key) is not None]
    told = [f"{word} {bound:,}" if isinstance(bound, int) else f"{word} {bound}" for word, bound in bounds]
    values = ", ".join(map(str, given.get("values") or ()))
    return [*told, f"one of {values}"] if values else told
