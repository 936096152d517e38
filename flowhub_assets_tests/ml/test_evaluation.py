"""What is measured on held-out rows, by hand and by scikit-learn."""

from __future__ import annotations

import json
import math

import numpy
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics

from flowhub_assets.ml.evaluation import classification_measures, regression_measures

CLASSES = ["a", "b", "c"]


def test_a_classification_by_hand() -> None:
    scored = numpy.array([[0.9, 0.1, 0], [0.4, 0.6, 0], [0.2, 0.8, 0], [0.55, 0.45, 0]])
    told = classification_measures(["a", "a", "b", "b"], scored, CLASSES)
    assert told["confusion"] == [[1, 1, 0], [1, 1, 0], [0, 0, 0]]
    measured = told["metrics"]
    assert measured["accuracy"] == measured["balanced_accuracy"] == measured["f1_macro"] == 0.5
    assert measured["log_loss"] == pytest.approx(-sum(map(math.log, (0.9, 0.4, 0.8, 0.45))) / 4)
    # 0.9 and 0.8 were right, 0.6 and 0.55 wrong: four bins of one row.
    assert measured["calibration_error"] == pytest.approx((0.1 + 0.2 + 0.6 + 0.55) / 4)
    assert [one["rows"] for one in told["reliability"]] == [1, 1, 1, 1]
    assert [one["rows"] for one in told["per_class"]] == [2, 2, 0]
    assert json.loads(json.dumps(told)) == told


def test_what_is_sure_and_right_is_calibrated() -> None:
    told = classification_measures(["a", "b"], numpy.eye(3)[:2], CLASSES)
    assert told["metrics"]["calibration_error"] == 0
    assert told["reliability"] == [{"confidence": 1.0, "accuracy": 1.0, "rows": 2}]


@given(st.integers(2, 60), st.randoms(use_true_random=False))
def test_the_measures_are_scikit_learns(rows: int, random: object) -> None:
    generator = numpy.random.default_rng(random.randrange(2**32))  # type: ignore[attr-defined]
    scored = generator.dirichlet([1, 1, 1], rows)
    actual = [CLASSES[one] for one in generator.integers(0, 3, rows)]
    said = [CLASSES[one] for one in scored.argmax(axis=1)]
    there = sorted(set(actual))
    told = classification_measures(actual, scored, CLASSES)["metrics"]
    assert told["accuracy"] == pytest.approx(metrics.accuracy_score(actual, said))
    assert told["balanced_accuracy"] == pytest.approx(
        metrics.recall_score(actual, said, labels=there, average="macro", zero_division=0)
    )
    assert told["f1_macro"] == pytest.approx(metrics.f1_score(actual, said, labels=there, average="macro"))
    assert told["log_loss"] == pytest.approx(metrics.log_loss(actual, scored, labels=CLASSES))
    assert 0 <= told["calibration_error"] <= 1


def test_a_regression_by_hand() -> None:
    told = regression_measures([1, 2, 3], numpy.array([1.0, 2, 6]))
    assert told["metrics"] == {"rmse": pytest.approx(math.sqrt(3)), "mae": 1.0, "r2": pytest.approx(1 - 9 / 2)}
    assert told["residuals"] == {"predicted": [1, 2, 6], "actual": [1, 2, 3]}
    assert json.loads(json.dumps(told)) == told


def test_targets_that_are_all_alike() -> None:
    assert regression_measures([5, 5], numpy.array([5.0, 5]))["metrics"]["r2"] == 1
    assert regression_measures([5, 5], numpy.array([5.0, 6]))["metrics"]["r2"] == 0


def test_what_travels_is_small_however_many_rows_there_are() -> None:
    many = numpy.arange(100_000.0)
    told = regression_measures(many.tolist(), many)
    assert len(told["residuals"]["actual"]) == 500
    assert told["residuals"]["actual"][-1] == 99_999
