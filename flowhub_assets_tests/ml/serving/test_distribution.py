"""How predictions are distributed: the shares add up, edges belong below, the index is 0 for the same."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ml.serving.distribution import counted, labels, reference, stability_index

NUMBERS = st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=50)


@given(NUMBERS)
def test_each_number_is_in_one_span(values: list[float]) -> None:
    told = reference(values, [])
    assert len(told["shares"]) == len(labels(told)) == len(told["edges"]) + 1
    assert sum(told["shares"]) == pytest.approx(1)
    assert sum(counted(values, told).values()) == len(values)
    assert told["edges"] == sorted(set(told["edges"]))


def test_a_number_on_an_edge_belongs_below_as_in_prometheus() -> None:
    told = {"edges": [1.0, 2.0], "shares": [0.5, 0.25, 0.25]}
    assert counted([1.0, 1.5, 2.0, 2.5], told) == {"up to 1": 1, "up to 2": 2, "above 2": 1}


def test_classes_have_shares_also_those_that_nobody_predicted() -> None:
    told = reference(["a", "a", "b", "a"], ["a", "b", "c"])
    assert told["shares"] == [0.75, 0.25, 0.0]
    assert counted(["c"], told) == {"a": 0, "b": 0, "c": 1}


@given(st.lists(st.floats(0, 1), min_size=1, max_size=10))
def test_the_same_is_no_distance_and_none_is_below_it(shares: list[float]) -> None:
    assert stability_index(shares, shares) == 0
    assert stability_index(shares, list(reversed(shares))) >= 0


def test_the_index_is_that_of_the_literature() -> None:
    # Siddiqi, Credit Risk Scorecards: the sum of (actual - expected) * ln(actual / expected).
    found = stability_index([0.5, 0.5], [0.7, 0.3])
    assert found == pytest.approx(0.2 * math.log(0.7 / 0.5) - 0.2 * math.log(0.3 / 0.5))
    assert stability_index([1.0, 0.0], [0.0, 1.0]) > 1
