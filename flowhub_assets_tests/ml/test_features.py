"""Features: what a row becomes, what of a row is refused, and that the text of them is read back."""

from __future__ import annotations

import json
from typing import Any

import pandas
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_sets import DATA_SETS
from flowhub_assets.ml.features import Feature, Features, fit_features, read_features

FEATURES = Features(
    (Feature("sex", "category", values=("female", "male")), Feature("age", "number", 30.0, nullable=True)),
    "survived",
    ("died", "survived"),
)
NAMES = st.text(min_size=1, max_size=8)


def test_a_row_becomes_numbers() -> None:
    assert FEATURES.encoded_names == ["sex=female", "sex=male", "age"]
    assert FEATURES.encode([["male", 5], ["female", None], ["female", float("nan")]]).tolist() == [
        [0, 1, 5],
        [1, 0, 30],
        [1, 0, 30],
    ]


def test_a_table_becomes_the_same_as_its_rows() -> None:
    frame = pandas.DataFrame({"age": [5.0, None], "survived": ["died", "survived"], "sex": ["male", "female"]})
    assert FEATURES.encode_frame(frame).tolist() == FEATURES.encode([["male", 5.0], ["female", None]]).tolist()
    assert FEATURES.target_codes(frame).tolist() == [0, 1]


WRONG: list[tuple[Any, str]] = [
    (["male"], "row 0 is 1 values, not a list of 2"),
    ("male", "row 0 is str, not a list of 2"),
    (["man", 5], "row 0, sex: 'man' is none of female, male"),
    ([1, 5], "row 0, sex: 1 is none of female, male"),
    ([None, 5], "row 0, sex: is missing"),
    (["male", "5"], "row 0, age: '5' is text, not a number"),
    (["male", True], "row 0, age: True is no number"),
    (["male", float("inf")], "row 0, age: inf is no number"),
    (["male", [5]], "row 0, age: [5] is no number"),
]


@pytest.mark.parametrize(("row", "fault"), WRONG, ids=lambda value: str(value)[:30])
def test_a_wrong_row_is_told(row: Any, fault: str) -> None:
    assert FEATURES.faults([row]) == [fault]
    with pytest.raises(InputError) as caught:
        FEATURES.encode([row])
    assert caught.value.what == fault
    assert "[sex, age]" in caught.value.remedy


def test_five_faults_are_told_of_a_thousand() -> None:
    assert len(FEATURES.faults([["man", 5]] * 1_000)) == 5


@pytest.mark.parametrize("name", DATA_SETS)
def test_medians_are_those_of_the_rows_that_are_fitted(name: str) -> None:
    data_set = DATA_SETS[name]
    row = {column.name: column.values[0] if column.values else 3 for column in data_set.columns}
    frame = pandas.DataFrame([row, row])
    features = fit_features(data_set, frame)
    assert features.names == [column.name for column in data_set.features]
    assert all(one.median == 3 for one in features.columns if one.type != "category")
    assert features.classes == (data_set.target_column.values if data_set.kind == "classification" else ())


def test_the_median_of_none_is_zero_and_of_two_their_middle() -> None:
    data_set = DATA_SETS["titanic"]
    frame = pandas.DataFrame({column.name: [None, None] for column in data_set.columns})
    frame["siblings_spouses"] = [1, 4]
    medians = {one.name: one.median for one in fit_features(data_set, frame).columns}
    assert (medians["age"], medians["siblings_spouses"]) == (0, 2.5)


@given(
    st.lists(
        st.builds(
            Feature,
            NAMES,
            st.sampled_from(["number", "integer", "category"]),
            st.floats(allow_nan=False, allow_infinity=False),
            st.lists(NAMES, max_size=3).map(tuple),
            st.booleans(),
        ),
        max_size=4,
    ),
    NAMES,
    st.lists(NAMES, max_size=3).map(tuple),
)
def test_what_is_written_is_read_back(columns: list[Feature], target: str, classes: tuple[str, ...]) -> None:
    features = Features(tuple(columns), target, classes)
    assert read_features(features.to_json()) == features


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "{}",
        json.dumps({**json.loads(FEATURES.to_json()), "format": 2}),
        json.dumps({**json.loads(FEATURES.to_json()), "target": 1}),
        json.dumps({**json.loads(FEATURES.to_json()), "columns": [{"name": "x"}]}),
    ],
)
def test_another_text_is_refused(text: str) -> None:
    with pytest.raises(InputError, match=r"features.json is not what this version writes"):
        read_features(text)
