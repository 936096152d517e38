"""Partitions by keys: which names, keys and numbers of them are legal."""

from __future__ import annotations

import pytest
from dagster import DagsterInvalidDefinitionError, MultiPartitionsDefinition, StaticPartitionsDefinition
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.partition_checks import LONGEST_KEY
from flowhub_assets.ir.triggers import Dimension, Partitions, Trigger
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of


def keyed(*dimensions: tuple[str, tuple[str, ...]], **more: str) -> Partitions:
    return Partitions(**more, dimensions=tuple(Dimension(name, keys) for name, keys in dimensions))


@pytest.mark.parametrize(
    "asked",
    [
        keyed(("model", ("scikit-learn", "xgboost"))),
        keyed(("model", ("a=1", "org/model:7b", "가 나")), ("data_set", ("x" * LONGEST_KEY,))),
        keyed(("a", tuple(map(str, range(500)))), ("b", ("1", "2"))),
    ],
)
def test_good_ones(asked: Partitions) -> None:
    assert messages(pipeline_of(task_of("a"), partitions=asked)) == []


@pytest.mark.parametrize(
    ("asked", "what", "remedy"),
    [
        (keyed(("m", ("a",)), every="daily"), "partitions are spans of time and keys at once", "lists of keys"),
        (keyed(("a", ("x",)), ("b", ("x",)), ("c", ("x",))), "partitions have 3 dimensions", "Dagster takes 2"),
        (keyed(("a", ("x",)), ("a", ("y",))), "two dimensions of partitions have one name", "name of its own"),
        (keyed(("data set", ("x",))), "called 'data set', which is no name", "data_set"),
        (keyed(("key", ("x",))), "called 'key', which is taken", "none of key"),
        (keyed(("every", ("x",))), "called 'every', which is taken", "every"),
        (keyed(("model", ())), "dimension 'model' of partitions has no keys", "model: ["),
        (keyed(("model", ("x", "y", "x"))), "dimension 'model' of partitions has 'x' twice", "leave one"),
        (keyed(("model", ("",))), "key '' of dimension 'model' has 0 characters", "1 to 60"),
        (keyed(("model", ("x" * 61,))), "has 61 characters", "1 to 60"),
        (keyed(("model", ("a|b",))), "key 'a|b' of dimension 'model' has | in it", "none of |"),
        (keyed(("model", ("*",))), "has * in it", "none of |"),
        (keyed(("model", ("a, b",))), "has , in it", "none of |"),
        (keyed(("model", ("a...b",))), "has ... in it", "none of |"),
        (keyed(("model", ("a\nb",))), "cannot be shown", "none of |"),
        (keyed(("model", (" a",))), "begins or ends with a blank", "none of |"),
        (keyed(("model", ("..",))), "is no name of a file", "none of |"),
        (keyed(("a", tuple(map(str, range(501)))), ("b", ("1", "2"))), "partitions by keys are 1,002", "1,000 are"),
    ],
)
def test_what_is_wrong(asked: Partitions, what: str, remedy: str) -> None:
    (problem,) = problems(pipeline_of(task_of("a"), partitions=asked))
    assert what in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize("kind", ["webhook", "object-arrival"])
def test_what_starts_one_run_and_names_no_key_is_refused(kind: str) -> None:
    config = {"path": "/x"} if kind == "webhook" else {"prefix": "in/"}
    given = pipeline_of(task_of("a"), partitions=keyed(("m", ("x",))), triggers=(Trigger(kind, config=config),))
    (problem,) = problems(given)
    assert f"whose partitions are keys has a trigger of type {kind}" in problem.what


@given(st.text(max_size=4) | st.text("ab|,[]*.\t \"'", max_size=6))
def test_what_is_legal_here_is_legal_in_dagster(key: str) -> None:
    if problems(pipeline_of(task_of("a"), partitions=keyed(("m", (key,))))):
        return
    try:
        one = StaticPartitionsDefinition([key])
        MultiPartitionsDefinition({"a": one, "b": one})
    except DagsterInvalidDefinitionError as error:
        raise AssertionError(key) from error
