"""Predictions for a whole table by the champion that is served, from storage to storage."""

from __future__ import annotations

import csv
import hashlib
import io
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.aliases import aliased
from flowhub_assets.ml.data_set_files import read_source, rows_of_csv
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import data_set_named
from flowhub_assets.ml.downloading import url_without_secrets
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.schema import Column, cell, is_null
from flowhub_assets.ml.serving.described import training_reference
from flowhub_assets.ml.serving.distribution import counted
from flowhub_assets.ml.serving.routes import CHAMPION
from flowhub_assets.runtime.storage import get_storage

if TYPE_CHECKING:
    from pandas import DataFrame

    from flowhub_assets.ml.model_files import Predictor

#: The columns that are added to those of the table.
ADDED = ("prediction", "probability", "model_version")
_FAULTS_TOLD = 3


def predict_batch(name: str, url: str, env: Mapping[str, Any]) -> dict[str, Any]:
    """Predicts every row of the CSV at ``url``: http(s), the storage, or "", the newest rows of the model's data set.

    Writes the same table with the columns prediction, probability (of the predicted class; empty in regression) and
    model_version to ``predictions/<name>/<version>-<digest of the table>.csv``: the same rows and the same champion
    give the same file. Returns {model, version, source, url, rows, distribution: {class or bin: rows}, expected: {the
    same: share among the training rows}, first: [the first rows]}.

    Raises InputError for a model without a champion, and for a table that the model does not take, with the row and
    column; nothing is written then. StorageError.
    """
    data_set_named(name)
    champion = aliased(name, CHAMPION, env)
    if champion is None:
        raise InputError(f"the model {name!r} has no champion", remedy="Run the pipeline training for it.")
    predictor = load_model(f"models:/{name}/{champion.version}", env)
    frame, source = _table(name, url, env)
    rows = _rows(predictor, frame, source)
    scored = predictor.scores(rows)
    answers = predictor.answers(scored)
    best = [f"{max(one):.6g}" for one in scored.tolist()] if predictor.classes else [""] * len(rows)
    written = [
        [*_texts(row), str(answer), likely, champion.version]
        for row, answer, likely in zip(frame.astype(object).to_numpy().tolist(), answers, best, strict=True)
    ]
    data = _csv([*map(str, frame.columns), *ADDED], written)
    digest = hashlib.sha256(data).hexdigest()[:12]
    told = training_reference(predictor, env)
    found = counted(answers, told)
    return {
        "model": name,
        "version": champion.version,
        "source": source,
        "url": get_storage(env).write(f"predictions/{name}/{champion.version}-{digest}.csv", data),
        "rows": len(rows),
        "distribution": found,
        "expected": dict(zip(found, told["shares"], strict=True)),
        "first": [dict(zip([*map(str, frame.columns), *ADDED], row, strict=True)) for row in written[:10]],
    }


def _table(name: str, url: str, env: Mapping[str, Any]) -> tuple[DataFrame, str]:
    if not url:
        _, frame, described = published(name, env)
        return frame, str(described["url"])
    source = url_without_secrets(url)
    return rows_of_csv(read_source(url, env), source), source


def _rows(predictor: Predictor, frame: DataFrame, source: str) -> list[list[Any]]:
    """The features of each row as numbers and text, in the model's order."""
    missing = [one for one in predictor.features if one not in frame.columns]
    if missing:
        raise _refused(source, f"it has no column {', '.join(missing)}")
    types = {
        one.name: Column(one.name, "category" if one.type == "category" else "number")
        for one in (predictor.encoding.columns)
    }
    rows = []
    for number, row in enumerate(frame[predictor.features].astype(object).to_numpy().tolist(), 1):
        try:
            rows.append([_typed(types[name], value) for name, value in zip(predictor.features, row, strict=True)])
        except ValueError as error:
            raise _refused(source, f"row {number}, {error}") from None
    faults = predictor.faults(rows)
    if faults:
        raise _refused(source, "; ".join(faults[:_FAULTS_TOLD]))
    return rows


def _typed(column: Column, value: Any) -> Any:
    try:
        return cell(column, value)
    except (ValueError, OverflowError):
        raise ValueError(f"{column.name}: {str(value)!r:.40} is no number") from None


def _texts(row: Sequence[Any]) -> list[str]:
    return ["" if is_null(one) else str(one) for one in row]


def _csv(header: Sequence[str], rows: Sequence[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    # RFC 4180's line ends.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow(header)
    writer.writerows(rows)
    return text.getvalue().encode("utf-8")


def _refused(source: str, what: str) -> InputError:
    return InputError(what, where=source, effect="Nothing was predicted.", remedy="Mend the table, and run it again.")
