"""Columns: what a cell is read as, and what is told of one that does not fit."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ml.schema import Column, cell, column_faults, is_null, row_faults, table_faults

AGE = Column("age", "integer", low=0, high=120)
SHARE = Column("share", "number", low=0, high=1, nullable=True)
KIND = Column("kind", "category", values=("cat", "dog"))
BORN = Column("born", "date", low="1900-01-01", high="2030-12-31")


def told(column: Column, value: Any) -> str:
    return "; ".join(f"{kind}: {reason}" for _, kind, reason in row_faults([column], {column.name: value}))


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        (AGE, " 42 ", 42),
        (AGE, "42.0", 42),
        (AGE, np.int64(7), 7),
        (SHARE, "1e-1", 0.1),
        (SHARE, np.float64(0.5), 0.5),
        (SHARE, 1, 1.0),
        (SHARE, "", None),
        (SHARE, " ", None),
        (SHARE, math.nan, None),
        (SHARE, None, None),
        (AGE, pd.NA, None),
        (KIND, "cat", "cat"),
        (BORN, "2024-02-29", "2024-02-29"),
    ],
)
def test_a_cell_that_fits(column: Column, value: Any, wanted: Any) -> None:
    found = cell(column, value)
    assert found == wanted
    assert type(found) is type(wanted)


@pytest.mark.parametrize(
    ("column", "value", "wanted"),
    [
        (AGE, "old", "type: 'old' is no integer"),
        (AGE, "1.5", "type: '1.5' is no integer"),
        (AGE, True, "type: True is no integer"),
        (AGE, np.bool_(True), "type: True is no integer"),
        (AGE, "1_0", "type: '1_0' is no integer"),
        (AGE, "1e400", "type: '1e400' is no integer"),
        (AGE, str(2**53 + 2), "type: '9007199254740994' is no integer"),
        (AGE, [1], "type: [1] is no integer"),
        (AGE, "", "null: has no value"),
        (AGE, -1, "range: -1 is below 0"),
        (AGE, 121, "range: 121 is above 120"),
        (SHARE, "nan", "type: 'nan' is no number"),
        (SHARE, "inf", "type: 'inf' is no number"),
        (SHARE, 1.01, "range: 1.01 is above 1"),
        (KIND, "cow", "value: 'cow' is none of cat, dog"),
        (BORN, "2023-02-29", "type: '2023-02-29' is no date as 2024-02-29"),
        (BORN, "20240229", "type: '20240229' is no date as 2024-02-29"),
        (BORN, "1899-12-31", "range: '1899-12-31' is below 1900-01-01"),
    ],
)
def test_a_cell_that_does_not(column: Column, value: Any, wanted: str) -> None:
    assert told(column, value) == wanted


def test_what_is_private_is_quoted_nowhere_and_a_long_cell_is_cut() -> None:
    pay = Column("pay", "number", low=10, private=True)
    assert told(pay, "-77") == "range: what stands there is below 10"
    assert told(pay, "secret") == "type: what stands there is no number"
    assert len(told(KIND, "x" * 10_000)) < 100


def test_columns_that_are_missing_or_unknown() -> None:
    faults = column_faults([AGE, KIND], ["kind", "colour"])
    assert [(fault.column, fault.kind) for fault in faults] == [("age", "missing"), ("colour", "unknown")]
    assert str(faults[0]) == "age: there is no such column"


def test_faults_of_a_table_are_gathered_by_column_and_kind() -> None:
    rows = [{"age": age, "kind": "cat"} for age in [1, -1, 2, *[-2] * 6, "x"]] + [{"age": 3, "kind": "cow"}]
    faults = table_faults([AGE, KIND], rows)
    assert [(fault.column, fault.kind, fault.count) for fault in faults] == [
        ("age", "range", 7),
        ("age", "type", 1),
        ("kind", "value", 1),
    ]
    assert faults[0].rows == (1, 3, 4, 5, 6)
    assert str(faults[0]) == "age: -1 is below 0 (7 rows: 2, 4, 5, 6, 7, …)"
    assert str(faults[2]).endswith("(1 row: 11)")


@given(st.one_of(st.none(), st.text(), st.floats(), st.integers(), st.booleans(), st.binary()))
def test_any_value_is_a_cell_or_a_fault_and_never_both(value: Any) -> None:
    for column in (AGE, SHARE, KIND, BORN, Column("text", "text")):
        faults = row_faults([column], {column.name: value})
        try:
            found = cell(column, value)
        except (ValueError, OverflowError):
            assert [kind for _, kind, _ in faults] == ["type"]
            continue
        if found is None:
            assert is_null(value)
            assert [kind for _, kind, _ in faults] == ([] if column.nullable else ["null"])
        elif not faults:
            assert cell(column, found) == found, "a typed cell is its own"
