"""--params and --param → the params of a run, by their JSON Schema."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.cli.params_given import given_params
from flowhub_assets.errors import InputError

SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {
        "city": {"type": "string"},
        "times": {"type": "integer"},
        "share": {"type": "number"},
        "on": {"type": "boolean"},
        "tags": {"type": "array"},
        "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
        "either": {"type": ["string", "integer"]},
        "level": {"enum": ["low", "1"]},
        "free": {},
        "a.b": {"type": "integer"},
        "data": {"$ref": "#/$defs/Data"},
    },
    "$defs": {
        "Data": {"type": "object", "properties": {"info": {"type": "integer"}, "name": {"type": "string"}}},
    },
}


@pytest.mark.parametrize(
    ("word", "params"),
    [
        ("city=12", {"city": "12"}),
        ("city=", {"city": ""}),
        ("city=a=b", {"city": "a=b"}),
        ("times=12", {"times": 12}),
        ("times=twelve", {"times": "twelve"}),
        ("share=0.5", {"share": 0.5}),
        ("share=NaN", {"share": "NaN"}),
        ("on=true", {"on": True}),
        ("on=True", {"on": "True"}),
        ('tags=["a", 1]', {"tags": ["a", 1]}),
        ("note=null", {"note": None}),
        ("note=12", {"note": "12"}),
        ("either=12", {"either": 12}),
        ("either=true", {"either": "true"}),
        ("level=1", {"level": "1"}),
        ("free=12", {"free": 12}),
        ("unknown=x", {"unknown": "x"}),
        ("a.b=1", {"a.b": 1}),
        ("data.info=1", {"data": {"info": 1}}),
        ("data.name=1", {"data": {"name": "1"}}),
        ("data.new=1", {"data": {"new": 1}}),
        ('data={"info": 2}', {"data": {"info": 2}}),
    ],
)
def test_a_value_is_read_as_its_schema_says(word: str, params: dict[str, Any]) -> None:
    assert given_params(None, [word], SCHEMA) == params


def test_later_words_lie_over_earlier_ones_and_over_the_document() -> None:
    document = '{"city": "Seoul", "data": {"info": 1, "name": "x"}}'
    words = ["city=Busan", "city=Jeju", "data.info=2"]
    assert given_params(document, words, SCHEMA) == {"city": "Jeju", "data": {"info": 2, "name": "x"}}


def test_a_document_comes_from_a_file_or_stdin(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "params.json"
    file.write_text('\ufeff{"city": "서울"}', encoding="utf-8")
    assert given_params(f"@{file}", [], SCHEMA) == {"city": "서울"}
    monkeypatch.setattr("sys.stdin", io.StringIO('{"times": 3}'))
    assert given_params("-", [], SCHEMA) == {"times": 3}


@pytest.mark.parametrize(
    ("document", "words", "told"),
    [
        (None, ["city"], "--param 'city' is no NAME=VALUE"),
        (None, ["=x"], "--param '=x' is no NAME=VALUE"),
        ("{", [], "--params: it is no JSON"),
        ('{"a": NaN}', [], "NaN is not JSON"),
        ("[" * 100_000, [], "it is no JSON"),
        ("[1]", [], "it is JSON, but no object: [1]"),
        ("@nothing.json", [], "nothing.json: it cannot be read: No such file"),
        ('{"data": 1}', ["data.info=1"], "'data' is no object"),
    ],
)
def test_what_is_wrong_is_told(document: str | None, words: list[str], told: str) -> None:
    with pytest.raises(InputError) as error:
        given_params(document, words, SCHEMA)
    assert told in str(error.value)
    assert "Nothing was started." in str(error.value)


def test_a_schema_that_refers_to_itself_ends() -> None:
    schema = {"properties": {"tree": {"$ref": "#/$defs/T"}}, "$defs": {"T": {"anyOf": [{"$ref": "#/$defs/T"}]}}}
    assert given_params(None, ["tree=1"], schema) == {"tree": 1}


def json_values() -> st.SearchStrategy[Any]:
    leaves = st.none() | st.booleans() | st.integers() | st.text()
    return st.recursive(leaves, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8)


@given(json_values())
def test_any_json_comes_through_a_param_without_a_type(value: Any) -> None:
    assert given_params(None, [f"free={json.dumps(value)}"], SCHEMA) == {"free": value}


@given(st.text())
def test_any_text_comes_through_a_text_param(value: str) -> None:
    assert given_params(None, [f"city={value}"], SCHEMA) == {"city": value}
