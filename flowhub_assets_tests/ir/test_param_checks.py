"""A default that a param's schema would refuse is told when the pipeline is written, as jsonschema tells it later."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.param_checks import given_faults, value_fault
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of

CITY = {"type": "string", "enum": ["Seoul", "Busan"], "description": "where"}


def _told(default: Any, schema: Any) -> list[str]:
    return messages(pipeline_of(task_of("a"), params={"x": default}, param_schemas={"x": schema}))


@pytest.mark.parametrize(
    ("default", "schema"),
    [
        ("Seoul", CITY),
        (3, {"type": "integer", "minimum": 3, "maximum": 3}),
        (3.0, {"type": "integer"}),
        (None, {"type": ["string", "null"]}),
        ([1, 2], {"type": "array", "items": {"type": "integer"}, "maxItems": 2}),
        ({"a": 1}, {"type": "object", "required": ["a"], "properties": {"a": {"minimum": 0}}}),
        ("anything", {}),
    ],
)
def test_good_defaults(default: Any, schema: Any) -> None:
    assert _told(default, schema) == []


@pytest.mark.parametrize(
    ("default", "schema", "message"),
    [
        ("Soul", CITY, "the default of param 'x' is 'Soul', not one of 'Seoul' and 'Busan': did you mean 'Seoul'?"),
        ("3", {"type": "integer"}, "the default of param 'x' is '3', and is to be an integer"),
        (True, {"type": "integer"}, "is True, and is to be an integer"),
        (3.5, {"type": ["integer", "null"]}, "is 3.5, and is to be an integer or null"),
        (2, {"minimum": 3}, "is 2, below the minimum 3"),
        (3, {"exclusiveMinimum": 3}, "is 3, not above 3"),
        ("abc", {"maxLength": 2}, "is 3 characters long, above the maxLength 2"),
        ("Seoul", {"pattern": "^[A-Z]{2}$"}, "is 'Seoul', which does not match ^[A-Z]{2}$"),
        ([], {"minItems": 1}, "is 0 items long, below the minItems 1"),
        ({"b": 1}, {"required": ["a", "c"]}, "has no 'a' and 'c'"),
        (
            {"a": -1},
            {"properties": {"a": {"minimum": 0}}},
            "the default of param 'x': params.x.a is -1, below the minimum 0",
        ),
        ([1, "x"], {"items": {"type": "integer"}}, "params.x[1] is 'x', and is to be an integer"),
        ("x", {"type": "strng"}, "the schema of param 'x' has the type 'strng'"),
        ("x", {"enum": []}, "the schema of param 'x' has the enum []"),
        (1, {"minimum": "0"}, "the schema of param 'x' has the bound '0'"),
        (1, {"minimum": 3, "maximum": 1}, "the schema of param 'x' has minimum 3 above maximum 1"),
        ("x", {"pattern": "("}, "the schema of param 'x' has the pattern '(', in which there is a mistake"),
        ("a" * 60 + "!", {"pattern": "^(a+)+$"}, "the schema of param 'x' has the pattern '^(a+)+$', which can take"),
        ("x", {"pattern": "(" * 5_000 + ")" * 5_000}, "which is longer than 1,000 characters"),
        ("x", {"pattern": "(" * 490 + ")" * 490}, "in which there is a mistake"),
        ("x", {"pattern": "(" * 99 + "a+" + "){9}" * 98 + ")*"}, "which can take forever"),
        ("x", "string", "the schema of param 'x' is 'string'"),
    ],
)
def test_bad_defaults(default: Any, schema: Any, message: str) -> None:
    (told,) = _told(default, schema)
    assert message in told


def test_a_param_without_a_default_must_be_given_and_is_no_mistake() -> None:
    assert messages(pipeline_of(task_of("a"), param_schemas={"x": CITY})) == []


CITIES = {"type": "array", "items": {"properties": {"name": {"type": "string"}, "a b": {"minimum": 0}}}}


@pytest.mark.parametrize(
    ("item", "told"),
    [
        ({"name": 3}, "params.cities[1].name is 3, and is to be a string"),
        ({"a b": -1}, "params.cities[1]['a b'] is -1, below the minimum 0"),
    ],
)
def test_what_is_wrong_inside_of_a_param_is_told_by_its_path(item: Any, told: str) -> None:
    pipeline = pipeline_of(task_of("a"), param_schemas={"cities": CITIES})
    assert list(given_faults(pipeline, {"cities": [{}, item]})) == [(told, "give it another value")]


def test_env_is_no_param() -> None:
    (problem,) = problems(pipeline_of(task_of("a"), param_schemas={"env": CITY}))
    assert problem.what == "a param is named 'env'"


SMALL = st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from([0.5, 1.0, -2.0]) | st.text("ab", max_size=3)
VALUES = st.recursive(
    SMALL, lambda v: st.lists(v, max_size=3) | st.dictionaries(st.sampled_from("ab"), v), max_leaves=5
)
NUMBERS = st.integers(-3, 3)
SCHEMAS: st.SearchStrategy[dict[str, Any]] = st.recursive(
    st.fixed_dictionaries(
        {},
        optional={
            "type": st.sampled_from("string number integer boolean array object null".split())
            | st.lists(st.sampled_from(["string", "integer", "null"]), min_size=1, unique=True),
            "enum": st.lists(SMALL, min_size=1, max_size=3),
            "const": SMALL,
            "minimum": NUMBERS,
            "maximum": NUMBERS,
            "exclusiveMinimum": NUMBERS,
            "exclusiveMaximum": NUMBERS,
            "pattern": st.sampled_from(["^a", "b$", "[ab]{2}"]),
            "minLength": st.integers(0, 3),
            "maxLength": st.integers(0, 3),
            "minItems": st.integers(0, 3),
            "maxItems": st.integers(0, 3),
            "required": st.lists(st.sampled_from("ab"), unique=True),
        },
    ),
    lambda inner: st.fixed_dictionaries(
        {}, optional={"items": inner, "properties": st.dictionaries(st.sampled_from("ab"), inner)}
    ),
    max_leaves=3,
)


@settings(deadline=None, max_examples=500)
@given(VALUES, SCHEMAS)
def test_it_says_what_jsonschema_says(value: Any, schema: dict[str, Any]) -> None:
    assert (value_fault(value, schema)[1] == "") == jsonschema.Draft202012Validator(schema).is_valid(value)


KEYS = st.sampled_from(
    "a type enum const minimum maximum exclusiveMinimum pattern minLength maxItems required items properties".split()
)


@settings(deadline=None, max_examples=200)
@given(VALUES, st.recursive(VALUES, lambda inner: st.dictionaries(KEYS, inner, max_size=3), max_leaves=5))
@example(1, {"type": {}})
@example([1], {"items": {"type": {}}})
@example({"a": 1}, {"required": [[]]})
def test_whatever_is_no_schema_is_told_and_never_raised(value: Any, schema: Any) -> None:
    assert all(isinstance(message, str) for message in _told(value, schema))


def test_a_fault_inside_of_a_schema_is_told_with_its_place() -> None:
    (told,) = _told([], {"type": "array", "items": {"properties": {"y": {"type": "strin"}}}})
    assert "the schema of param 'x' has the type 'strin' in its property 'y' in its items" in told
