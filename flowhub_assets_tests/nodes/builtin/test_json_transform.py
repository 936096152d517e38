"""The kind json-transform."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.builtin.json_transform import JsonTransform

ROWS = {"rows": [{"title": "하나", "score": 0.9}, {"title": "둘", "score": 0.1}]}


@pytest.mark.parametrize(
    ("expression", "result"),
    [
        ("rows[?score > `0.5`].title", ["하나"]),
        ("rows[].{name: title}", [{"name": "하나"}, {"name": "둘"}]),
        ("length(rows)", 2),
        ("nothing.there", None),
        ("@", ROWS),
    ],
)
def test_it_reshapes(expression: str, result: Any) -> None:
    assert run(JsonTransform, config={"expression": expression}, data=ROWS).result == result


@pytest.mark.parametrize("expression", ["rows[", "", "{{x}}", "nope(rows)", "sum(rows)", "[" * 9000])
def test_a_wrong_expression_is_told(expression: str) -> None:
    with pytest.raises(NodeError, match="expression") as caught:
        run(JsonTransform, config={"expression": expression}, data=ROWS)
    assert caught.value.retry is False
