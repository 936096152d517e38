"""The body of a request: a JSON array of rows. What is in a row is looked at by the model's features."""

from __future__ import annotations

import json
from typing import Any

from flowhub_assets.errors import ParamsRefused

#: The most rows that one request brings, and the most bytes of its body; more is work for a batch prediction.
MOST_ROWS = 1000
MOST_BYTES = 1024 * 1024


def rows_of(body: bytes) -> list[Any]:
    """The rows that ``body`` brings, from one to MOST_ROWS. Raises ParamsRefused, which says what is wrong."""
    try:
        rows = json.loads(body, parse_constant=_no_number)
    except RecursionError:
        raise _refused("the body is nested too deeply") from None
    except ValueError as error:
        raise _refused(f"the body is not JSON: {error}") from None
    if not isinstance(rows, list):
        raise _refused(f"the body is {_kind(rows)}, not a list of rows")
    if not rows:
        raise _refused("the list of rows is empty")
    if len(rows) > MOST_ROWS:
        raise _refused(f"there are {len(rows)} rows; a request takes {MOST_ROWS} at most")
    return rows


def _refused(what: str) -> ParamsRefused:
    return ParamsRefused(what, remedy="Send rows as [[5.1, 3.5, 1.4, 0.2], ...], values in the order of the columns.")


def _kind(value: Any) -> str:
    kinds = {type(None): "null", bool: "a truth value", str: "text", int: "a number", float: "a number"}
    return kinds.get(type(value), "an object")


def _no_number(name: str) -> Any:
    # Python's parser takes NaN and Infinity, which JSON (RFC 8259, section 6) does not have.
    raise ValueError(f"{name} is no number")
