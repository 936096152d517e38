from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.runtime.pod_order import Order, take_order
from flowhub_assets_tests.json_values import json_values

TEXTS = st.text(st.characters(codec="utf-8"))


@given(st.dictionaries(TEXTS, json_values(TEXTS), max_size=3), TEXTS, st.integers(1, 200))
def test_an_order_may_stand_in_any_number_of_variables(given_params: dict[str, Any], run_id: str, size: int) -> None:
    order = {"part": "task", "tasks": ["작업"], "run_id": f"r{run_id}", "given": given_params, "skipped": ["a"]}
    text = json.dumps(order).replace("$", "\\u0024")
    parts = [text[at : at + size] for at in range(0, len(text), size)]
    environment = {f"FLOWHUB_STEP_{n}" if n > 1 else "FLOWHUB_STEP": part for n, part in enumerate(parts, 1)}
    environment["OTHER"] = "stays"
    taken = take_order(environment)
    assert taken == Order("task", ("작업",), f"r{run_id}", given=given_params, skipped=("a",))
    assert environment == {"OTHER": "stays"}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "nothing says what this pod is to do"),
        ("{", "is not JSON"),
        ("[" * 100_000, "is not JSON"),
        ("[]", "holds a list, not an object"),
        ('{"part": "task", "tasks": ["a"]}', "has no run_id"),
        ('{"part": "task", "tasks": [1], "run_id": "r"}', "must hold the names of tasks"),
        ('{"part": "tusk", "tasks": ["a"], "run_id": "r"}', "asks for the part 'tusk'"),
        ('{"part": "task", "tasks": "a", "run_id": "r"}', "'tasks' of FLOWHUB_STEP is a str, not a list"),
        ('{"part": "task", "tasks": ["a"], "run_id": "r", "outptus": {}}', "Did you mean 'outputs'?"),
    ],
)
def test_what_is_no_order_is_one_clear_error(text: str, told: str) -> None:
    with pytest.raises(InputError) as caught:
        take_order({"FLOWHUB_STEP": text})
    assert told.lower() in str(caught.value).lower()
    assert caught.value.remedy


def test_null_stands_for_what_there_is_none_of() -> None:
    text = json.dumps({"part": "finally", "tasks": ["a"], "run_id": "r", "failure": None, "index": None})
    assert take_order({"FLOWHUB_STEP": text}) == Order("finally", ("a",), "r")
