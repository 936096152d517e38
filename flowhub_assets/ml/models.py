"""Three libraries of trees behind one form: how each is told the hyper-parameters, trained and asked.

All train on one thread: sums of floats depend on the order in which threads add them, and the same seed shall give
the same metrics. Cells of a matrix run beside each other instead.
"""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError, RunError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ml.hyperparameters import MODELS, Hyperparameters

if TYPE_CHECKING:
    from numpy.typing import NDArray

    Array = NDArray[Any]

DEVICES = ("cpu", "cuda")


@dataclass(frozen=True)
class Rows:
    """Encoded rows (rows, columns) and their targets: class numbers from 0, or values in regression."""

    features: Array
    target: Array
    names: tuple[str, ...]


@dataclass(frozen=True)
class Fitted:
    """A trained model. ``curve`` has a loss for each tree, on the training rows and on the held-out ones, which do
    not take part in the training: log loss, or the root of the mean squared error. ``importances`` add up to 1.
    """

    estimator: Any
    curve: dict[str, list[float]]
    importances: dict[str, float]


def require_model(model: str) -> None:
    """Raises InputError for a model that is none of MODELS."""
    if model not in MODELS:
        near = did_you_mean(str(model), MODELS)
        raise InputError(f"there is no model {model!r}", remedy=near or f"There are {', '.join(MODELS)}.")


def device_of(env: Mapping[str, Any]) -> str:
    """``DEVICE`` of the profile, "cpu" where it says nothing. Raises InputError for anything but cpu and cuda."""
    device = env.get("DEVICE") or "cpu"
    if device not in DEVICES:
        raise InputError(f"DEVICE is {device!r}", remedy="Write 'cpu' or 'cuda' into the profile.")
    return str(device)


def fit(
    model: str, classes: int, train: Rows, held_out: Rows, hyperparameters: Hyperparameters, device: str = "cpu"
) -> Fitted:
    """Trains ``model`` on ``train``; ``classes`` is 0 for regression.

    Raises RunError where the device is "cuda" and the library or the machine has none; scikit-learn's forest always
    runs on the CPU.
    """
    return _FIT[model](classes, train, held_out, hyperparameters, device)


def scores(model: str, classes: int, estimator: Any, features: Array) -> Array:
    """Probabilities (rows, classes), or values (rows,) in regression."""
    import numpy

    if model == "scikit-learn":
        if not classes:
            return numpy.asarray(estimator.predict(features), dtype=float)
        return _all_classes(estimator.predict_proba(features), estimator.classes_, classes)
    if model == "xgboost":
        predicted = numpy.asarray(estimator.inplace_predict(features), dtype=float)
    else:
        predicted = numpy.asarray(estimator.predict(features, num_threads=1), dtype=float)
    return numpy.column_stack([1 - predicted, predicted]) if classes == 2 else predicted


def xgboost_params(classes: int, given: Hyperparameters, device: str) -> dict[str, Any]:
    """The params of xgboost.train."""
    return {
        **_xgboost_objective(classes),
        "max_depth": given.depth,
        "learning_rate": given.learning_rate,
        "min_child_weight": given.leaf_rows,
        "subsample": given.row_share,
        "colsample_bytree": given.column_share,
        "seed": given.seed,
        "tree_method": "hist",
        "nthread": 1,
        "device": device,
        "verbosity": 1,
    }


def lightgbm_params(classes: int, given: Hyperparameters, device: str) -> dict[str, Any]:
    """The params of lightgbm.train."""
    return {
        **_lightgbm_objective(classes),
        "max_depth": given.depth,
        "num_leaves": min(2**given.depth, 31),
        "learning_rate": given.learning_rate,
        "min_data_in_leaf": given.leaf_rows,
        "bagging_fraction": given.row_share,
        "bagging_freq": 1 if given.row_share < 1 else 0,
        "feature_fraction": given.column_share,
        "seed": given.seed,
        "deterministic": True,
        "force_row_wise": device == "cpu",
        "num_threads": 1,
        "device_type": device,
        "verbosity": -1,
    }


def _fit_forest(classes: int, train: Rows, held_out: Rows, given: Hyperparameters, device: str) -> Fitted:  # noqa: ARG001
    from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor

    kind = RandomForestClassifier if classes else RandomForestRegressor
    forest = kind(
        n_estimators=given.trees,
        max_depth=given.depth,
        min_samples_leaf=given.leaf_rows,
        max_samples=given.row_share if given.row_share < 1 else None,
        max_features=given.column_share,
        random_state=given.seed,
        n_jobs=1,
    ).fit(train.features, train.target)
    curve = {
        "training": _forest_curve(forest, classes, train),
        "held_out": _forest_curve(forest, classes, held_out),
    }
    return Fitted(forest, curve, _shares(train.names, forest.feature_importances_))


