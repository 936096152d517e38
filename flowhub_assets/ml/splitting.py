"""Which rows a model learns from and which it is judged by: a stable hash of each row says so."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.schema import is_null

if TYPE_CHECKING:
    from pandas import DataFrame

_BITS = 64


def split(frame: DataFrame, test_share: float = 0.2) -> tuple[DataFrame, DataFrame]:
    """(train, test): about ``test_share`` of the rows are for the test, each row by its own content.

    Neither the order of rows and columns nor rows added later move a row to the other side, and equal rows are on
    one side, so that no row of the test was learnt from. Both keep their order and their index. A frame of few rows
    may have none for the test. Raises InputError for a share that is not between 0 and 1.
    """
    if not 0 < test_share < 1:
        raise InputError(f"test_share is {test_share!r}", remedy="Write a share between 0 and 1, for example 0.2.")
    names = sorted(frame.columns, key=str)
    bound = int(test_share * 2**_BITS)
    rows = zip(*(frame[name].tolist() for name in names), strict=True)
    chosen = [_place(row) < bound for row in rows]
    sides = [[place for place, one in enumerate(chosen) if one is side] for side in (False, True)]
    return frame.iloc[sides[0]], frame.iloc[sides[1]]


def _place(row: tuple[Any, ...]) -> int:
    text = json.dumps([_text(value) for value in row], ensure_ascii=True)
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[: _BITS // 8], "big")


def _text(value: Any) -> str | None:
    if is_null(value):
        return None
    # One row with a null makes pandas write all other integers of its column as floats.
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)
