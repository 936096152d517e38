from __future__ import annotations

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeError
from flowhub_assets.nodes.http.connection import HttpConnection
from flowhub_assets.nodes.http.target import follow, same_origin, target

BASE = HttpConnection("api", "https://api.example/v1")


@pytest.mark.parametrize(
    ("base", "url", "whole"),
    [
        ("https://h/v1", "chat", "https://h/v1/chat"),
        ("https://h/v1/", "/chat", "https://h/v1/chat"),
        ("https://h/v1", "", "https://h/v1"),
        ("https://h/v1/", "/", "https://h/v1"),
        ("https://h", "", "https://h/"),
        ("https://h", "a/b?c=d&e=%20", "https://h/a/b?c=d&e=%20"),
        ("https://h/v1?api-version=1", "chat", "https://h/v1/chat?api-version=1"),
        ("https://h/v1?api-version=1", "chat?a=b", "https://h/v1/chat?api-version=1&a=b"),
        ("https://h/v1", "?a=b", "https://h/v1?a=b"),
        ("https://h:8443/v1", "https://h:8443/v1/x", "https://h:8443/v1/x"),
        ("https://h/v1", "https://h/v1", "https://h/v1"),
        ("http://[::1]:8000/v1", "보고서", "http://[::1]:8000/v1/%EB%B3%B4%EA%B3%A0%EC%84%9C"),
    ],
)
def test_below_a_connection(base: str, url: str, whole: str) -> None:
    assert str(target(url, HttpConnection("x", base))) == whole


@given(st.text(alphabet=st.sampled_from("./\\%2eEfF:@?#a한v1htps"), max_size=30) | st.text(max_size=30))
@example("//evil.example/v1/")
@example("https://api.example@evil.example/v1/")
@example("https://api.example.evil/v1/x")
@example("/..;/admin")
@example("%2e%2e/admin")
@example("a/..\\..\\admin")
def test_nothing_leads_out_of_a_connection(url: str) -> None:
    try:
        found = target(url, BASE)
    except NodeError:
        return
    assert (found.scheme, found.host, found.port, found.userinfo) == ("https", "api.example", None, b"")
    assert found.path == "/v1" or found.path.startswith("/v1/")
    assert ".." not in found.path.replace("\\", "/").split("/")


@given(st.text(max_size=40))
def test_without_a_connection_only_the_web_is_asked(url: str) -> None:
    try:
        found = target(url, None)
    except NodeError:
        return
    assert found.scheme in ("http", "https")
    assert found.host


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("http://h/a", "http://h:80/b", True),
        ("https://h/", "https://h:443/", True),
        ("http://h/", "https://h/", True),
        ("https://h/", "http://h/", False),
        ("http://h/", "http://h:8080/", False),
        ("http://h:8080/", "https://h/", False),
        ("http://h/", "http://h2/", False),
    ],
)
def test_origins(one: str, other: str, same: bool) -> None:
    assert same_origin(httpx.URL(one), httpx.URL(other)) == same


def test_what_goes_on_to_another_origin() -> None:
    headers = {"Authorization": "x", "X-Api-Key": "x", "X-Any": "x", "Accept": "*/*", "Content-Type": "text/plain"}
    before = httpx.URL("https://h/")
    same = follow(before, httpx.Request("GET", "https://h/b", headers=headers), "GET")
    assert set(same.headers) >= {"authorization", "x-api-key", "x-any"}
    other = follow(before, httpx.Request("GET", "https://h2/", headers=headers), "GET")
    assert set(other.headers) == {"host", "accept", "content-type"}
    with pytest.raises(NodeError, match="redirects to an address of ftp"):
        follow(before, httpx.Request("GET", "ftp://h/"), "GET http://h/")
