"""What somebody probably meant to write, however much there is to choose from."""

from __future__ import annotations

import pytest

from flowhub_assets.ir.spelling import did_you_mean, listed

MANY = [f"node-number-{number:05}" for number in range(3_000)]


def test_the_nearest_name_is_told() -> None:
    assert did_you_mean("memroy", ("memory", "cpu")) == "did you mean 'memory'?"
    assert did_you_mean("MEMORY", ("memory", "cpu")) == "did you mean 'memory'?"
    assert did_you_mean("disk", ("memory", "cpu")) == ""
    assert did_you_mean("ab", ("abc", "abd", "xyz"), most=2) == "did you mean 'abd' or 'abc'?"


@pytest.mark.parametrize("word", ["node-nmber-01700", "nod-number-01700", "xnode-number-01700", "Node-Numbr-01700"])
def test_it_is_found_among_thousands(word: str) -> None:
    assert did_you_mean(word, MANY) == "did you mean 'node-number-01700'?"


def test_thousands_of_words_and_names_take_no_minutes() -> None:
    # As many as a file may have: each compared with each would take hours.
    assert all(did_you_mean(word.replace("number", "numbre"), MANY) for word in MANY[:200])


def test_texts_that_are_no_names_are_not_compared() -> None:
    # Python's own comparison of these takes an hour.
    assert did_you_mean("a" * 1_000_000, ["a" * 999_999 + "b"]) == ""
    assert did_you_mean("a" * 150, ["a" * 999_999 + "b"]) == ""


def test_names_are_listed_as_people_do() -> None:
    assert [listed(names) for names in ([], ["a"], ["a", "b"], ["a", "b", "c"])] == [
        "none",
        "a",
        "a and b",
        "a, b and c",
    ]
