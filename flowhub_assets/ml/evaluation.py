"""How good a trained model is on rows that it has not learnt from. The same model and rows give the same numbers.

What is held out is said by the hash of each row (splitting.py), so the rows of a newer version that were held out
before are held out again: no model is judged by what it, or the champion before it, was trained on.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.splitting import split

if TYPE_CHECKING:
    from numpy.typing import NDArray

#: Of so many rows a residual is kept one by one; of more, evenly chosen ones.
_MOST_RESIDUALS = 500
#: Equal parts of the confidences from 0 to 1, as the expected calibration error is defined (Guo et al., 2017).
_BINS = 10


def evaluate(trained: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Measures a model, ``train``'s answer or a registered version, on the held-out rows of a data-set version.

    Takes ``model_uri``, ``data_set`` and ``data_set_version``. Returns these, ``model``, ``kind``, ``rows`` (how many
    were held out) and ``metrics``. Of a classification: accuracy, balanced_accuracy, f1_macro (the mean over the
    classes), log_loss (nats) and calibration_error (expected, 0 to 1); ``classes``, ``per_class``, ``confusion`` (rows
    are what is true, columns what was said) and ``reliability``. Of a regression: rmse and mae (in the target's unit),
    r2; and ``residuals``. Raises InputError where nothing is held out, ObjectMissing for a version that is not
    published, and what ``load_model`` raises.
    """
    from flowhub_assets.ml.logged_models import load_model

    data_set, frame, _ = published(trained["data_set"], env, trained["data_set_version"])
    _, held_out = split(frame)
    if not len(held_out):
        raise InputError(
            f"none of the {len(frame)} rows of {data_set.name} {trained['data_set_version']} is held out",
            effect="Nobody can say how good the model is.",
            remedy="Publish more rows.",
        )
    predictor = load_model(trained["model_uri"], env)
    scored, actual = predictor.frame_scores(held_out), held_out[data_set.target].tolist()
    told = {name: trained[name] for name in ("model_uri", "data_set", "data_set_version")}
    told |= {"model": predictor.about["model"], "kind": data_set.kind, "rows": len(held_out)}
    if data_set.kind == "regression":
        return {**told, **regression_measures(actual, scored)}
    return {**told, **classification_measures(actual, scored, predictor.classes)}


def classification_measures(actual: Sequence[str], scored: NDArray[Any], classes: Sequence[str]) -> dict[str, Any]:
    """What ``evaluate`` tells of a classification; ``scored`` has a row of probabilities for each of ``actual``."""
    import numpy
    from sklearn import metrics

    codes = numpy.array([classes.index(one) for one in actual])
    said = scored.argmax(axis=1)
    labels = list(range(len(classes)))
    precision, recall, f1, rows = metrics.precision_recall_fscore_support(codes, said, labels=labels, zero_division=0)
    # Over the classes that are there: a class without rows says nothing of the model.
    there = rows > 0
    reliability, error = _reliability(scored.max(axis=1), said == codes)
    per_class = [
        {"class": name, "precision": precision[at], "recall": recall[at], "f1": f1[at], "rows": rows[at]}
        for at, name in enumerate(classes)
    ]
    return _plain_dict(
        {
            "metrics": {
                "accuracy": (said == codes).mean(),
                "balanced_accuracy": recall[there].mean(),
                "f1_macro": f1[there].mean(),
                "log_loss": -numpy.log(numpy.clip(scored[numpy.arange(len(codes)), codes], 1e-15, 1)).mean(),
                "calibration_error": error,
            },
            "classes": list(classes),
            "per_class": per_class,
            "confusion": metrics.confusion_matrix(codes, said, labels=labels),
            "reliability": reliability,
        }
    )


def regression_measures(actual: Sequence[float], predicted: NDArray[Any]) -> dict[str, Any]:
    """What ``evaluate`` tells of a regression."""
    import numpy

    true, error = numpy.asarray(actual, dtype=float), predicted - numpy.asarray(actual, dtype=float)
    spread = float(((true - true.mean()) ** 2).sum())
    # Targets that are all alike: r2 is 1 where they were met, else 0, as scikit-learn has it.
    r2 = 1 - float((error**2).sum()) / spread if spread else float(not error.any())
    chosen = numpy.unique(numpy.linspace(0, len(true) - 1, min(len(true), _MOST_RESIDUALS)).round().astype(int))
    return _plain_dict(
        {
            "metrics": {"rmse": numpy.sqrt((error**2).mean()), "mae": numpy.abs(error).mean(), "r2": r2},
            "residuals": {"predicted": predicted[chosen], "actual": true[chosen]},
        }
    )


def _reliability(confidence: NDArray[Any], right: NDArray[Any]) -> tuple[list[dict[str, Any]], float]:
    """Each bin of confidences that has rows: how sure the model was, and how often it was right; and the gap of all."""
    import numpy

    bins = numpy.minimum((confidence * _BINS).astype(int), _BINS - 1)
    curve = []
    for number in range(_BINS):
        own = bins == number
        if own.any():
            curve.append({"confidence": confidence[own].mean(), "accuracy": right[own].mean(), "rows": int(own.sum())})
    gap = sum(abs(one["confidence"] - one["accuracy"]) * one["rows"] for one in curve) / len(confidence)
    return curve, float(gap)


def _plain_dict(value: Mapping[str, Any]) -> dict[str, Any]:
    """numpy's numbers and arrays as JSON has them."""
    return {name: _plain(one) for name, one in value.items()}


def _plain(value: Any) -> Any:
    if isinstance(value, Mapping):
        return _plain_dict(value)
    if isinstance(value, (list, tuple)):
        return [_plain(one) for one in value]
    return value.tolist() if hasattr(value, "tolist") else value
