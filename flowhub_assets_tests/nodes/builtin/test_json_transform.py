"""The kind json-transform."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.builtin.json_transform import JsonTransform
from flowhub_assets.nodes.expressions import jmespath_evaluation

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


def test_a_number_without_backticks_is_told() -> None:
    with pytest.raises(NodeError, match="a number stands in backticks: `20`") as caught:
        run(JsonTransform, config={"expression": "rows[?age > 20].name"}, data=ROWS)
    assert "for expression" not in str(caught.value)


@pytest.mark.parametrize("expression", ["rows[", "", "{{x}}", "nope(rows)", "sum(rows)", "[" * 9000])
def test_a_wrong_expression_is_told(expression: str) -> None:
    with pytest.raises(NodeError, match="expression") as caught:
        run(JsonTransform, config={"expression": expression}, data=ROWS)
    assert caught.value.retry is False


@pytest.mark.parametrize(
    "expression",
    [
        pytest.param(" | ".join(["[@, @]"] * 60), id="a list in itself, again and again"),
        pytest.param(" | ".join(["{a: @, b: @}"] * 60), id="an object in itself"),
        pytest.param(" | ".join(["[@, @][]"] * 60), id="a list twice as long with every step"),
        pytest.param(" | ".join(["[@, @]"] * 60) + " | to_string(@)", id="a text of a list in itself"),
        pytest.param("to_string(@) | " + " | ".join(["join(@, [@, @])"] * 60), id="a text in itself"),
    ],
)
def test_an_expression_that_makes_ever_more_is_stopped(expression: str) -> None:
    with pytest.raises(NodeError, match="asks for too much") as caught:
        run(JsonTransform, config={"expression": expression}, data=ROWS)
    assert caught.value.retry is False


def test_an_expression_that_takes_long_is_stopped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jmespath_evaluation, "MOST_SECONDS", 0.1)
    expression = "@"
    for _ in range(20):
        expression = f"map(&{expression}, `{list(range(100))}`)"
    with pytest.raises(NodeError, match="takes longer"):
        run(JsonTransform, config={"expression": expression}, data=ROWS)


def test_large_data_is_reshaped() -> None:
    rows = [{"title": str(number), "score": number} for number in range(50_000)]
    result = run(
        JsonTransform, config={"expression": "{all: rows, high: rows[?score > `49998`].title}"}, data={"rows": rows}
    )
    assert result.result["high"] == ["49999"]
    assert len(result.result["all"]) == 50_000


def test_a_number_beyond_all_bounds_is_told() -> None:
    with pytest.raises(NodeError, match="does not fit"):
        run(JsonTransform, config={"expression": "ceil(`1e400`)"}, data=ROWS)
