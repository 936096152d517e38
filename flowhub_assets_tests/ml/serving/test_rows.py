"""The body of a request: rows, or the reason why it is none."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.ml.serving.rows import MOST_ROWS, rows_of

VALUES = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text()


@given(st.lists(st.lists(VALUES), min_size=1, max_size=20))
def test_rows_come_back_as_they_were_sent(rows: list[Any]) -> None:
    assert rows_of(json.dumps(rows).encode()) == rows


@given(st.binary())
def test_any_bytes_are_rows_or_refused_in_words(body: bytes) -> None:
    with contextlib.suppress(ParamsRefused):
        assert rows_of(body)


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"", "not JSON"),
        (b"[[NaN]]", "NaN is no number"),
        (b"[[-Infinity]]", "-Infinity is no number"),
        (b"\xff", "not JSON"),
        (b"[[" + b"1" * 5000 + b"]]", "not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"null", "null, not a list"),
        (b"true", "a truth value, not a list"),
        (b'"5.1"', "text, not a list"),
        (b"5.1", "a number, not a list"),
        (b"{}", "an object, not a list"),
        (b"[]", "is empty"),
    ],
)
def test_what_is_no_list_of_rows_is_told(body: bytes, reason: str) -> None:
    with pytest.raises(ParamsRefused, match=reason):
        rows_of(body)


def test_a_request_takes_so_many_rows_and_not_one_more() -> None:
    assert len(rows_of(json.dumps([[1]] * MOST_ROWS).encode())) == MOST_ROWS
    with pytest.raises(ParamsRefused, match=f"there are {MOST_ROWS + 1} rows"):
        rows_of(json.dumps([[1]] * (MOST_ROWS + 1)).encode())
