from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeError
from flowhub_assets.nodes.http.content import ContentProblem, body_value, headers_to_send, json_bytes, query_to_send
from flowhub_assets_tests.json_values import SAFE_INTEGERS, json_values

JSON = json_values(integers=SAFE_INTEGERS)


@given(JSON)
def test_json_comes_back(value: Any) -> None:
    try:
        sent = json_bytes(value)
    except NodeError:
        # Half a character: UTF-8 has no way to write it.
        assert not _is_unicode(value)
        return
    assert body_value(sent, "application/json", "auto") == value


def _is_unicode(value: Any) -> bool:
    try:
        json.dumps(value, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return False
    return True


@given(st.binary(max_size=60), st.text(max_size=40), st.sampled_from(["auto", "json", "text"]))
def test_any_answer_has_a_meaning_or_is_told(data: bytes, kind: str, expect: str) -> None:
    try:
        value = body_value(data, kind, expect)
    except ContentProblem as problem:
        assert problem.remedy  # noqa: PT017 - both ways are right
        return
    json.dumps(value)


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("application/json; charset=euc-kr", "가"),
        ('application/json;charset="utf-16"', "가"),
        ("application/vnd.api+json", "가"),
        ("text/json; charset=utf-8", "가"),
    ],
)
def test_json_in_other_letters(kind: str, text: str) -> None:
    charset = kind.partition("charset=")[2].strip('"') or "utf-8"
    assert body_value(json.dumps([text], ensure_ascii=False).encode(charset), kind, "auto") == [text]


@pytest.mark.parametrize(
    "kind", ["text/plain; charset=rot13", "text/plain; charset=base64", "text/plain; charset=idna"]
)
def test_a_charset_that_is_none(kind: str) -> None:
    assert body_value("가".encode(), kind, "auto") == "가"


@given(st.dictionaries(st.text(max_size=10), st.text(max_size=20) | st.integers() | st.booleans(), max_size=3))
def test_no_header_breaks_the_message(headers: dict[str, Any]) -> None:
    try:
        written = headers_to_send(headers)
    except NodeError:
        return
    for name, value in written.items():
        line = f"{name}: {value}"
        assert line.isascii()
        assert not set("\r\n\0") & set(line)


def test_a_query() -> None:
    query = query_to_send({"a": 1, "b": None, "c": [1, None, "x"]}, {"a": True, "d": []})
    assert query == {"a": ["true"], "c": ["1", "x"]}
