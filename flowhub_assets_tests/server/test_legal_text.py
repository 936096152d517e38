"""Text that neither a database nor JSON can keep."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.server.legal_text import require_legal
from flowhub_assets.store.submissions import Order

TEXT = st.text(st.characters(exclude_categories=()), max_size=5)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | TEXT,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=8,
)


@given(params=st.dictionaries(TEXT, JSON, max_size=3))
def test_what_is_taken_is_json_that_can_be_kept(params: dict[str, Any]) -> None:
    try:
        require_legal(Order(params), {})
    except ParamsRefused:
        with pytest.raises(ValueError):  # noqa: PT011 - a UnicodeEncodeError is one
            json.dumps(params, ensure_ascii=False, allow_nan=False).encode()
    else:
        assert json.loads(Order(params).text.encode())["params"] == params


@pytest.mark.parametrize("word", ["a\0b", "\ud800", "a\nb", "\x7f", "x" * 256])
def test_words_that_a_tag_cannot_hold_are_refused(word: str) -> None:
    with pytest.raises(ParamsRefused) as refused:
        require_legal(Order(), {"key": word})
    assert refused.value.fields[0][0] == "key"


@pytest.mark.parametrize("word", ["order 7", "주문-7", "", "x" * 255, None])
def test_other_words_are_taken(word: str | None) -> None:
    require_legal(Order(), {"key": word})