def _forest_curve(forest: Any, classes: int, rows: Rows) -> list[float]:
    """The loss of the first tree, the first two, and so on."""
    import numpy

    if not len(rows.target):
        return []
    features = rows.features.astype(numpy.float32)  # what trees take: each would convert it anew
    summed: Any = 0.0
    losses = []
    for number, tree in enumerate(forest.estimators_, 1):
        summed = summed + (tree.predict_proba if classes else tree.predict)(features, check_input=False)
        if classes:
            right = _all_classes(summed / number, forest.classes_, classes)[numpy.arange(len(features)), rows.target]
            losses.append(-float(numpy.log(numpy.clip(right, 1e-15, 1)).mean()) + 0.0)
        else:
            losses.append(float(numpy.sqrt(((summed / number - rows.target) ** 2).mean())))
    return losses


def _all_classes(probabilities: Array, known: Array, classes: int) -> Array:
    """(rows, classes), also where the rows that were trained on had not all of them."""
    import numpy

    if len(known) == classes:
        return probabilities
    whole = numpy.zeros((len(probabilities), classes))
    whole[:, known.astype(int)] = probabilities
    return whole


def _fit_xgboost(classes: int, train: Rows, held_out: Rows, given: Hyperparameters, device: str) -> Fitted:
    import xgboost

    if device == "cuda" and not xgboost.build_info().get("USE_CUDA"):
        raise _no_cuda("xgboost", "pip install xgboost in the place of xgboost-cpu")
    sets = [
        (xgboost.DMatrix(rows.features, rows.target, nthread=1), word)
        for rows, word in ((train, "training"), (held_out, "held_out"))
        if len(rows.target)
    ]
    told: dict[str, dict[str, list[float]]] = {}
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        booster = xgboost.train(
            xgboost_params(classes, given, device), sets[0][0], given.trees, sets, evals_result=told, verbose_eval=False
        )
    if any("Device is changed" in str(one.message) for one in seen):
        raise _no_cuda("xgboost", "run it on a machine with a GPU")
    # The columns have no other names here than their numbers.
    gains = booster.get_score(importance_type="total_gain")
    own: list[Any] = [gains.get(f"f{number}", 0.0) for number in range(len(train.names))]
    return Fitted(booster, _first_metric(told), _shares(train.names, own))


def _fit_lightgbm(classes: int, train: Rows, held_out: Rows, given: Hyperparameters, device: str) -> Fitted:
    import lightgbm

    # It sorts values into bins, which the training rows decide: the held-out ones refer to them.
    first = lightgbm.Dataset(train.features, train.target, params={"verbosity": -1})
    sets, words = [first], ["training"]
    if len(held_out.target):
        sets.append(lightgbm.Dataset(held_out.features, held_out.target, reference=first, params={"verbosity": -1}))
        words.append("held_out")
    told: dict[str, Any] = {}
    try:
        booster = lightgbm.train(
            lightgbm_params(classes, given, device),
            first,
            given.trees,
            valid_sets=sets,
            valid_names=words,
            callbacks=[lightgbm.record_evaluation(told)],
        )
    except lightgbm.basic.LightGBMError as error:
        if device == "cuda" and "CUDA" in str(error):
            raise _no_cuda("lightgbm", "install a build with -DUSE_CUDA=1, on a machine with a GPU") from None
        raise
    return Fitted(booster, _first_metric(told), _shares(train.names, booster.feature_importance("gain").tolist()))


_FIT = {"scikit-learn": _fit_forest, "xgboost": _fit_xgboost, "lightgbm": _fit_lightgbm}


def _xgboost_objective(classes: int) -> dict[str, Any]:
    if classes > 2:
        return {"objective": "multi:softprob", "num_class": classes, "eval_metric": "mlogloss"}
    if classes:
        return {"objective": "binary:logistic", "eval_metric": "logloss"}
    return {"objective": "reg:squarederror", "eval_metric": "rmse"}


def _lightgbm_objective(classes: int) -> dict[str, Any]:
    if classes > 2:
        return {"objective": "multiclass", "num_class": classes, "metric": "multi_logloss"}
    if classes:
        return {"objective": "binary", "metric": "binary_logloss"}
    return {"objective": "regression", "metric": "rmse"}


def _first_metric(told: Mapping[str, Mapping[str, Sequence[float]]]) -> dict[str, list[float]]:
    return {name: [float(one) for one in next(iter(losses.values()))] for name, losses in told.items()}


def _shares(names: Sequence[str], gains: Sequence[float]) -> dict[str, float]:
    total = float(sum(gains))
    return {name: float(gain) / total if total else 0.0 for name, gain in zip(names, gains, strict=True)}


def _no_cuda(library: str, remedy: str) -> RunError:
    return RunError(
        f"DEVICE is 'cuda', and {library} finds no GPU here",
        effect="Nothing was trained.",
        remedy=f"{remedy}, or set DEVICE to 'cpu' in the profile.",
    )
