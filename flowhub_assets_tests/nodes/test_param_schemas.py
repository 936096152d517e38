"""Params against the parts of JSON Schema that need its library."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes.param_schemas import schema_faults


@pytest.mark.parametrize(("schema", "value"), [
    ({"type": "integer", "multipleOf": 5}, 10),
    ({"anyOf": [{"type": "null"}, {"minimum": 3}]}, None),
    ({"$defs": {"n": {"type": "integer"}}, "items": {"$ref": "#/$defs/n"}}, [1, 2]),
    ({}, {"any": "thing"}),
])  # fmt: skip
def test_values_that_fit(schema: Any, value: Any) -> None:
    assert list(schema_faults({"x": schema}, {"x": value})) == []


@pytest.mark.parametrize(("schema", "value", "told"), [
    ({"multipleOf": 5}, 7, "param 'x' does not fit its schema: 7 is not a multiple of 5"),
    ({"uniqueItems": True}, [1, 1], "[1, 1] has non-unique elements"),
    ({"properties": {"a": {"items": {"multipleOf": 2}}}}, {"a": [2, 3]}, "params.x.a[1] does not fit its schema"),
    ({"not": {"type": "string"}}, "y" * 999, "..."),
    ({"multipleOf": "five"}, 7, "the schema of param 'x' is wrong: 'five' is not of type 'number'"),
    ({"$ref": "http://127.0.0.1:1/x.json"}, 7, "the schema of param 'x' refers to what it does not hold"),
])  # fmt: skip
def test_values_that_do_not_fit(schema: Any, value: Any, told: str) -> None:
    ((what, remedy),) = schema_faults({"x": schema}, {"x": value})
    assert told in what
    assert len(what) < 400
    assert remedy


def test_a_param_that_is_not_given_is_not_looked_at() -> None:
    assert list(schema_faults({"x": {"multipleOf": 5}}, {})) == []
