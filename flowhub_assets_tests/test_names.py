"""Names for Dagster: legal, the same each time, two of different names stay two or are told."""

from __future__ import annotations

import re
import subprocess
import sys

import pytest
from dagster import AssetKey, GraphDefinition, op
from dagster._core.definitions.utils import DISALLOWED_NAMES, check_valid_name
from dagster._utils.tags import normalize_tags
from hypothesis import assume, given
from hypothesis import strategies as st

from flowhub_assets.names import _DAGSTER_RESERVED, collisions, dagster_name, op_name, tag_key

TEXTS = st.text(min_size=1) | st.from_regex(r"[A-Za-z0-9_.-]+", fullmatch=True) | st.text("가나다라힣-_. a", min_size=1)


@given(TEXTS)
def test_a_dagster_name_is_one_that_dagster_takes(text: str) -> None:
    name = dagster_name(text)
    assert check_valid_name(name) == name
    assert re.fullmatch(r"[A-Za-z0-9_]+", name)
    AssetKey([name, name]).to_python_identifier()


@given(TEXTS, TEXTS)
def test_an_op_name_is_one_that_dagster_takes(flow: str, task: str) -> None:
    assert check_valid_name(op_name(flow, task))


@given(st.from_regex(r"[A-Za-z0-9_]+", fullmatch=True))
def test_a_legal_name_is_kept(text: str) -> None:
    assume(text not in DISALLOWED_NAMES)
    assert dagster_name(text) == text
    assert dagster_name(dagster_name(text)) == text


def test_dagsters_own_words_are_avoided() -> None:
    words = [name for name in DISALLOWED_NAMES if re.fullmatch(r"\w+", name)]
    assert set(words) == set(_DAGSTER_RESERVED), "the list follows Dagster's"
    for word in words:
        GraphDefinition(dagster_name(word), node_defs=[op(name="x")(lambda: None)]).to_job()


@given(TEXTS)
def test_a_tag_key_is_one_that_dagster_takes(text: str) -> None:
    key = tag_key(text)
    assert 1 <= len(key) <= 63
    normalize_tags({key: ""}, warning_stacklevel=2)


@given(st.lists(TEXTS, max_size=8))
def test_collisions_are_exactly_the_pairs_that_become_one(names: list[str]) -> None:
    found = collisions(names)
    expected = []
    for index, name in enumerate(names):
        earlier = [other for other in names[:index] if dagster_name(other) == dagster_name(name)]
        if earlier:
            expected.append((earlier[0], name))
    assert found == expected


@pytest.mark.parametrize(
    ("text", "name"),
    [("my-workflow", "my_workflow"), ("a.b c", "a_b_c"), ("input", "input_"), ("Step_1", "Step_1"), ("-", "_")],
)
def test_word_for_word(text: str, name: str) -> None:
    assert dagster_name(text) == name


def test_two_korean_names_stay_two() -> None:
    assert dagster_name("음성") != dagster_name("요약")
    assert collisions(["음성", "요약", "음성-a", "요약-a"]) == []
    assert collisions(["my-flow", "my_flow", "other"]) == [("my-flow", "my_flow")]


def test_another_process_gives_the_same_names() -> None:
    code = (
        "from flowhub_assets.names import dagster_name, tag_key; print(dagster_name('회의록-1'), tag_key('야간 ' * 40))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=30)
    assert done.stdout.split() == [dagster_name("회의록-1"), tag_key("야간 " * 40)]
