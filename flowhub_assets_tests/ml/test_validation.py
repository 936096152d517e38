"""Rows judged one by one: none is lost, each reject says its line and its reason."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.ml.schema import Column
from flowhub_assets.ml.validation import csv_of, validate_csv

COLUMNS = (
    Column("id", "integer", low=1),
    Column("name", "text"),
    Column("pay", "number", low=0, nullable=True, private=True),
    Column("day", "date", nullable=True),
)
HEAD = "id,name,pay,day\n"


def judged(text: str, newest: str = "day") -> Any:
    return validate_csv((HEAD + text).encode(), COLUMNS, "id", newest)


def test_good_rows_are_typed_and_bad_ones_are_told_by_line() -> None:
    found = judged('1,Ana,10.5,2026-01-02\n2,,1,\nx,Bo,1,\n4,"Cy\nCy",-1,\n\n5,Di\n6,Ed,,\n')
    assert found.rows == [
        {"id": 1, "name": "Ana", "pay": 10.5, "day": "2026-01-02"},
        {"id": 6, "name": "Ed", "pay": None, "day": None},
    ]
    assert [(one["line"], one["kind"], one["column"], one["reason"]) for one in found.rejects] == [
        (3, "null", "name", "name has no value"),
        (4, "type", "id", "id: 'x' is no integer"),
        (5, "range", "pay", "pay: what stands there is below 0"),
        (8, "cells", "", "has 2 cells, the header 4"),
    ]
    assert found.rejects[0]["pay"] == "1", "its cells are kept as they stood"
    assert found.seen == [1, 2, 4, 5, 6], "a bad row is there, too"
    assert (found.count(), found.count("null", "type"), found.count("value")) == (4, 2, 0)


def test_of_rows_with_one_key_the_newest_stays_and_of_equals_the_first() -> None:
    found = judged("1,a,,2026-01-01\n1,b,,2026-01-03\n1,c,,2026-01-03\n2,d,,\n2,e,,2026-01-01\n1,,,2026-09-09\n")
    assert [row["name"] for row in found.rows] == ["b", "e"]
    assert [(one["line"], one["kind"], one["reason"]) for one in found.rejects] == [
        (2, "duplicate", "id 1 stands in line 3, too, which stays"),
        (4, "duplicate", "id 1 stands in line 3, too, which stays"),
        (5, "duplicate", "id 2 stands in line 6, too, which stays"),
        (7, "null", "name has no value"),
    ]
    assert [row["name"] for row in judged("1,a,,2026-01-01\n1,b,,2026-01-03\n", newest="").rows] == ["a"]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (b"id,name,pay\n", "the header of e.csv lacks 'day'"),
        (b"id,name,pay,day,x\n", "has the unknown 'x'"),
        (b"id,name,pay,day,day\n", "names twice 'day'"),
        (b"", "lacks 'id', 'name', 'pay', 'day'"),
        (b'id,name,pay,day\n1,"a', "e.csv is no CSV: unexpected end of data"),
        (b"\xff", "e.csv is no CSV"),
    ],
)
def test_a_file_that_is_another_is_refused_whole(data: bytes, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        validate_csv(data, COLUMNS, "id", source="e.csv")
    assert "None of its rows was loaded." in str(caught.value)


CELL = st.one_of(st.text(max_size=6), st.integers(-2, 5).map(str), st.dates().map(str), st.just(""))


@given(st.lists(st.fixed_dictionaries({column.name: CELL for column in COLUMNS}), max_size=12))
def test_each_row_is_kept_once_or_rejected_once(rows: list[dict[str, str]]) -> None:
    names = [column.name for column in COLUMNS]
    found = validate_csv(csv_of(rows, names), COLUMNS, "id", "day")
    assert len(found.rows) + len(found.rejects) == len(rows)
    assert len({row["id"] for row in found.rows}) == len(found.rows)
    assert {row["id"] for row in found.rows} <= set(found.seen)
    again = validate_csv(csv_of(found.rows, names), COLUMNS, "id", "day")
    assert (again.rows, again.rejects) == (found.rows, []), "what was kept reads back as it is"
