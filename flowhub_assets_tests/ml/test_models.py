"""Three libraries in one form: their losses go down, their probabilities add up, and a GPU is there or is told."""

from __future__ import annotations

from typing import Any

import numpy
import pytest

from flowhub_assets.errors import InputError, RunError
from flowhub_assets.ml.hyperparameters import MODELS, Hyperparameters
from flowhub_assets.ml.models import (
    Rows,
    device_of,
    fit,
    lightgbm_params,
    require_model,
    scores,
    xgboost_params,
)

EVERY = pytest.mark.parametrize("model", MODELS)
SMALL = Hyperparameters(trees=8, depth=3, learning_rate=0.3)


def rows(classes: int, size: int = 60, seed: int = 0) -> Rows:
    """Two columns, of which the first decides."""
    features = numpy.random.default_rng(seed).random((size, 2))
    target = (features[:, 0] * classes).astype(int) if classes else features[:, 0] * 10
    return Rows(features, target, ("decides", "does not"))


@EVERY
@pytest.mark.parametrize("classes", [0, 2, 3])
def test_it_learns_what_decides(model: str, classes: int) -> None:
    train, held_out = rows(classes), rows(classes, seed=1)
    fitted = fit(model, classes, train, held_out, SMALL)
    told = scores(model, classes, fitted.estimator, held_out.features)
    assert told.shape == ((60, classes) if classes else (60,))
    if classes:
        assert numpy.allclose(told.sum(axis=1), 1)
        assert (told.argmax(axis=1) == held_out.target).mean() > 0.8
    assert fitted.importances["decides"] > 0.8
    assert sum(fitted.importances.values()) == pytest.approx(1)
    assert {name: len(losses) for name, losses in fitted.curve.items()} == {"training": 8, "held_out": 8}
    if model != "scikit-learn":  # each tree of a forest knows the rows on its own
        assert fitted.curve["training"][-1] < fitted.curve["training"][0]


@EVERY
@pytest.mark.parametrize("classes", [0, 3])
def test_the_curve_ends_at_the_models_own_loss(model: str, classes: int) -> None:
    train, held_out = rows(classes), rows(classes, seed=1)
    fitted = fit(model, classes, train, held_out, SMALL)
    told = scores(model, classes, fitted.estimator, held_out.features)
    if classes:
        own = -numpy.log(numpy.clip(told[numpy.arange(60), held_out.target], 1e-15, 1)).mean()
    else:
        own = numpy.sqrt(((told - held_out.target) ** 2).mean())
    assert fitted.curve["held_out"][-1] == pytest.approx(own, rel=1e-4)


@EVERY
def test_a_class_that_no_training_row_has_keeps_its_place(model: str) -> None:
    train = rows(3)
    few = Rows(train.features[train.target != 1], train.target[train.target != 1], train.names)
    fitted = fit(model, 3, few, train, SMALL)
    told = scores(model, 3, fitted.estimator, train.features)
    assert told.shape == (60, 3)
    assert set(told.argmax(axis=1)) == {0, 2}


@EVERY
def test_without_held_out_rows_there_is_one_curve(model: str) -> None:
    fitted = fit(model, 2, rows(2), Rows(numpy.zeros((0, 2)), numpy.zeros(0, dtype=int), ("a", "b")), SMALL)
    assert [name for name, losses in fitted.curve.items() if losses] == ["training"]


def test_unknown_models_and_devices_are_told() -> None:
    with pytest.raises(InputError, match="xgbost") as caught:
        require_model("xgbost")
    assert "'xgboost'" in str(caught.value)
    with pytest.raises(InputError, match="DEVICE is 'tpu'"):
        device_of({"DEVICE": "tpu"})
    assert (device_of({}), device_of({"DEVICE": "cuda"})) == ("cpu", "cuda")


@pytest.mark.parametrize(("params", "word"), [(xgboost_params, "device"), (lightgbm_params, "device_type")])
@pytest.mark.parametrize("device", ["cpu", "cuda"])
def test_the_device_reaches_the_library(params: Any, word: str, device: str) -> None:
    assert params(3, SMALL, device)[word] == device


@pytest.mark.parametrize("model", ["xgboost", "lightgbm"])
def test_a_gpu_that_is_not_there_is_told_and_never_replaced_by_the_cpu(model: str) -> None:
    with pytest.raises(RunError, match=f"DEVICE is 'cuda', and {model} finds no GPU here"):
        fit(model, 2, rows(2), rows(2), SMALL, "cuda")


def test_a_forest_runs_on_the_cpu_whatever_the_device() -> None:
    assert fit("scikit-learn", 2, rows(2), rows(2), SMALL, "cuda").estimator.n_jobs == 1
