"""The split by each row's hash: stable, by content, of about the share that is asked for."""

from __future__ import annotations

from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_set_files import shipped_data_set
from flowhub_assets.ml.splitting import split

ROW = st.tuples(
    st.one_of(st.none(), st.integers(-(2**40), 2**40)),
    st.one_of(st.none(), st.floats(allow_nan=False, allow_infinity=False)),
    st.one_of(st.none(), st.text(max_size=8)),
)
ROWS = st.lists(ROW, max_size=30)
NAMES = ["count", "share", "name"]


def frame(rows: list[Any]) -> pd.DataFrame:
    return pd.DataFrame(rows, columns=NAMES)


def sides(rows: list[Any], share: float = 0.5) -> dict[int, bool]:
    """Index of each row → whether it is for the test."""
    train, test = split(frame(rows), share)
    return {**dict.fromkeys(train.index, False), **dict.fromkeys(test.index, True)}


@given(ROWS)
def test_each_row_is_on_one_side_in_its_order(rows: list[Any]) -> None:
    whole = frame(rows)
    train, test = split(whole, 0.5)
    assert sorted([*train.index, *test.index]) == list(range(len(rows)))
    assert list(train.index) == sorted(train.index)
    assert list(test.index) == sorted(test.index)
    assert list(train.columns) == NAMES


@given(ROWS, st.randoms(use_true_random=False))
def test_the_order_of_rows_and_columns_moves_no_row(rows: list[Any], chance: Any) -> None:
    before = sides(rows)
    order = list(range(len(rows)))
    chance.shuffle(order)
    moved = frame(rows).iloc[order][["name", "count", "share"]]
    train, test = split(moved, 0.5)
    assert all(before[index] is False for index in train.index)
    assert all(before[index] is True for index in test.index)


@given(ROWS, ROWS)
def test_rows_that_come_later_move_no_row(rows: list[Any], added: list[Any]) -> None:
    # A null among those that come makes pandas write a column of integers as floats.
    after = sides([*rows, *added])
    assert {index: side for index, side in after.items() if index < len(rows)} == sides(rows)


@given(ROWS)
def test_equal_rows_are_on_one_side(rows: list[Any]) -> None:
    found = sides([*rows, *rows])
    assert all(found[index] == found[index + len(rows)] for index in range(len(rows)))


@settings(max_examples=30)
@given(st.integers(0, 10**9), st.sampled_from([0.1, 0.2, 0.5]))
def test_the_share_is_about_what_is_asked_for(start: int, share: float) -> None:
    _, test = split(pd.DataFrame({"id": range(start, start + 1000)}), share)
    # Six standard deviations of a binomial distribution.
    assert abs(len(test) / 1000 - share) < 6 * (share * (1 - share) / 1000) ** 0.5


def test_a_greater_share_keeps_the_rows_of_a_smaller_one() -> None:
    rows = [(number, None, None) for number in range(200)]
    small, large = sides(rows, 0.2), sides(rows, 0.4)
    assert all(large[index] for index, side in small.items() if side)


@pytest.mark.parametrize(("name", "wanted"), [("iris", 23), ("titanic", 264), ("housing", 340)])
def test_what_it_makes_of_the_shipped_rows_stays(name: str, wanted: int) -> None:
    """Another hash would mix rows that were learnt from into the test of every model that is there."""
    train, test = split(shipped_data_set(name)[0])
    assert len(test) == wanted
    assert not set(map(tuple, test.astype(str).to_numpy())) & set(map(tuple, train.astype(str).to_numpy()))


@pytest.mark.parametrize("share", [0, 1, -0.1, 2, float("nan")])
def test_a_share_that_is_none(share: float) -> None:
    with pytest.raises(InputError, match="test_share is"):
        split(frame([]), share)
