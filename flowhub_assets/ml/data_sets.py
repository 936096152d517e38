"""The data sets that are trained on here: their columns, types and bounds."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Literal

from flowhub_assets.errors import InputError
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ml.schema import Column, Fault, cell, column_faults, table_faults

if TYPE_CHECKING:
    from pandas import DataFrame


@dataclass(frozen=True)
class DataSet:
    """What one data set is. ``target`` is the column to predict, one of ``columns``; the others are features.

    ``most_repeated`` is the share of rows that may equal an earlier row before somebody should look: where columns
    are few and coarse, many people are alike, and yet are different people.
    """

    name: str
    kind: Literal["classification", "regression"]
    target: str
    columns: tuple[Column, ...]
    description: str
    most_repeated: float = 0.02

    @property
    def features(self) -> tuple[Column, ...]:
        """The columns that a model predicts from, in order: a row of a request has its values in this order."""
        return tuple(column for column in self.columns if column.name != self.target)

    @property
    def target_column(self) -> Column:
        """The column to predict."""
        return next(column for column in self.columns if column.name == self.target)


def _measure(name: str, high: float, description: str) -> Column:
    return Column(name, "number", description, low=0.05, high=high)


def _answer(name: str, description: str) -> Column:
    return Column(name, "category", description, values=("yes", "no"))


_IRIS = DataSet(
    "iris",
    "classification",
    "species",
    (
        _measure("sepal_length", 20, "cm"),
        _measure("sepal_width", 20, "cm"),
        _measure("petal_length", 20, "cm"),
        _measure("petal_width", 20, "cm"),
        Column("species", "category", "the kind of iris", values=("setosa", "versicolor", "virginica")),
    ),
    "Three kinds of iris by the measures of their flowers (Fisher, 1936).",
)

_TITANIC = DataSet(
    "titanic",
    "classification",
    "survived",
    (
        Column("passenger_class", "category", "the class of the ticket", values=("1st", "2nd", "3rd")),
        Column("sex", "category", "as in the passenger list", values=("female", "male")),
        Column("age", "number", "years; fractions for infants, unknown for a fifth", nullable=True, low=0, high=110),
        Column("siblings_spouses", "integer", "siblings and spouses aboard", low=0, high=20),
        Column("parents_children", "integer", "parents and children aboard", low=0, high=20),
        Column("survived", "category", "what became of the passenger", values=("died", "survived")),
    ),
    "Who of the Titanic's 1,309 passengers survived (Harrell and Dawson; crew left out).",
    most_repeated=0.5,
)

_HOUSING = DataSet(
    "housing",
    "regression",
    "price",
    (
        Column("lot_size", "number", "acres", low=0, high=1000),
        Column("age", "integer", "years", low=0, high=400),
        Column("land_value", "number", "US dollars", low=0, high=10_000_000),
        Column("living_area", "number", "square feet", low=100, high=50_000),
        Column("bedrooms", "integer", "", low=0, high=50),
        Column("fireplaces", "integer", "", low=0, high=20),
        Column("bathrooms", "number", "a half has neither shower nor tub", low=0, high=30),
        Column("rooms", "integer", "", low=1, high=100),
        Column("heating", "category", "", values=("electric", "hot air", "hot water/steam")),
        Column("fuel", "category", "what it is heated with", values=("electric", "gas", "oil")),
        Column("sewer", "category", "", values=("none", "public/commercial", "septic")),
        _answer("waterfront", "whether it lies at a water"),
        _answer("new_construction", "whether it is newly built"),
        _answer("central_air", "whether it has central air conditioning"),
        Column("price", "number", "US dollars", low=1000, high=100_000_000),
    ),
    "What 1,728 houses of Saratoga County, New York, were sold for in 2006.",
)

#: Name → data set.
DATA_SETS: Mapping[str, DataSet] = MappingProxyType({one.name: one for one in (_IRIS, _TITANIC, _HOUSING)})


def data_set_named(name: str) -> DataSet:
    """The data set of that name. Raises InputError, which names those that exist."""
    found = DATA_SETS.get(name)
    if found is None:
        near = did_you_mean(str(name), tuple(DATA_SETS))
        raise InputError(f"there is no data set {name!r}", remedy=near or f"There are {', '.join(DATA_SETS)}.")
    return found


def schema_faults(data_set: DataSet, frame: DataFrame) -> list[Fault]:
    """What in ``frame`` is not as the data set's columns say; nothing if all is. A frame without rows is a fault.

    A frame of text, as a CSV file is read, is judged by what its cells say.
    """
    faults = column_faults(data_set.columns, frame.columns)
    if not len(frame):
        faults.append(Fault("", "missing", 0, (), "there are no rows"))
    there = [column for column in data_set.columns if column.name in frame.columns]
    return faults + table_faults(there, frame[[column.name for column in there]].to_dict("records"))


def typed(data_set: DataSet, frame: DataFrame) -> DataFrame:
    """``frame`` with the data set's columns in their order: float64, int64 (Int64 where nullable) and text or None.

    Raises ValueError for a frame that has schema faults.
    """
    import pandas

    types = {"number": "float64", "integer": "int64"}
    made = {}
    for column in data_set.columns:
        kind = "Int64" if column.type == "integer" and column.nullable else types.get(column.type, "object")
        cells = [cell(column, value) for value in frame[column.name].tolist()]
        made[column.name] = pandas.Series(cells, dtype=kind)
    return pandas.DataFrame(made)
