"""What is told of a model that is served, and rows to ask it with, from the data set that it was trained on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import data_set_named
from flowhub_assets.ml.schema import is_null
from flowhub_assets.ml.serving.distribution import reference
from flowhub_assets.ml.serving.places import setting
from flowhub_assets.ml.splitting import split

if TYPE_CHECKING:
    from pandas import DataFrame

    from flowhub_assets.ml.model_files import Predictor

#: Rows of the held-out part that are asked of a new server before it gets traffic.
GOLDEN_ROWS = 20


def described(name: str, version: str, predictor: Predictor, env: Mapping[str, Any]) -> dict[str, Any]:
    """What serving.json holds of a version; small JSON.

    ``reference`` is how the model's predictions of its training rows are distributed (distribution.reference).
    """
    data_set = data_set_named(str(predictor.about["data_set"]))
    _, held_out = parts(predictor, env)
    return {
        "model": name,
        "version": version,
        "description": data_set.description,
        "target": data_set.target,
        "columns": list(predictor.features),
        "classes": list(predictor.classes),
        "example": rows_of_frame(held_out, predictor.features, 1)[0],
        "reference": training_reference(predictor, env),
        "workers": setting(env, "SERVING_WORKERS", 2, 1, 64),
    }


def training_reference(predictor: Predictor, env: Mapping[str, Any]) -> dict[str, Any]:
    """How the model's predictions of the rows that it was trained on are distributed."""
    train, _ = parts(predictor, env)
    return reference(predictor.answers(predictor.frame_scores(train)), predictor.classes)


def golden_rows(predictor: Predictor, env: Mapping[str, Any]) -> list[list[Any]]:
    """Held-out rows, as a caller would send them; training refuses a data set that has none."""
    _, held_out = parts(predictor, env)
    return rows_of_frame(held_out, predictor.features, GOLDEN_ROWS)


def rows_of_frame(frame: DataFrame, columns: Sequence[str], count: int) -> list[list[Any]]:
    """The first rows of a table as JSON has them: null for what is missing."""
    cells = frame[list(columns)].head(count).astype(object).to_numpy().tolist()
    return [[None if is_null(one) else one for one in row] for row in cells]


def parts(predictor: Predictor, env: Mapping[str, Any]) -> tuple[DataFrame, DataFrame]:
    """(training rows, held-out rows) of the version of the data set that the model was trained on."""
    about = predictor.about
    _, frame, _ = published(str(about["data_set"]), env, str(about["data_set_version"]))
    return split(frame)
