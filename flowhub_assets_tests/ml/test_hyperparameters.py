"""Hyper-parameters: within their bounds at every door, and each wrong one is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.ml.hyperparameters import (
    MODELS,
    Hyperparameters,
    checked_bounds,
    checked_hyperparameters,
    used_by,
)

WRONG = [
    {"trees": 0},
    {"trees": 5_001},
    {"trees": 1.5},
    {"depth": 17},
    {"learning_rate": 0},
    {"learning_rate": float("nan")},
    {"row_share": 1.01},
    {"column_share": -1},
    {"leaf_rows": "many"},
    {"seed": -1},
    {"tress": 10},
]


@pytest.mark.parametrize("wrong", WRONG, ids=str)
def test_a_wrong_one_is_refused_by_its_name(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError) as caught:
        checked_hyperparameters({"seed": 1, **wrong})
    assert next(iter(wrong)) in caught.value.what
    assert "Nothing was trained" in caught.value.effect


def test_all_that_are_wrong_are_told_at_once() -> None:
    with pytest.raises(InputError, match=r"trees: .*; depth: "):
        checked_hyperparameters({"trees": 0, "depth": 0})


@given(st.integers(1, 5_000), st.integers(1, 16), st.floats(1e-6, 1), st.floats(1e-6, 1), st.integers(0, 2**31 - 1))
def test_what_lies_within_is_taken_as_it_is(trees: int, depth: int, rate: float, share: float, seed: int) -> None:
    words = {"trees": trees, "depth": depth, "learning_rate": rate, "row_share": share, "seed": seed}
    assert words.items() <= checked_hyperparameters(words).model_dump().items()


def test_a_forest_has_no_learning_rate_and_all_else_is_used() -> None:
    every = set(Hyperparameters.model_fields)
    assert {model: every - set(used_by(model, Hyperparameters())) for model in MODELS} == {
        "scikit-learn": {"learning_rate"},
        "xgboost": set(),
        "lightgbm": set(),
    }


def test_each_says_what_it_is() -> None:
    assert all(field.description for field in Hyperparameters.model_fields.values())


@pytest.mark.parametrize("wrong", [{"trials": 0}, {"seconds": 0}, {"seconds": float("inf")}, {"trials": 1.5}], ids=str)
def test_the_bounds_of_a_search_have_bounds(wrong: dict[str, Any]) -> None:
    with pytest.raises(InputError, match=next(iter(wrong))):
        checked_bounds(wrong)
