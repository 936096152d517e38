"""New data against what the champion was trained on, and whether a retraining is due: once for each data version."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError, ObjectMissing
from flowhub_assets.ml.data_set_files import rows_of_csv
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import DataSet, data_set_named, schema_faults, typed
from flowhub_assets.ml.drift_measures import FALSE_ALARMS, ks, ks_bound, numbers_in, psi, psi_bound
from flowhub_assets.ml.registry import champion
from flowhub_assets.ml.schema import is_null
from flowhub_assets.ml.splitting import split
from flowhub_assets.runtime.storage import get_storage

if TYPE_CHECKING:
    from pandas import DataFrame


def drift(name: str, frame: DataFrame | None, env: Mapping[str, Any]) -> dict[str, Any]:
    """Compares the rows of ``frame``, the newest version of the data set if None, with the champion's training rows.

    Only rows that the champion's data set had not are looked at: those that it was trained on have not moved. Returns
    {data_set, champion, model, trained_on, data_set_version (None for a frame), rows, columns, drifted, exceeded};
    ``columns`` has for each: column, psi, psi_bound, ks, ks_bound (None for text), nulls_before, nulls (shares),
    drifted. ``drifted`` are the names of those. Without a champion, and without new rows, nothing has moved.

    Raises InputError for a frame with schema faults, ObjectMissing where no data, or the champion's, is published.
    """
    data_set = data_set_named(name)
    version = None
    if frame is None:
        _, frame, described = published(name, env)
        version = described["version"]
    now = champion(name, env)
    told: dict[str, Any] = {"data_set": name, "champion": None, "model": None, "trained_on": None}
    told |= {"data_set_version": version, "rows": 0, "columns": [], "drifted": [], "exceeded": False}
    if now is None:
        return told
    _, known, _ = published(name, env, now.data_set_version)
    new = _new_rows(data_set, known, frame)
    columns = _columns(data_set, split(known)[0], new) if len(new) else []
    drifted = [one["column"] for one in columns if one["drifted"]]
    told |= {"champion": now.version, "model": now.model, "trained_on": now.data_set_version}
    return {**told, "rows": len(new), "columns": columns, "drifted": drifted, "exceeded": bool(drifted)}


def read_batch(name: str, url: str, env: Mapping[str, Any]) -> DataFrame:
    """A CSV file of the storage as rows of the data set. Raises InputError for one that is none, ObjectMissing."""
    data_set = data_set_named(name)
    frame = rows_of_csv(get_storage(env).read(url), url)
    faults = schema_faults(data_set, frame)
    if faults:
        raise InputError(
            f"the rows are not what data set {name!r} holds: {'; '.join(map(str, faults[:3]))}",
            where=url,
            effect="Whether they have moved is not known.",
            remedy="Mend the rows where they come from.",
        )
    return typed(data_set, frame)


def ask_for_retraining(drifted: Mapping[str, Any], env: Mapping[str, Any]) -> bool:
    """Keeps what ``drift`` has found of the newest version; whether a retraining is due by it."""
    name = drifted["data_set"]
    get_storage(env).write(_key(name, "found"), json.dumps(drifted, ensure_ascii=False).encode())
    return retraining_due(name, env) is not None


def retraining_due(name: str, env: Mapping[str, Any]) -> dict[str, Any] | None:
    """What ``drift`` has found last, where a retraining is due by it; else None.

    It is due where the bound is exceeded, and no other run has begun a retraining on that version of the data set.
    """
    found, begun = _read(name, "found", env), _read(name, "begun", env)
    if not found.get("exceeded") or not found.get("data_set_version"):
        return None
    is_new = begun.get("data_set_version") != found["data_set_version"]
    # A step that is tried again finds what it has begun itself.
    return found if is_new or begun.get("run_id") == env.get("run_id") else None


def begin_retraining(name: str, env: Mapping[str, Any]) -> dict[str, Any]:
    """Keeps that a retraining begins: for this version of the data set there is no other. Returns what was found.

    Raises InputError where none is due.
    """
    found = retraining_due(name, env)
    if found is None:
        raise InputError(f"no retraining of {name!r} is due", remedy="Train it by hand: flowhub run training.")
    told = {"data_set_version": found["data_set_version"], "run_id": env.get("run_id")}
    get_storage(env).write(_key(name, "begun"), json.dumps(told).encode())
    return found


def _new_rows(data_set: DataSet, known: DataFrame, frame: DataFrame) -> DataFrame:
    """The rows of ``frame`` that are not among the ``known``, each as often as it is there more often."""
    there: dict[bytes, int] = {}
    for line in _lines(data_set, known):
        there[line] = there.get(line, 0) + 1
    chosen = []
    for line in _lines(data_set, frame):
        left = there.get(line, 0)
        chosen.append(left == 0)
        there[line] = max(left - 1, 0)
    return frame[chosen]


def _lines(data_set: DataSet, frame: DataFrame) -> list[bytes]:
    """Each row in a form that equal rows have."""
    names = [column.name for column in data_set.columns]
    rows = zip(*(frame[name].tolist() for name in names), strict=True)
    return [repr([None if is_null(one) else _plain(one) for one in row]).encode() for row in rows]


def _plain(value: Any) -> Any:
    return value + 0.0 if isinstance(value, (int, float)) else str(value)


def _columns(data_set: DataSet, before: DataFrame, now: DataFrame) -> list[dict[str, Any]]:
    columns = [one for one in data_set.columns if one.type != "text"]
    chance = FALSE_ALARMS / (2 * len(columns))  # two measures of each
    return [
        _column(one.name, one.type != "category", before[one.name].tolist(), now[one.name].tolist(), chance)
        for one in columns
    ]


def _column(name: str, is_number: bool, before: Sequence[Any], now: Sequence[Any], chance: float) -> dict[str, Any]:
    index, bins = psi(before, now)
    index_bound = psi_bound(len(before), len(now), bins, chance)
    distance = ks(before, now) if is_number else None
    distance_bound = ks_bound(len(numbers_in(before)), len(numbers_in(now)), chance) if is_number else None
    far = distance is not None and distance_bound is not None and distance > distance_bound
    return {
        "column": name,
        "psi": round(index, 6),
        "psi_bound": round(index_bound, 6),
        "ks": None if distance is None else round(distance, 6),
        "ks_bound": None if distance_bound is None else round(distance_bound, 6),
        "nulls_before": round(sum(map(is_null, before)) / len(before), 4) if before else 0.0,
        "nulls": round(sum(map(is_null, now)) / len(now), 4) if now else 0.0,
        "drifted": index > index_bound or far,
    }


def _read(name: str, file: str, env: Mapping[str, Any]) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads(get_storage(env).read(_key(name, file)))
    except ObjectMissing:
        return {}
    return found


def _key(name: str, file: str) -> str:
    return f"drift/{name}/{file}.json"
