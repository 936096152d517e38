"""One cell of the matrix: a data set × a library, trained, measured and written to MLflow."""

from __future__ import annotations

import json
import re
import time
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.features import Features, fit_features
from flowhub_assets.ml.hyperparameters import Hyperparameters, checked_hyperparameters, used_by
from flowhub_assets.ml.logged_models import log_model
from flowhub_assets.ml.mlflow_runs import TrackedRun, tracked_run
from flowhub_assets.ml.models import Fitted, Rows, device_of, fit, require_model, scores
from flowhub_assets.ml.splitting import split
from flowhub_assets.ml.training_figures import training_plots

if TYPE_CHECKING:
    from mlflow.entities import DatasetInput
    from numpy.typing import NDArray
    from pandas import DataFrame

_MOST_POINTS = 50
#: What SQLite, PostgreSQL and MySQL say of a row that somebody else has inserted in between.
_TAKEN = re.compile("unique constraint|duplicate (key|entry)", re.IGNORECASE)


def train(data_set: str, model: str, hyperparameters: Mapping[str, Any], env: Mapping[str, Any]) -> dict[str, Any]:
    """Trains ``model`` on the newest version of ``data_set`` and writes it to MLflow; what it returns is small JSON.

    {mlflow_run_id, mlflow_experiment_id, mlflow_url, model_uri, model_id, model_source, data_set, data_set_version,
    data_set_url, model, kind, target, features, classes, hyperparameters, rows, metrics, importances, curve, seconds}

    ``metrics`` are those of the held-out rows, under ``training_...`` those of the rows trained on. ``model_source`` is
    where the files lie: what a registered version of it is made from.

    Raises InputError for an unknown model or data set and hyper-parameters out of bounds, before MLflow has a run;
    ObjectMissing where the data set was never published; RunError where MLflow, or the GPU that the profile asks for,
    is not there.
    """
    require_model(model)
    given, device = checked_hyperparameters(hyperparameters), device_of(env)
    known, frame, version = published(data_set, env)
    train_rows, held_out = split(frame)
    if not len(train_rows) or not len(held_out):
        raise InputError(
            f"data set {data_set!r} has {len(frame)} rows, too few to hold some out",
            effect="Nothing was trained.",
            remedy="Publish more rows.",
        )
    features = fit_features(known, train_rows)
    tags = {"data_set": data_set, "data_set_version": version["version"], "model": model, "kind": known.kind}
    with tracked_run(env, data_set, f"{data_set}-{model}", tags) as run:
        begun = time.perf_counter()
        fitted = fit_rows(model, features, train_rows, held_out, given, device)
        trained = {
            **tags,
            "mlflow_run_id": run.run_id,
            "mlflow_experiment_id": run.experiment_id,
            "mlflow_url": run.url,
            "data_set_url": version["url"],
            "target": known.target,
            "features": features.names,
            "classes": list(features.classes),
            "hyperparameters": used_by(model, given),
            "rows": {"training": len(train_rows), "held_out": len(held_out)},
            "metrics": _all_metrics(model, fitted, features, train_rows, held_out),
            "importances": {name: round(share, 4) for name, share in fitted.importances.items()},
            "curve": _thinned(fitted.curve),
            "seconds": round(time.perf_counter() - begun, 3),
        }
        _log(run, trained, fitted, version)
        example = train_rows[features.names].astype(object).head(2)
        rows = example.where(example.notna(), None).to_numpy().tolist()
        kept = log_model(run, f"{data_set}-{model}", model, fitted.estimator, features, tags, rows)
        return {
            **trained,
            "model_id": kept.model_id,
            "model_uri": kept.model_uri,
            "model_source": kept.artifact_location,
        }


def fit_rows(
    model: str,
    features: Features,
    train_rows: DataFrame,
    held_out: DataFrame,
    given: Hyperparameters,
    device: str,
) -> Fitted:
    """Trains on tables with raw values. Raises as ``models.fit`` does."""
    return fit(
        model,
        len(features.classes),
        encoded_rows(features, train_rows),
        encoded_rows(features, held_out),
        given,
        device,
    )


