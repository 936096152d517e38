"""What databases give as JSON."""

from __future__ import annotations

import base64
import datetime
import math
import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

#: A longer whole number is text: Python neither prints nor reads it as a number.
_MOST_DIGITS = 4000


def as_json(value: Any) -> Any:
    """``value`` as JSON, whatever type the driver gave it.

    Times are ISO 8601, with Z where they are UTC; intervals are seconds; bytes are base64. A decimal is a number
    where JSON's numbers keep it exactly, else text. What is no number (NaN, infinity) is null. Identifiers and all
    other types are their text.
    """
    if value is None or isinstance(value, (bool, str)):
        return value
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): as_json(item) for key, item in value.items()}
    if isinstance(value, (list, tuple, set, frozenset)):
        return [as_json(item) for item in value]
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if isinstance(value, Decimal):
        return _decimal(value)
    if isinstance(value, datetime.datetime):
        return _moment(value)
    if isinstance(value, (datetime.date, datetime.time)):
        return value.isoformat()
    if isinstance(value, datetime.timedelta):
        return value.total_seconds()
    if isinstance(value, (bytes, bytearray, memoryview)):
        return base64.b64encode(bytes(value)).decode()
    if isinstance(value, uuid.UUID):
        return str(value)
    return _driver_type(value)


def _driver_type(value: Any) -> Any:
    """Types that drivers bring along, by what they can do: the drivers themselves are not imported here."""
    if hasattr(value, "to_decimal"):
        return _decimal(value.to_decimal())
    if hasattr(value, "as_datetime"):
        # pymongo gives milliseconds since 1970 where Python's calendar lacks the year.
        return int(value) if hasattr(value, "__int__") else _moment(value.as_datetime())
    if hasattr(value, "as_doc"):
        return as_json(value.as_doc())
    pattern = getattr(value, "pattern", None)
    return pattern if isinstance(pattern, str) else str(value)


def _decimal(value: Decimal) -> int | float | str | None:
    if not value.is_finite():
        return None
    _, digits, exponent = value.as_tuple()
    if exponent == 0 and len(digits) <= _MOST_DIGITS:
        return int(value)
    near = float(value)
    return near if math.isfinite(near) and Decimal(repr(near)) == value else str(value)


def _moment(value: datetime.datetime) -> str:
    text = value.isoformat()
    return f"{text.removesuffix('+00:00')}Z" if value.utcoffset() == datetime.timedelta(0) else text
