"""JSON on its way into MongoDB: types that JSON lacks, in MongoDB's extended JSON, and no operator that runs code."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

from flowhub_assets.nodes.sdk import NodeError

#: They run JavaScript in the server: with text from outside in them, that of a stranger.
CODE_OPERATORS = ("$where", "$function", "$accumulator", "$code")


def refuse_code(value: Any, told_as: str) -> None:
    """Raises NodeError for an operator that runs code, wherever it stands in ``value``."""
    if isinstance(value, dict):
        for key, item in value.items():
            if key in CODE_OPERATORS:
                raise NodeError(
                    f"{told_as} has {key}, which runs code in the database",
                    remedy="Say it with $expr or $regex, or filter in the nodes after this one.",
                    retry=False,
                )
            refuse_code(item, told_as)
    elif isinstance(value, list):
        for item in value:
            refuse_code(item, told_as)


def to_bson(value: Any) -> Any:
    """``value`` with ``{"$oid": ...}``, ``{"$date": ...}``, ``{"$numberDecimal": ...}`` and ``{"$numberLong": ...}``
    as what they stand for.

    These are of MongoDB's extended JSON; nothing else of it is read. Raises NodeError for one that holds no such value.
    """
    if isinstance(value, dict):
        if len(value) == 1:
            ((key, item),) = value.items()
            if key in _READERS:
                return _read(key, item)
        return {key: to_bson(item) for key, item in value.items()}
    return [to_bson(item) for item in value] if isinstance(value, list) else value


def _read(key: str, item: Any) -> Any:
    try:
        return _READERS[key](item)
    except (ValueError, TypeError, InvalidOperation, OverflowError):
        raise NodeError(f"{item!r} is no value for {key}", remedy=_REMEDIES[key], retry=False) from None


def _object_id(text: Any) -> Any:
    from bson import ObjectId

    if not isinstance(text, str) or not ObjectId.is_valid(text):
        raise ValueError(text)
    return ObjectId(text)


def _date(value: Any) -> datetime.datetime:
    if isinstance(value, str):
        moment = datetime.datetime.fromisoformat(value)
        return moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)
    return datetime.datetime.fromtimestamp(value / 1000, datetime.UTC)


def _decimal(text: Any) -> Any:
    from bson import Decimal128

    return Decimal128(Decimal(text))


def _long(value: Any) -> Any:
    from bson import Int64

    return Int64(value)


_READERS: dict[str, Callable[[Any], Any]] = {
    "$oid": _object_id,
    "$date": _date,
    "$numberDecimal": _decimal,
    "$numberLong": _long,
}
_REMEDIES = {
    "$oid": "Write the 24 hexadecimal digits of an ObjectId.",
    "$date": "Write ISO 8601 text, 2026-01-31T09:00:00Z, or milliseconds since 1970.",
    "$numberDecimal": "Write a number as text: '12.50'.",
    "$numberLong": "Write a whole number.",
}
