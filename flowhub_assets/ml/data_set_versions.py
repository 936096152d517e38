"""Published data sets: each version is a file named after its own content, and one small file says which is newest.

data_sets/iris/3f2a9c0d1b7e.csv     the rows, canonical
data_sets/iris/3f2a9c0d1b7e.json    what publish() returned for them
data_sets/iris/latest.json          the same of the newest version
"""

from __future__ import annotations

import csv
import hashlib
import io
import json
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError, ObjectMissing, StorageError
from flowhub_assets.ml.data_set_files import rows_of_csv
from flowhub_assets.ml.data_sets import DataSet, data_set_named, schema_faults, typed
from flowhub_assets.ml.schema import is_null
from flowhub_assets.runtime.storage import get_storage

if TYPE_CHECKING:
    from pandas import DataFrame

_DIGITS = 12
_VERSION = re.compile(rf"[0-9a-f]{{{_DIGITS}}}")
_FAULTS_TOLD = 5


def canonical_csv(data_set: DataSet, frame: DataFrame) -> bytes:
    """``frame``, which has no schema faults, as the one text that all frames with the same rows have.

    The columns stand in the data set's order, the rows sorted, numbers in the shortest form that reads back the same.
    """
    whole = typed(data_set, frame)
    columns = [[_text(value) for value in whole[column.name].tolist()] for column in data_set.columns]
    text = io.StringIO(newline="")
    # RFC 4180's line ends: with them the writer quotes both \r and \n inside a cell.
    writer = csv.writer(text, lineterminator="\r\n")
    writer.writerow([column.name for column in data_set.columns])
    writer.writerows(sorted(zip(*columns, strict=True)))
    return text.getvalue().encode("utf-8")


def publish(name: str, frame: DataFrame, env: Mapping[str, Any], source: str) -> dict[str, Any]:
    """Stores the rows as a version of the data set and names it the newest; the same rows are the same version.

    Returns {name, version, url, rows, columns, source}; version is the first 12 hex digits of the SHA-256 of the
    canonical CSV, columns a list of names. Raises InputError for rows with schema faults: nothing is stored then.
    """
    data_set = data_set_named(name)
    faults = schema_faults(data_set, frame)
    if faults:
        told = "; ".join(map(str, faults[:_FAULTS_TOLD])) + ("; …" if len(faults) > _FAULTS_TOLD else "")
        raise InputError(
            f"the rows from {source} are not what data set {name!r} holds: {told}",
            effect="Nothing was published; the newest version stays as it is.",
            remedy="Mend the rows where they come from, or the columns in flowhub_assets/ml/data_sets.py.",
        )
    data = canonical_csv(data_set, frame)
    version = hashlib.sha256(data).hexdigest()[:_DIGITS]
    storage = get_storage(env)
    key = _key(name, f"{version}.csv")
    if not storage.exists(key):
        storage.write(key, data)
    described = {
        "name": name,
        "version": version,
        "url": storage.url(key),
        "rows": len(frame),
        "columns": [column.name for column in data_set.columns],
        "source": source,
    }
    text = json.dumps(described, ensure_ascii=False).encode()
    storage.write(_key(name, f"{version}.json"), text)
    # Last: whoever reads it finds all that it names.
    storage.write(_key(name, "latest.json"), text)
    return described


def published(
    name: str, env: Mapping[str, Any], version: str | None = None
) -> tuple[DataSet, DataFrame, dict[str, Any]]:
    """A published version, by default the newest: the data set, its rows, and what ``publish`` returned for them.

    Raises InputError for a name or version that is none, ObjectMissing where nothing is published, and StorageError
    for rows that are not those which the version's name tells of.
    """
    data_set = data_set_named(name)
    if version is not None and not _VERSION.fullmatch(version):
        raise InputError(f"{version!r} is no version", remedy=f"A version is {_DIGITS} hexadecimal digits.")
    storage = get_storage(env)
    key = _key(name, f"{version or 'latest'}.json")
    try:
        described = _description(storage.read(key), key, storage.name)
    except ObjectMissing:
        named = f"version {version} of data set {name!r}" if version else f"data set {name!r}"
        raise ObjectMissing(
            f"{named} is not published", where=storage.name, remedy=f"Materialise the asset data_sets/{name} first."
        ) from None
    key = _key(name, f"{described['version']}.csv")
    data = storage.read(key)
    if hashlib.sha256(data).hexdigest()[:_DIGITS] != described["version"]:
        raise StorageError(
            f"the rows in {key} are not those that were published",
            where=storage.name,
            effect="Somebody has changed the file.",
            remedy=f"Delete it and materialise data_sets/{name} again.",
        )
    return data_set, typed(data_set, rows_of_csv(data, key)), described


def _description(data: bytes, key: str, where: str) -> dict[str, Any]:
    """What ``publish`` wrote. Raises StorageError for anything else: its version becomes part of a key."""
    try:
        described = json.loads(data)
        version = described["version"]
    except (ValueError, TypeError, KeyError):
        version = None
    if not isinstance(version, str) or not _VERSION.fullmatch(version):
        raise StorageError(
            f"{key} is not what was written there",
            where=where,
            effect="Nobody can say which version it names.",
            remedy="Delete it and materialise the data set again.",
        )
    found: dict[str, Any] = described
    return found


def _key(name: str, file: str) -> str:
    return f"data_sets/{name}/{file}"


def _text(value: Any) -> str:
    if is_null(value):
        return ""
    # -0.0 equals 0.0 and is the same row.
    return repr(value + 0.0) if isinstance(value, float) else str(value)
