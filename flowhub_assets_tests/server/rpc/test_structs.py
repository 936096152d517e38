"""Struct ↔ JSON: what a client meant arrives, number by number; what a double cannot hold is refused, not bent."""

from __future__ import annotations

import math
from typing import Any

import pytest
from google.protobuf.json_format import MessageToDict
from google.protobuf.struct_pb2 import ListValue, Struct, Value
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.server.rpc.structs import params_of, struct_of, value_of

EXACT = 2**53 - 1
ANY: dict[str, Any] = {"type": "object", "properties": {}}

numbers = st.integers(-EXACT, EXACT) | st.floats(allow_nan=False, allow_infinity=False)
texts = st.text(st.characters(codec="utf-8"), max_size=10)
values = st.recursive(
    st.none() | st.booleans() | numbers | texts,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(texts, inner, max_size=4),
    max_leaves=20,
)


def schema(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties}


def shape(value: Any) -> Any:
    """The value with the kinds of its numbers as JSON tells them: 2.0 and 2 are one number, True is none."""
    if isinstance(value, dict):
        return {key: shape(item) for key, item in value.items()}
    if isinstance(value, list):
        return [shape(item) for item in value]
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return (type(value).__name__, value)
    return ("number", float(value))


@given(st.dictionaries(texts, values, max_size=4))
def test_what_is_sent_arrives(params: dict[str, Any]) -> None:
    assert shape(params_of(struct_of(params), ANY)) == shape(params)


@given(st.dictionaries(texts, values, max_size=4))
def test_what_googles_own_client_makes_arrives(params: dict[str, Any]) -> None:
    sent = Struct()
    sent.update(params)
    assert shape(params_of(Struct.FromString(sent.SerializeToString()), ANY)) == shape(params)
    assert shape(MessageToDict(struct_of(params))) == shape(params)


@given(st.integers(-EXACT, EXACT))
def test_a_whole_number_is_an_integer_unless_the_schema_says_number(number: int) -> None:
    kinds = {"integer": int, "number": float, "string": int}
    for word, kind in kinds.items():
        (arrived,) = params_of(struct_of({"n": number}), schema(n={"type": word})).values()
        assert arrived == number
        assert type(arrived) is kind
    (arrived,) = params_of(struct_of({"n": number}), ANY).values()
    assert type(arrived) is int


@given(st.integers(EXACT + 1, 2**1_000) | st.integers(-(2**1_000), -EXACT - 1))
def test_an_integer_beyond_a_double_is_refused_coming_in_and_a_string_going_out(number: int) -> None:
    struct = Struct()
    struct.fields["n"].number_value = float(number)
    with pytest.raises(ParamsRefused, match=r"n is .*: from 2") as caught:
        params_of(struct, schema(n={"type": "integer"}))
    assert [field for field, _, _ in caught.value.fields] == ["n"]
    assert params_of(struct, schema(n={"type": "number"})) == {"n": float(number)}
    assert value_of(number).string_value == str(number)


CITY = {"type": "object", "properties": {"people": {"type": "integer"}, "area": {"type": "number"}}}


@pytest.mark.parametrize(
    ("field", "sent"),
    [
        (CITY, {"people": 7, "area": 7}),
        ({"type": "array", "items": CITY}, [{"people": 7, "area": 7}]),
        ({"type": "array", "prefixItems": [{}, CITY], "items": {}}, [1, {"people": 7, "area": 7}]),
        ({"type": "object", "additionalProperties": CITY}, {"seoul": {"people": 7, "area": 7}}),
        ({"anyOf": [CITY, {"type": "null"}]}, {"people": 7, "area": 7}),
        ({"$ref": "#/$defs/City", "$defs": {"City": CITY}}, {"people": 7, "area": 7}),
        (
            {"$ref": "#/$defs/A", "$defs": {"A": {"allOf": [{"$ref": "#/$defs/B"}]}, "B": CITY}},
            {"people": 7, "area": 7},
        ),
    ],
)
def test_numbers_are_what_the_schema_says_wherever_they_stand(field: dict[str, Any], sent: Any) -> None:
    def last(value: Any) -> Any:
        while "people" not in value:
            value = value[-1] if isinstance(value, list) else next(iter(value.values()))
        return value

    found = last(params_of(struct_of({"it": sent}), schema(it=field))["it"])
    assert (type(found["people"]), type(found["area"])) == (int, float)


def test_a_reference_into_the_whole_schema_is_followed() -> None:
    whole = {**schema(city={"$ref": "#/$defs/City"}), "$defs": {"City": CITY}}
    assert type(params_of(struct_of({"city": {"area": 7}}), whole)["city"]["area"]) is float


@pytest.mark.parametrize(
    "wrong",
    [
        {"$ref": "#/$defs/Me", "$defs": {"Me": {"$ref": "#/$defs/Me"}}},
        {"$ref": "#/$defs/Me", "$defs": {"Me": {"anyOf": [{"$ref": "#/$defs/Me"}] * 2}}},
        {"$ref": "nowhere"},
        {"$ref": 3, "type": 5, "properties": 7, "items": True, "anyOf": {}, "prefixItems": 1},
        {"properties": {"a": True}, "additionalProperties": False},
    ],
)
def test_a_schema_that_goes_in_circles_or_nowhere_says_nothing(wrong: dict[str, Any]) -> None:
    assert params_of(struct_of({"it": {"a": [1]}}), schema(it=wrong)) == {"it": {"a": [1]}}


@pytest.mark.parametrize("number", [math.nan, math.inf, -math.inf])
def test_what_is_no_number_of_json_is_refused(number: float) -> None:
    struct = Struct()
    struct.fields["list"].list_value.CopyFrom(ListValue(values=[Value(number_value=number)]))
    with pytest.raises(ParamsRefused) as caught:
        params_of(struct, ANY)
    assert caught.value.fields[0][0] == "list[0]"


def test_a_value_of_no_kind_is_refused() -> None:
    struct = Struct()
    struct.fields["a"].struct_value.fields["b"].CopyFrom(Value())
    struct.fields["c"].CopyFrom(Value())
    with pytest.raises(ParamsRefused) as caught:
        params_of(struct, ANY)
    assert sorted(field for field, _, _ in caught.value.fields) == ["a.b", "c"]


def test_half_a_surrogate_pair_goes_out_as_a_question_mark() -> None:
    assert MessageToDict(value_of({"\ud800": ["\udfff", "서울"]})) == {"?": ["?", "서울"]}


def test_minus_zero_stays_what_it_is() -> None:
    (zero,) = params_of(struct_of({"n": -0.0}), ANY).values()
    assert math.copysign(1, zero) == -1
