"""A pattern that takes forever is told from one that does not, without trying."""

from __future__ import annotations

import re
import subprocess
import sys
import warnings

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from flowhub_assets.ir.regex_cost import can_take_forever


@pytest.mark.parametrize(
    "pattern",
    [
        "^[a-z0-9]+(-[a-z0-9]+)*$",
        r"^\d+(,\d+)*$",
        r"^([a-z]+ )*[a-z]+$",
        r"^[\w.+-]+@([\w-]+\.)+[\w-]{2,}$",
        r"^(\d{3}-){2}\d{4}$",
        "^(foo|bar)+$",
        "^(ab?c?)*$",
        r"^\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?Z$",
        "^s3://[^/]+(/[^/]+)*$",
        "^[가-힣]+( [가-힣]+)*$",
        r"^\s*\w+(\s*,\s*\w+)*\s*$",
        r"^(\d|\w)+x+$",
        "^(a(-b+)?c)*$",
        ".*",
        "",
    ],
)
def test_what_people_write_is_taken(pattern: str) -> None:
    assert not can_take_forever(pattern)


@pytest.mark.parametrize(
    "pattern",
    [
        "(a+)+$",
        "^(a*)*$",
        "^(([a-z])+.)+[A-Z]([a-z])+$",
        r"^(\w+\s?)*$",
        "^(a|a?)+$",
        "^(a|aa)+$",
        "^(.*,)*$",
        "^((a{1,5}){1,5}){1,50}$",
        "^((a|a)b)+$",
        "^((a?a?)b)+$",
        r"(?:x+x+)+y",
        r"^(a+)*\1$",
        "^(?i:(a+)+)$",
    ],
)
def test_what_takes_forever_is_found(pattern: str) -> None:
    assert can_take_forever(pattern)


LETTERS = st.sampled_from(["a", "b", ".", "[ab]", "-"])
PATTERNS = st.recursive(
    LETTERS,
    lambda inner: st.one_of(
        st.tuples(inner, inner).map("".join),
        st.tuples(inner, inner).map(lambda two: f"({two[0]}|{two[1]})"),
        st.tuples(inner, st.sampled_from(["*", "+", "?", "{2}"])).map(lambda two: f"({two[0]}){two[1]}"),
    ),
    max_leaves=4,
)


@settings(deadline=None, max_examples=30)
@given(st.lists(PATTERNS.filter(lambda one: not can_take_forever(f"^{one}$")), min_size=20, max_size=20))
def test_what_is_taken_ends(patterns: list[str]) -> None:
    # Each would double its time with each of these letters if it could be read in two ways.
    code = (
        f"import re\nfor p in {patterns!r}:\n for t in ('a' * 35, 'ab' * 18, 'a-' * 18): re.search(f'^{{p}}$', t + '!')"
    )
    subprocess.run([sys.executable, "-c", code], timeout=30, check=True)


@given(st.text("ab()|*+?[]{}\\d^$.,12-", max_size=12))
def test_whatever_is_a_pattern_has_an_answer(pattern: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            re.compile(pattern)
        except (re.error, OverflowError):
            assume(False)
    assert can_take_forever(pattern) in (True, False)
