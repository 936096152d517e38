"""Values as files: what is written is read again, what does not fit is told."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeError
from flowhub_assets.nodes.storage_forms import Form, decoded, encoded, form_of_key
from flowhub_assets_tests.json_values import json_values

TEXT = st.text(st.characters(exclude_categories=["Cs"])).filter(lambda text: not text.startswith("\ufeff"))
JSON = json_values(TEXT)


@given(value=JSON)
def test_json_comes_back(value: Any) -> None:
    assert decoded(encoded(value, "json", "a"), "json", "a") == value


@given(value=TEXT)
def test_text_comes_back(value: str) -> None:
    assert decoded(encoded(value, "text", "a"), "text", "a") == value


@given(value=st.lists(TEXT.filter(lambda text: "\n" not in text and not text.endswith("\r"))))
def test_lines_come_back(value: list[str]) -> None:
    assert decoded(encoded(value, "lines", "a"), "lines", "a") == value


@given(columns=st.lists(TEXT, min_size=1, max_size=4, unique=True), data=st.data())
def test_rows_come_back(columns: list[str], data: st.DataObject) -> None:
    rows = data.draw(st.lists(st.fixed_dictionaries(dict.fromkeys(columns, TEXT)), min_size=1, max_size=4))
    assert decoded(encoded(rows, "csv", "a"), "csv", "a") == rows


@given(value=st.binary())
def test_bytes_come_back(value: bytes) -> None:
    text = decoded(value, "bytes-base64", "a")
    assert encoded(text, "bytes-base64", "a") == value


@pytest.mark.parametrize(
    ("key", "form"), [("a.json", "json"), ("a.JSON", "json"), ("b/a.csv", "csv"), ("a.txt", "text"), ("json", "text")]
)
def test_the_ending_of_a_key(key: str, form: Form) -> None:
    assert form_of_key("auto", key) == form
    assert form_of_key("lines", key) == "lines"


def test_files_of_windows_and_excel() -> None:
    assert decoded(b"\xef\xbb\xbfcity,n\r\nA,1\r\n\r\n", "csv", "a") == [{"city": "A", "n": "1"}]
    assert decoded(b"a\r\nb\r\n", "lines", "a") == ["a", "b"]
    assert decoded(b"", "lines", "a") == decoded(b"", "csv", "a") == []


@pytest.mark.parametrize(
    ("data", "form", "what"),
    [
        (b"\xff", "text", "byte 0 is 0xff"),
        (b"{", "json", "is not JSON"),
        (b"NaN", "json", "NaN is not a number in JSON"),
        (b"[" * 100_000, "json", "nested too deeply"),
        (b"a,b\n1\n", "csv", "has 1 values in line 2, and its first line names 2 columns"),
        (b"a,a\n1,2\n", "csv", "names a column twice"),
        (b'a\n"1', "csv", "is not CSV: line 2"),
    ],
)
def test_what_is_not_of_the_form_is_told(data: bytes, form: Form, what: str) -> None:
    with pytest.raises(NodeError) as caught:
        decoded(data, form, "in/a")
    assert what in caught.value.what
    assert "'in/a'" in caught.value.what
    assert not caught.value.retry


@pytest.mark.parametrize(
    ("value", "form"),
    [
        (1, "text"),
        ("a", "lines"),
        (["a\nb"], "lines"),
        ([1], "lines"),
        ({"a": 1}, "csv"),
        (["a"], "csv"),
        ("a", "bytes-base64"),
        (None, "bytes-base64"),
        (float("nan"), "json"),
    ],
)
def test_a_value_that_the_form_cannot_hold_is_told(value: Any, form: Form) -> None:
    with pytest.raises(NodeError, match="the value for 'out/a'"):
        encoded(value, form, "out/a")
