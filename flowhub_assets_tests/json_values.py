"""Whatever JSON can say, for tests with hypothesis."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st
from hypothesis.strategies import SearchStrategy

#: The whole numbers that a float holds too, as those do who read JSON's numbers as floats.
SAFE_INTEGERS = st.integers(-(2**53), 2**53)


def json_values(texts: SearchStrategy[str] | None = None, integers: SearchStrategy[int] | None = None) -> Any:
    """Values of JSON, nested, a few leaves in all; ``texts`` are its texts and keys, ``integers`` its whole numbers."""
    words = st.text() if texts is None else texts
    numbers = (st.integers() if integers is None else integers) | st.floats(allow_nan=False, allow_infinity=False)
    return st.recursive(
        st.none() | st.booleans() | numbers | words,
        lambda inner: st.lists(inner, max_size=3) | st.dictionaries(words, inner, max_size=3),
        max_leaves=8,
    )
