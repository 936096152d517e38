from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.from_python.param_help import param_lines
from flowhub_assets.ir.pipeline import Pipeline, Source

NOTHING = object()


def pipeline(default: Any = NOTHING, schema: Any = NOTHING, name: str = "city") -> Pipeline:
    return Pipeline(
        "p",
        (),
        Source("p.yaml", 1),
        params={} if default is NOTHING else {name: default},
        param_schemas={} if schema is NOTHING else {name: schema},
    )


@pytest.mark.parametrize(
    ("default", "schema", "line"),
    [
        (NOTHING, {"type": "string"}, "string (required)"),
        ("서울", {"type": "string", "description": "Where\n  it is."}, 'string (default: "서울"): Where it is.'),
        (None, {"type": ["string", "null"]}, "string or null (default: null)"),
        ("a", {"enum": ["a", "b"]}, 'one of "a", "b" (default: "a")'),
        (NOTHING, {}, "(required)"),
        (True, NOTHING, "boolean (default: true)"),
        ((1, 2), NOTHING, "array (default: [1, 2])"),
        ({"a": 1.5}, NOTHING, 'object (default: {"a": 1.5})'),
        ("x" * 100, NOTHING, f'string (default: "{"x" * 59}...)'),
    ],
)
def test_a_param(default: Any, schema: Any, line: str) -> None:
    assert param_lines(pipeline(default, schema)) == [f"  city  {line}"]


def test_a_secret_default_is_not_shown() -> None:
    assert param_lines(pipeline("hunter2-x", name="API_TOKEN")) == ['  API_TOKEN  string (default: "***")']
    assert "hunter2" not in param_lines(pipeline("postgresql://ann:hunter2@db/x"))[0]


def test_names_are_in_line() -> None:
    both = Pipeline("p", (), Source("p.py", 1), params={"a": 1, "long": 2})
    assert param_lines(both) == ["  a     integer (default: 1)", "  long  integer (default: 2)"]
    assert param_lines(Pipeline("p", (), Source("p.py", 1))) == []
