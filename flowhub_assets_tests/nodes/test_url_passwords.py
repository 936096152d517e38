"""No password of a connection in what a driver says."""

from __future__ import annotations

from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.url_passwords import holds_password, without_password


@pytest.mark.parametrize(
    "url",
    [
        "redis://:planted@host/0",
        "postgresql://me:planted@host:5432/db?sslmode=require",
        "postgresql://host/db?user=me&password=planted",
        "mongodb://me:planted@a:1,b:2/?replicaSet=x",
        "mongodb://me:pl@nt/ed@host/",
    ],
)
def test_the_password_is_masked(url: str) -> None:
    assert holds_password(url)
    password = "pl@nt/ed" if "pl@nt/ed" in url else "planted"
    assert without_password(f"no {password} here", url) == "no *** here"
    assert "lant" not in without_password(f"cannot open {url}", url)


def test_a_url_without_a_password_masks_nothing() -> None:
    for url in ("redis://host/0", "sqlite:///a@b.db", "mongodb://me@host", ""):
        assert without_password("the host me said no", url) == "the host me said no"
        assert not holds_password(url)


@pytest.mark.parametrize(
    "text", ["http://host:8000/users/@me", "http://host/?next=a:b@c", "a:b@c", "s3://k@b/", "s3://b/a:b@c"]
)
def test_a_port_is_no_password(text: str) -> None:
    assert not holds_password(text)


@given(password=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6))
def test_both_spellings_are_masked(password: str) -> None:
    url = f"redis://me:{quote(password, safe='')}@host/0"
    told = without_password(f"<<{password}>> <<{quote(password, safe='')}>>", url)
    assert f"<{password}>" not in told
    assert quote(password, safe="") not in told