def metrics_of(kind: str, target: NDArray[Any], scored: NDArray[Any]) -> dict[str, float]:
    """Classification: accuracy, f1_macro, log_loss. Regression: rmse, mae, r2.

    ``target`` are class numbers or values, ``scored`` what ``models.scores`` gave for the same rows. f1_macro is the
    mean of the classes' F1, that of a class which is neither there nor predicted left out.
    """
    import numpy

    if kind == "regression":
        errors = scored - target
        spread = float(((target - target.mean()) ** 2).sum())
        return {
            "rmse": float(numpy.sqrt((errors**2).mean())),
            "mae": float(numpy.abs(errors).mean()),
            "r2": 1 - float((errors**2).sum()) / spread if spread else 0.0,
        }
    answers = scored.argmax(axis=1)
    right = numpy.clip(scored[numpy.arange(len(target)), target], 1e-15, 1)
    pairs = [((target == one), (answers == one)) for one in range(scored.shape[1])]
    shares = [2 * (own & said).sum() / (own.sum() + said.sum()) for own, said in pairs if own.any() or said.any()]
    return {
        "accuracy": float((answers == target).mean()),
        "f1_macro": float(numpy.mean(shares)),
        "log_loss": -float(numpy.log(right).mean()) + 0.0,  # never -0.0
    }


def encoded_rows(features: Features, frame: DataFrame) -> Rows:
    """A table with raw values as what ``models.fit`` takes."""
    return Rows(features.encode_frame(frame), features.target_codes(frame), tuple(features.encoded_names))


def _all_metrics(
    model: str, fitted: Fitted, features: Features, train_rows: DataFrame, held_out: DataFrame
) -> dict[str, float]:
    kind = "classification" if features.classes else "regression"
    told = {}
    for prefix, frame in (("", held_out), ("training_", train_rows)):
        rows = encoded_rows(features, frame)
        scored = scores(model, len(features.classes), fitted.estimator, rows.features)
        told.update({f"{prefix}{name}": value for name, value in metrics_of(kind, rows.target, scored).items()})
    return told


def _thinned(curve: Mapping[str, list[float]]) -> dict[str, Any]:
    """At most 50 points, the last one among them: {"trees": [...], "training": [...], "held_out": [...]}."""
    size = max(map(len, curve.values()), default=0)
    step = -(-size // _MOST_POINTS) or 1
    chosen = sorted({*range(step - 1, size, step), size - 1}) if size else []
    return {
        "trees": [one + 1 for one in chosen],
        **{name: [float(f"{losses[one]:.6g}") for one in chosen] for name, losses in curve.items() if losses},
    }


def _log(run: TrackedRun, trained: Mapping[str, Any], fitted: Fitted, version: Mapping[str, Any]) -> None:
    from mlflow.entities import Dataset, DatasetInput, InputTag, Metric, Param

    now = int(time.time() * 1000)
    curve = trained["curve"]
    steps = [
        Metric(f"{name}_loss", loss, now, tree)
        for name in fitted.curve
        for tree, loss in zip(curve["trees"], curve.get(name, ()), strict=False)
    ]
    metrics = [Metric(name, value, now, 0) for name, value in trained["metrics"].items()]
    params = [Param(name, str(value)) for name, value in trained["hyperparameters"].items()]
    run.client.log_batch(run.run_id, metrics=[*metrics, *steps], params=params)
    data = Dataset(
        name=version["name"],
        digest=version["version"],
        source_type="s3" if str(version["url"]).startswith("s3://") else "local",
        source=json.dumps({"uri": version["url"]}),
        profile=json.dumps({"num_rows": version["rows"]}),
    )
    _log_input(run, DatasetInput(data, [InputTag("mlflow.data.context", "training")]))
    for name, figure in training_plots(trained).items():
        run.client.log_figure(run.run_id, figure, f"plots/{name.replace(' ', '-')}.png")


def _log_input(run: TrackedRun, data: DatasetInput) -> None:
    """Tells the run's data set. mlflow looks, then inserts: of two cells that tell the same one at once, one fails."""
    for last in (False, False, False, True):
        try:
            run.client.log_inputs(run.run_id, [data])
            return
        except Exception as error:
            if last or not _TAKEN.search(str(error)):
                raise
