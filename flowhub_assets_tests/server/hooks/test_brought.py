"""What a run finds of a request: whatever is sent, it is data that can be kept, or it is refused."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.server.hooks.brought import body_of, brought, unfit
from flowhub_assets_tests.json_values import json_values

JSON = {"content-type": "application/json"}
TEXTS = st.text(st.characters(exclude_categories=["Cs"]))


def request(**more: Any) -> dict[str, Any]:
    plain = {"headers": [], "body": b"", "method": "POST", "path": "p", "query": b"", "now": 0.0, "delivery": None}
    return brought(**{**plain, **more})


@given(json_values(TEXTS))
def test_json_arrives_as_it_was_sent(value: Any) -> None:
    assert body_of(JSON, json.dumps(value).encode()) == value
    assert body_of({"content-type": "Application/Vnd.Shop+JSON; charset=utf-8"}, json.dumps(value).encode()) == value


@given(TEXTS.filter(bool))
def test_text_arrives_as_it_was_sent(text: str) -> None:
    for kind in ("", "text/plain", "text/csv; charset=UTF-8", "application/xml"):
        assert body_of({"content-type": kind} if kind else {}, text.encode()) == text


@given(st.dictionaries(TEXTS, TEXTS, min_size=1))
def test_a_form_arrives_as_it_was_sent(fields: dict[str, str]) -> None:
    form = {"content-type": "application/x-www-form-urlencoded"}
    assert body_of(form, urlencode(fields).encode()) == fields
    twice = urlencode([pair for pair in fields.items() for _ in range(2)]).encode()
    assert body_of(form, twice) == {name: [value, value] for name, value in fields.items()}


@given(
    kind=st.sampled_from([*JSON.values(), "application/x-www-form-urlencoded", "text/plain", "", "image/png"]),
    body=st.binary(),
    headers=st.lists(st.tuples(st.binary(), st.binary())),
    query=st.binary(),
)
def test_whatever_comes_can_be_kept_or_is_refused(
    kind: str, body: bytes, headers: list[tuple[bytes, bytes]], query: bytes
) -> None:
    given_headers = [(b"content-type", kind.encode()), *headers]
    try:
        found = request(headers=given_headers, body=body, query=query)
    except ParamsRefused as error:
        told = error
    else:
        kept = json.dumps(found, ensure_ascii=False, allow_nan=False).encode()
        assert json.loads(kept) == found
        return
    assert len(str(told)) < 600


@given(json_values(st.text()))
def test_only_what_can_be_kept_is_fit(value: Any) -> None:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except ValueError:
        assert unfit(value)
    else:
        assert not unfit(value)


def test_depth_is_bounded() -> None:
    assert body_of(JSON, b"[" * 99 + b"1" + b"]" * 99)
    for deep in (101, 900, 5_000, 200_000):
        with pytest.raises(ParamsRefused, match="deep"):
            body_of(JSON, b'{"a":[' * (deep // 2 + 1) + b"1" + b"]}" * (deep // 2 + 1))


def test_what_is_encoded_or_binary_is_refused() -> None:
    for headers in (
        {**JSON, "content-encoding": "gzip"},
        {"content-type": "multipart/form-data; boundary=x"},
        {"content-type": "application/octet-stream"},
        {"content-type": "text/plain; charset=utf-16"},
        {"content-type": "text/plain; charset=rot13"},
    ):
        with pytest.raises(ParamsRefused):
            body_of(headers, b"{}")
    assert body_of({"content-type": "text/plain; charset=iso-8859-1"}, b"\xe9") == "é"


def test_headers_are_named_one_by_one_and_none_opens_a_door() -> None:
    headers = [
        (b"Content-Type", b"text/plain"),
        (b"X-GitHub-Event", b"push"),
        (b"X-Shop", b"a"),
        (b"X-Shop", b"b"),
        (b"X-Unknown", b"1"),
        (b"Authorization", b"Bearer abc"),
        (b"Cookie", b"abc"),
        (b"X-Hub-Signature-256", b"abc"),
        (b"webhook-signature", b"abc"),
        (b"webhook-id", b"msg_1"),
    ]
    found = request(headers=headers, more_headers=["x-shop", "authorization"])["headers"]
    assert found == {
        "content-type": "text/plain",
        "x-github-event": "push",
        "x-shop": ["a", "b"],
        "webhook-id": "msg_1",
    }


def test_the_rest_of_a_request() -> None:
    found = request(query=b"a=1&token=abc&api_key=abc", now=1_700_000_000.25, delivery="github:1")
    assert found == {
        "type": "webhook",
        "time": "2023-11-14T22:13:20.250Z",
        "method": "POST",
        "path": "p",
        "headers": {},
        "query": {"a": "1"},
        "body": None,
        "delivery": "github:1",
    }
