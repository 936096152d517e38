"""JSON from outside: only JSON is taken."""

from __future__ import annotations

import contextlib
import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.json_reading import read_json

VALUES: Any = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
)


@given(VALUES)
def test_what_was_written_comes_back(value: Any) -> None:
    assert read_json(json.dumps(value)) == value
    assert read_json(json.dumps(value).encode()) == value


@pytest.mark.parametrize(
    ("text", "told"),
    [("NaN", "NaN is not a number in JSON"), ("[-Infinity]", "-Infinity is not"), ("[" * 100_000, "nested too deeply")],
)
def test_what_python_alone_takes_is_refused(text: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        read_json(text)


@given(st.text() | st.binary())
def test_nothing_but_a_value_error_is_raised(text: str | bytes) -> None:
    with contextlib.suppress(ValueError):
        read_json(text)
