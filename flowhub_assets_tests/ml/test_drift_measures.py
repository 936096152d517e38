"""PSI and KS: nothing where nothing moved, much where it did, and a bound that knows how few rows there are."""

from __future__ import annotations

import math
from typing import Any

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import ks_2samp

from flowhub_assets.ml.drift_measures import FALSE_ALARMS, KS_BOUND, PSI_BOUND, ks, ks_bound, psi, psi_bound

_NUMBERS = st.one_of(st.floats(-1e6, 1e6), st.integers(-1000, 1000), st.none(), st.just(math.nan))
_TEXTS = st.one_of(st.sampled_from(["a", "b", "null", "unseen", ""]), st.none())
_COLUMNS = st.one_of(*(st.lists(one, min_size=1, max_size=60) for one in (_NUMBERS, _TEXTS)))
_PAIRS = st.one_of(*(st.tuples(*(st.lists(one, min_size=1, max_size=60),) * 2) for one in (_NUMBERS, _TEXTS)))


@given(_COLUMNS, st.integers(1, 4), st.randoms(use_true_random=False))
def test_the_same_shares_have_not_moved(column: list[Any], times: int, order: Any) -> None:
    now = column * times
    order.shuffle(now)
    assert psi(column, now)[0] == pytest.approx(0, abs=1e-12)
    if not any(isinstance(one, str) for one in column):
        assert ks(column, now) in (None, 0)


@given(_PAIRS)
def test_any_columns_have_an_index_of_at_least_nothing(pair: tuple[list[Any], list[Any]]) -> None:
    before, now = pair
    index, bins = psi(before, now)
    assert index >= 0
    assert math.isfinite(index)
    assert 1 <= bins <= len(before) + 2


@given(st.lists(st.floats(-100, 100), min_size=20, max_size=200, unique=True), st.floats(300, 1000))
def test_what_is_shifted_beyond_its_range_has_moved_far(column: list[float], shift: float) -> None:
    now = [one + shift for one in column]
    assert psi(column, now)[0] > 1
    assert ks(column, now) == 1


@pytest.mark.filterwarnings("ignore:divide by zero:RuntimeWarning")
@given(st.lists(st.floats(-9, 9), min_size=1, max_size=50), st.lists(st.floats(-9, 9), min_size=1, max_size=50))
def test_the_distance_is_scipys_and_nulls_are_left_out(before: list[float], now: list[float]) -> None:
    assert ks([*before, None, math.nan], [None, *now]) == pytest.approx(ks_2samp(before, now, method="asymp").statistic)


def test_the_index_by_hand() -> None:
    before, now = ["a"] * 50 + ["b"] * 50, ["a"] * 80 + ["b"] * 20
    wanted = 0.3 * math.log(0.8 / 0.5) - 0.3 * math.log(0.2 / 0.5)
    index, bins = psi(before, now)
    assert index == pytest.approx(wanted)
    assert bins == 2


@pytest.mark.parametrize(
    ("before", "now"),
    [
        (["a"] * 100, ["a"] * 60 + [None] * 40),
        ([1.5, 2.5] * 50, [1.5, 2.5] * 30 + [None] * 40),
        (list(range(100)), [*range(60), *[math.nan] * 40]),
        (["a", "b"] * 50, ["a", "b"] * 30 + ["c"] * 40),
        ([7] * 100, [7] * 60 + [6] * 40),
        ([7] * 100, [7] * 60 + [8] * 40),
        ([None] * 100, [None] * 60 + [8] * 40),
    ],
    ids=["nulls of text", "nulls of few", "nulls of many", "unseen", "below a constant", "above it", "only nulls"],
)
def test_nulls_and_values_never_seen_are_counted(before: list[Any], now: list[Any]) -> None:
    assert psi(before, now)[0] > 1


def test_numbers_of_one_decimal_that_change_a_little_have_not_moved() -> None:
    column = [one / 10 for one in range(20, 60)] * 3
    assert psi(column, [one + 0.01 for one in column])[0] == 0


def test_a_constant_column_that_stays_has_not_moved() -> None:
    assert psi([7] * 100, [7.0] * 3) == (0, 1)
    assert psi(["x"] * 100, ["x"]) == (0, 1)
    assert psi_bound(100, 3, 1, 0.01) == PSI_BOUND


def test_without_rows_nothing_is_said() -> None:
    assert psi([], [1]) == psi([1], []) == (0, 0)
    assert ks([None], [1]) is None
    assert ks([1], []) is None
    assert psi_bound(0, 1, 0, 0.1) == PSI_BOUND
    assert ks_bound(0, 5, 0.1) == KS_BOUND


def test_many_rows_have_the_bounds_that_everybody_knows() -> None:
    assert psi_bound(100_000, 100_000, 10, 0.001) == PSI_BOUND
    assert ks_bound(100_000, 100_000, 0.001) == KS_BOUND


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("rows", [15, 40, 200])
def test_few_rows_that_have_not_moved_are_seldom_taken_for_moved(rows: int) -> None:
    random, chance = numpy.random.default_rng(7), FALSE_ALARMS
    alarms, without = 0, 0
    for _ in range(300):
        before, now = random.normal(size=300).tolist(), random.normal(size=rows).tolist()
        index, bins = psi(before, now)
        alarms += index > psi_bound(300, rows, bins, chance) or (ks(before, now) or 0) > ks_bound(300, rows, chance)
        without += index > PSI_BOUND
    assert alarms <= 15, "two measures, each wrong about once in a hundred"
    if rows == 40:
        assert without > 60, "the bound of many rows would cry wolf"
