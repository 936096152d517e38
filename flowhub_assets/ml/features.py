"""Raw values of a row → numbers that trees take, and what is wrong with a row. Plain JSON beside the model.

A number stays; one that is missing becomes the median of the training rows. A category becomes one column for each
of its values, 1 where it is that value. Text is no feature. Learnt from the training rows alone, so that nothing of
the held-out rows is in the model.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_sets import DataSet
from flowhub_assets.ml.schema import Column, cell, is_null

if TYPE_CHECKING:
    from numpy.typing import NDArray
    from pandas import DataFrame

_FORMAT = 1
_MOST_TOLD = 5
_ENCODED = ("number", "integer", "category")


@dataclass(frozen=True)
class Feature:
    """One column of a request's row. ``median`` stands for a missing number, ``values`` are a category's."""

    name: str
    type: str
    median: float = 0.0
    values: tuple[str, ...] = ()
    nullable: bool = False


@dataclass(frozen=True)
class Features:
    """The columns of a row, in order, and how each becomes numbers. In regression there are no ``classes``."""

    columns: tuple[Feature, ...]
    target: str
    classes: tuple[str, ...] = ()

    @property
    def names(self) -> list[str]:
        """The columns of a row, in order."""
        return [one.name for one in self.columns]

    @property
    def encoded_names(self) -> list[str]:
        """The columns that ``encode`` makes: ``age``, ``sex=female``, ``sex=male``."""
        return [name for one in self.columns for name in _encoded_names(one)]

    def faults(self, rows: Sequence[Any]) -> list[str]:
        """What is wrong with rows of raw values, the first five; nothing if ``encode`` takes them."""
        found = (fault for number, row in enumerate(rows) for fault in self._row_faults(number, row))
        return [fault for fault, _ in zip(found, range(_MOST_TOLD), strict=False)]

    def encode(self, rows: Sequence[Sequence[Any]]) -> NDArray[Any]:
        """A float64 array of (rows, encoded columns). Raises InputError for what ``faults`` tells."""
        import numpy

        faults = self.faults(rows)
        if faults:
            raise InputError(
                "; ".join(faults), remedy=f"A row is [{', '.join(self.names)}], in that order: numbers, and text."
            )
        made = numpy.zeros((len(rows), len(self.encoded_names)))
        for number, row in enumerate(rows):
            made[number] = [
                one for feature, value in zip(self.columns, row, strict=True) for one in _code(feature, value)
            ]
        return made

    def encode_frame(self, frame: DataFrame) -> NDArray[Any]:
        """As ``encode``, of a table that has these columns under their names."""
        return self.encode(frame[self.names].astype(object).to_numpy().tolist())

    def target_codes(self, frame: DataFrame) -> NDArray[Any]:
        """The target of each row: the number of its class, or the value itself in regression."""
        import numpy

        values = frame[self.target].tolist()
        if not self.classes:
            return numpy.asarray(values, dtype=float)
        return numpy.asarray([self.classes.index(str(value)) for value in values], dtype=int)

    def to_json(self) -> str:
        """The text of features.json."""
        return json.dumps({"format": _FORMAT, **asdict(self)}, ensure_ascii=False, indent=1)

    def _row_faults(self, number: int, row: Any) -> Iterable[str]:
        if not isinstance(row, (list, tuple)) or len(row) != len(self.columns):
            size = f"{len(row)} values" if isinstance(row, (list, tuple)) else f"{type(row).__name__}"
            yield f"row {number} is {size}, not a list of {len(self.columns)}"
            return
        for feature, value in zip(self.columns, row, strict=True):
            fault = _fault(feature, value)
            if fault:
                yield f"row {number}, {feature.name}: {fault}"


def fit_features(data_set: DataSet, frame: DataFrame) -> Features:
    """The features of a data set, with medians of ``frame``, the rows that are trained on."""
    columns = tuple(_fitted(one, frame) for one in data_set.features if one.type in _ENCODED)
    classes = data_set.target_column.values if data_set.kind == "classification" else ()
    return Features(columns, data_set.target, tuple(classes))


def read_features(text: str) -> Features:
    """What ``to_json`` wrote. Raises InputError for anything else."""
    try:
        whole = json.loads(text)
        if whole["format"] != _FORMAT:
            raise ValueError(f"its format is {whole['format']!r}, this version reads {_FORMAT}")
        columns = tuple(_read_feature(one) for one in whole["columns"])
        return Features(columns, _text(whole["target"]), tuple(map(_text, whole["classes"])))
    except (ValueError, KeyError, TypeError) as error:
        told = f"{type(error).__name__}: {error}" if isinstance(error, (KeyError, TypeError)) else str(error)
        raise InputError(
            f"features.json is not what this version writes: {told}",
            effect="The model is not loaded.",
            remedy="Train it anew.",
        ) from None


def _read_feature(given: Mapping[str, Any]) -> Feature:
    feature = Feature(
        _text(given["name"]),
        _text(given["type"]),
        float(given["median"]),
        tuple(map(_text, given["values"])),
        given["nullable"] is True,
    )
    if feature.type not in _ENCODED:
        raise ValueError(f"{feature.name!r} is {feature.type!r}")
    return feature


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r:.40} is no text")
    return value


def _fitted(column: Column, frame: DataFrame) -> Feature:
    if column.type == "category":
        values = column.values or tuple(sorted({str(one) for one in frame[column.name] if not is_null(one)}))
        return Feature(column.name, "category", values=values, nullable=column.nullable)
    numbers = [float(one) for one in frame[column.name].tolist() if not is_null(one)]
    return Feature(column.name, column.type, _median(numbers), nullable=column.nullable)


def _median(numbers: list[float]) -> float:
    ordered = sorted(numbers)
    middle = len(ordered) // 2
    if not ordered:
        return 0.0
    return ordered[middle] if len(ordered) % 2 else (ordered[middle - 1] + ordered[middle]) / 2


def _encoded_names(feature: Feature) -> list[str]:
    if feature.type == "category":
        return [f"{feature.name}={value}" for value in feature.values]
    return [feature.name]


def _fault(feature: Feature, value: Any) -> str:
    if is_null(value):
        return "" if feature.nullable else "is missing"
    if feature.type == "category":
        # JSON's true and 1 are no category, and str() of a list would be text of no use.
        known = isinstance(value, str) and value in feature.values
        return "" if known else f"{value!r:.40} is none of {', '.join(feature.values)}"
    if isinstance(value, str):
        return f"{value!r:.40} is text, not a number"
    try:
        cell(Column(feature.name, "number"), value)
    except (ValueError, OverflowError) as error:
        return f"{value!r:.40} {error}"
    return ""


def _code(feature: Feature, value: Any) -> list[float]:
    if feature.type == "category":
        return [1.0 if value == one else 0.0 for one in feature.values]
    return [feature.median if is_null(value) else float(value)]
