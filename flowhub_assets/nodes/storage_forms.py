"""The forms in which an object of the storage holds a value: JSON, text, lines, CSV, base64 of its bytes."""

from __future__ import annotations

import base64
import csv
import io
import json
from collections.abc import Callable
from typing import Any, Literal

from flowhub_assets.ir.spelling import listed
from flowhub_assets.nodes.json_reading import read_json
from flowhub_assets.nodes.sdk import NodeError

Form = Literal["auto", "json", "text", "lines", "csv", "bytes-base64"]

_OF_ENDING: dict[str, Form] = {".json": "json", ".csv": "csv"}


def form_of_key(form: Form, key: str) -> Form:
    """The form itself; for ``auto`` that of the key's ending: json, csv, else text."""
    if form != "auto":
        return form
    return next((named for ending, named in _OF_ENDING.items() if key.lower().endswith(ending)), "text")


def decoded(data: bytes, form: Form, key: str) -> Any:
    """The value that ``data`` holds; ``key`` is for messages. Raises NodeError if it is not of that form."""
    if form == "bytes-base64":
        return base64.b64encode(data).decode()
    try:
        # A byte order mark is what Excel begins its files with, not part of the text.
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NodeError(
            f"{key!r} is not text in UTF-8: byte {error.start} is {data[error.start]:#04x}",
            remedy="Read it with as: bytes-base64, or convert it where it comes from.",
            retry=False,
        ) from None
    return _FROM_TEXT[form](text, key)


def encoded(value: Any, form: Form, key: str) -> bytes:
    """``value`` as ``form`` says; ``auto`` also writes what is no text as JSON. Raises NodeError if it cannot be."""
    if form == "auto":
        form = form_of_key(form, key)
        if form == "text" and not isinstance(value, str):
            form = "json"
    return _TO_BYTES[form](value, key)


def _json_from(text: str, key: str) -> Any:
    try:
        return read_json(text)
    except ValueError as error:
        raise NodeError(
            f"{key!r} is not JSON: {error}",
            remedy="Read it with as: text, or as: lines for one value a line.",
            retry=False,
        ) from None


def _lines_of(text: str) -> list[str]:
    # Not splitlines(): a form feed or U+2028 in a text ends no line of the file.
    return [line.removesuffix("\r") for line in text.removesuffix("\n").split("\n")] if text else []


def _rows_from(text: str, key: str) -> list[dict[str, str]]:
    """One dict for each line, by the names in the first one; all values are text."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        lines = [(reader.line_num, line) for line in reader if line]
    except csv.Error as error:
        raise NodeError(
            f"{key!r} is not CSV: line {reader.line_num}: {error}", remedy="Read it with as: lines.", retry=False
        ) from None
    if not lines:
        return []
    header = lines[0][1]
    if len(set(header)) != len(header):
        raise NodeError(f"{key!r} names a column twice in its first line: {listed(header)}", retry=False)
    for number, line in lines[1:]:
        if len(line) != len(header):
            raise NodeError(
                f"{key!r} has {len(line)} values in line {number}, and its first line names {len(header)} columns",
                remedy="Put values with commas into double quotes, or read it with as: lines.",
                retry=False,
            )
    return [dict(zip(header, line, strict=True)) for _, line in lines[1:]]


def _json_bytes(value: Any, key: str) -> bytes:
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, indent=2).encode() + b"\n"
    except ValueError as error:
        raise NodeError(f"the value for {key!r} cannot be written as JSON: {error}", retry=False) from None


def _text_bytes(value: Any, key: str) -> bytes:
    if not isinstance(value, str):
        raise _wrong(value, key, "text", "text", "Write it with as: json.")
    return value.encode()


def _line_bytes(value: Any, key: str) -> bytes:
    if not isinstance(value, list) or not all(map(_is_line, value)):
        raise _wrong(value, key, "lines", "a list of texts of one line each", "Write it with as: json.")
    return "".join(f"{line}\n" for line in value).encode()


def _is_line(value: Any) -> bool:
    return isinstance(value, str) and "\n" not in value and not value.endswith("\r")


def _csv_bytes(value: Any, key: str) -> bytes:
    if not isinstance(value, list) or not all(isinstance(row, dict) for row in value):
        raise _wrong(value, key, "csv", "a list of objects", "Give one object for each line, by column.")
    columns = list(dict.fromkeys(column for row in value for column in row))
    text = io.StringIO(newline="")
    plain, quoted = (csv.writer(text, quoting=how, lineterminator="\n") for how in (csv.QUOTE_MINIMAL, csv.QUOTE_ALL))
    header = [columns] if columns else []
    for line in (*header, *([_cell(row.get(column)) for column in columns] for row in value)):
        # csv quotes no lone carriage return, and reads one as the end of a line.
        (quoted if any("\r" in cell for cell in line) else plain).writerow(line)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _bytes(value: Any, key: str) -> bytes:
    try:
        return base64.b64decode(value, validate=True)
    except (ValueError, TypeError):
        raise _wrong(value, key, "bytes-base64", "text in base64", "Write it with as: text.") from None


def _wrong(value: Any, key: str, form: str, wanted: str, remedy: str) -> NodeError:
    kind = {list: "a list", dict: "an object", str: "text", type(None): "null"}.get(
        type(value), "a number or a truth value"
    )
    return NodeError(f"the value for {key!r} is {kind}; as: {form} takes {wanted}", remedy=remedy, retry=False)


_FROM_TEXT: dict[str, Callable[[str, str], Any]] = {
    "json": _json_from,
    "text": lambda text, _: text,
    "lines": lambda text, _: _lines_of(text),
    "csv": _rows_from,
}
_TO_BYTES: dict[str, Callable[[Any, str], bytes]] = {
    "json": _json_bytes,
    "text": _text_bytes,
    "lines": _line_bytes,
    "csv": _csv_bytes,
    "bytes-base64": _bytes,
}
