"""Schemas with references written out: the same values fit, and what refers to itself ends."""

from __future__ import annotations

from typing import Any

import jsonschema
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ir.param_checks import value_fault
from flowhub_assets.ir.schema_inlining import inlined
from flowhub_assets.ir.schema_references import resolved
from flowhub_assets_tests.json_values import json_values

NODE = {
    "type": "object",
    "properties": {"next": {"anyOf": [{"$ref": "#/$defs/N"}, {"type": "null"}]}, "n": {"type": "integer"}},
}
DEFS: dict[str, Any] = {
    "N": {**NODE, "required": ["n"], "additionalProperties": False, "title": "N"},
    "P": {"type": "object", "properties": {"node": {"$ref": "#/$defs/N"}, "title": {"type": "string"}}, "title": "P"},
    "A": {"type": "array", "items": {"$ref": "#/$defs/B"}},
    "B": {"anyOf": [{"$ref": "#/$defs/A"}, {"type": "integer"}]},
}


def test_what_ends_is_written_out_without_titles() -> None:
    schema = inlined({"items": {"$ref": "#/$defs/P", "description": "one"}, "title": "Items"}, DEFS)

    assert schema["items"]["description"] == "one"
    assert schema["items"]["properties"]["title"] == {"type": "string"}
    assert set(schema) == {"items", "$defs"}
    assert set(schema["$defs"]) == {"N"}


@given(json_values(st.sampled_from(["n", "next", "node", "title", "x"])))
@pytest.mark.parametrize("name", sorted(DEFS))
def test_it_takes_what_the_whole_takes(name: str, value: Any) -> None:
    whole = {"$ref": f"#/$defs/{name}", "$defs": DEFS}
    is_good = jsonschema.Draft202012Validator(whole).is_valid(value)

    assert jsonschema.Draft202012Validator(inlined(whole, DEFS)).is_valid(value) == is_good
    assert (not value_fault(value, whole)[1]) == is_good
    assert (not value_fault(value, inlined(whole, DEFS))[1]) == is_good


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ({"n": 1, "next": {"n": 2, "next": {"n": "x"}}}, (("next", "next", "n"), "is 'x', and is to be an integer")),
        ({"n": 1, "nxt": None}, ((), "has a field 'nxt' that it does not take: did you mean 'next'?")),
        ({"n": 1, "next": 3}, (("next",), "is 3, and is to be an object")),
        ({"n": 1, "next": {"n": 2, "next": None}}, ((), "")),
    ],
)
def test_faults_lead_through_references(value: Any, told: Any) -> None:
    assert value_fault(value, {"$ref": "#/$defs/N", "$defs": DEFS}) == told


@pytest.mark.parametrize(
    ("form", "good", "bad"),
    [
        ("date-time", ["2026-01-02T03:04:05Z", "2026-01-02 03:04", "2026-01-02", "2026-01-02T03:04:05.123456789+0900"],
         ["", "soon", "2026-1-2", "2026-01-02T3"]),
        ("date", ["2026-01-02", "2026-01-02T00:00:00Z"], ["2026", "2026-01-02T01:00:00"]),
        ("of our own", ["anything"], []),
    ],
)  # fmt: skip
def test_dates_have_their_form(form: str, good: list[str], bad: list[str]) -> None:
    schema = {"type": "string", "format": form}
    assert [value_fault(value, schema)[1] for value in good] == [""] * len(good)
    assert all("and is to be a" in value_fault(value, schema)[1] for value in bad)


def test_a_reference_that_leads_nowhere_or_in_a_circle_takes_anything() -> None:
    assert resolved({"$ref": "#/$defs/X"}, {"X": {"$ref": "#/$defs/X"}}) == {}
    assert resolved({"$ref": "#/$defs/Y"}, {}) == {}
