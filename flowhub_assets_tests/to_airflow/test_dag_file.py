"""The DAG file: data as a literal, the shell word for word, the same bytes for the same pipeline."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

import flowhub_assets.to_airflow
from flowhub_assets.to_airflow.dag_file import dag_file, literal

SHELL = Path(flowhub_assets.to_airflow.__file__).with_name("dag_shell.py").read_text("utf-8")

JSON: st.SearchStrategy[Any] = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(), inner, max_size=5),
    max_leaves=40,
)


@given(JSON)
def test_a_literal_is_read_back_as_the_same_value(value: Any) -> None:
    text = literal(value)
    assert ast.literal_eval(text) == value
    assert literal(ast.literal_eval(text)) == text


@pytest.mark.parametrize("number", [float("nan"), float("inf"), float("-inf")])
def test_what_is_no_json_is_refused(number: float) -> None:
    with pytest.raises(ValueError, match="is no JSON"):
        literal({"a": [number]})


def test_long_data_gets_lines_of_its_own() -> None:
    lines = literal({"tasks": {f"task_{number}": {"upstream": [], "kind": "pod"} for number in range(9)}}).split("\n")
    assert lines[0] == "{"
    assert "        'task_3': {'upstream': [], 'kind': 'pod'}," in lines
    assert max(map(len, lines)) <= 110


@given(name=st.text(max_size=30), written_from=st.text(max_size=30))
def test_the_file_is_data_and_the_shell_whatever_the_names_are(name: str, written_from: str) -> None:
    data = {"dag": {"dag_id": "a", "dag_display_name": name}, "tasks": {name: {"quoted": '\'"""\\\n{{ x }}'}}}
    text = dag_file(data, written_from)
    assert text.endswith(SHELL)
    head = ast.parse(text.removesuffix(SHELL))
    assert len(head.body) == 1
    (assigned,) = head.body
    assert isinstance(assigned, ast.Assign)
    assert ast.literal_eval(assigned.value) == data
