"""What is told of a model that is served, and rows to ask it with, from the data set that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import RunError
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import data_set_named
from flowhub_assets.ml.schema import is_null
from flowhub_assets.ml.serving.places import setting
from flowhub_assets.ml.splitting import split

if TYPE_CHECKING:
    from flowhub_assets.ml.model_files import Predictor

#: Rows of the held-out part that are asked of a new server before it gets traffic.
GOLDEN_ROWS = 20
_BINS = 10


def described(name: str, version: str, predictor: Predictor, env: Mapping[str, Any]) -> dict[str, Any]:
    """What serving.json holds of a version; small JSON.

    ``reference`` is what the model predicts of its training rows: {class: share}, or edges (deciles) and the shares of
    the bins between them, edges + 1.
    """
    data_set = data_set_named(str(predictor.about["data_set"]))
    train, held_out = _parts(predictor, env)
    predictions = predictor.answers(predictor.frame_scores(train))
    return {
        "model": name,
        "version": version,
        "description": data_set.description,
        "target": data_set.target,
        "columns": list(predictor.features),
        "classes": list(predictor.classes),
        "example": rows_of_frame(held_out if len(held_out) else train, predictor.features, 1)[0],
        "reference": reference(predictions, predictor.classes),
        "workers": setting(env, "SERVING_WORKERS", 2, 1, 64),
    }


def golden_rows(predictor: Predictor, env: Mapping[str, Any]) -> list[list[Any]]:
    """Held-out rows, as a caller would send them. Raises RunError where there are none."""
    _, held_out = _parts(predictor, env)
    rows = rows_of_frame(held_out, predictor.features, GOLDEN_ROWS)
    if not rows:
        raise RunError(
            "the data set has no held-out rows to ask the server with", remedy="Publish more rows, and train anew."
        )
    return rows


def reference(predictions: Sequence[Any], classes: Sequence[str]) -> dict[str, Any]:
    """How predictions are distributed: {"shares": {class: share}}, or {"edges": [...], "shares": [...]}."""
    import numpy

    if classes:
        counts = {one: list(predictions).count(one) for one in classes}
        return {"shares": {one: count / max(1, len(predictions)) for one, count in counts.items()}}
    values = numpy.asarray(predictions, dtype=float)
    edges = numpy.unique(numpy.quantile(values, numpy.linspace(0, 1, _BINS + 1)[1:-1]))
    # Prometheus' buckets hold their upper bound, so a value on an edge belongs to the bin below it.
    counted = numpy.bincount(numpy.searchsorted(edges, values, side="left"), minlength=len(edges) + 1)
    return {"edges": edges.tolist(), "shares": (counted / counted.sum()).tolist()}


def rows_of_frame(frame: Any, columns: Sequence[str], count: int) -> list[list[Any]]:
    """The first rows of a table as JSON has them: null for what is missing."""
    cells = frame[list(columns)].head(count).astype(object).to_numpy().tolist()
    return [[None if is_null(one) else one for one in row] for row in cells]


def _parts(predictor: Predictor, env: Mapping[str, Any]) -> tuple[Any, Any]:
    about = predictor.about
    _, frame, _ = published(str(about["data_set"]), env, str(about["data_set_version"]))
    return split(frame)
