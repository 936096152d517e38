"""Partitions by keys: cells are Dagster's own, a pattern means the cells that it says."""

from __future__ import annotations

import pytest
from dagster import MultiPartitionKey, MultiPartitionsDefinition, StaticPartitionsDefinition
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.ir.partition_checks import key_faults
from flowhub_assets.ir.triggers import Dimension, Partitions
from flowhub_assets.runtime.matrix import cell_of, cells, file_name, is_pattern, matching
from flowhub_assets_tests.ir.pipelines_as_data import pipeline_of, task_of

#: As written, the dimension that sorts last stands first.
MATRIX = Partitions(dimensions=(Dimension("model", ("xgboost", "lightgbm")), Dimension("data_set", ("iris", "wine"))))
ROW = Partitions(dimensions=(Dimension("model", ("xgboost", "rate=0.1")),))

_keys = st.lists(
    st.text("ab=-é가 ", min_size=1, max_size=3).filter(lambda key: key == key.strip()),
    min_size=1,
    max_size=20,
    unique=True,
)
_matrices = st.builds(
    lambda names, first, second: Partitions(dimensions=(Dimension(names[0], first), Dimension(names[1], second))),
    st.permutations(["model", "data_set", "Size"]),
    _keys.map(tuple),
    _keys.map(tuple),
)


@given(_matrices)
def test_the_cells_are_dagsters(asked: Partitions) -> None:
    assert not list(key_faults(pipeline_of(task_of("a")), asked))
    definition = MultiPartitionsDefinition(
        {one.name: StaticPartitionsDefinition(list(one.keys)) for one in asked.dimensions}
    )
    theirs = definition.get_partition_keys()
    ours = cells(asked)
    assert [cell["key"] for cell in ours] == list(theirs)
    for cell, key in zip(ours, theirs, strict=True):
        assert isinstance(key, MultiPartitionKey)
        assert cell == {"key": str(key), **key.keys_by_dimension}
        assert cell_of(asked, str(key)) == cell
        assert matching(asked, str(key)) == [cell]
        assert not is_pattern(asked, str(key))


@pytest.mark.parametrize(
    ("pattern", "meant"),
    [
        ("*", ["iris|xgboost", "iris|lightgbm", "wine|xgboost", "wine|lightgbm"]),
        ("*|*", ["iris|xgboost", "iris|lightgbm", "wine|xgboost", "wine|lightgbm"]),
        ("iris|*", ["iris|xgboost", "iris|lightgbm"]),
        ("*|lightgbm", ["iris|lightgbm", "wine|lightgbm"]),
        ("model=xgboost", ["iris|xgboost", "wine|xgboost"]),
        ("data_set=wine", ["wine|xgboost", "wine|lightgbm"]),
    ],
)
def test_patterns(pattern: str, meant: list[str]) -> None:
    assert is_pattern(MATRIX, pattern)
    assert [cell["key"] for cell in matching(MATRIX, pattern)] == meant


def test_of_one_dimension() -> None:
    assert cells(ROW) == [{"key": "xgboost", "model": "xgboost"}, {"key": "rate=0.1", "model": "rate=0.1"}]
    assert matching(ROW, "*") == cells(ROW)
    assert not is_pattern(ROW, "rate=0.1")
    assert matching(ROW, "rate=0.1") == matching(ROW, "model=rate=0.1") == cells(ROW)[1:]


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("", "'' is no partition", "Its partitions: iris|xgboost, iris|lightgbm, wine|xgboost"),
        ("iris", "'iris' is no partition", "several: *, data_set=iris."),
        ("iris|xgbost", "'iris|xgbost' is no partition", "Did you mean 'iris|xgboost'?"),
        ("xgboost|iris", "is no partition", "Its partitions"),
        ("irs|*", "'irs' is no data_set", "Did you mean 'iris'?"),
        ("model=", "'' is no model", "Its partitions"),
        ("iris|*|*", "'iris|*|*' is no partition", "Its partitions"),
        ("size=large", "'size=large' is no partition", "Its partitions"),
    ],
)
def test_what_means_nothing_is_refused_and_the_keys_are_listed(text: str, what: str, remedy: str) -> None:
    with pytest.raises(InputError) as raised:
        matching(MATRIX, text)
    assert what in raised.value.what
    assert remedy in raised.value.remedy


def test_of_many_keys_the_first_are_listed() -> None:
    many = Partitions(dimensions=(Dimension("n", tuple(map(str, range(100)))),))
    with pytest.raises(InputError) as raised:
        cell_of(many, "x")
    assert "18, 19 and 80 more; several: *." in raised.value.remedy


@given(st.lists(st.text(min_size=1, max_size=5), min_size=2, max_size=2, unique=True))
def test_each_key_has_a_file_of_its_own(keys: list[str]) -> None:
    one, other = map(file_name, keys)
    assert one != other
    assert not set(one) & set('|/\\:*?"<>')


def test_a_files_name_shows_the_key() -> None:
    assert file_name("iris|scikit-learn") == "iris%7Cscikit-learn"
    assert file_name("가 나") == "가 나"
