"""Files from the web: bounded, redirected within http(s), and never from where a cloud keeps credentials."""

from __future__ import annotations

import gzip
from collections.abc import Iterator

import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.ml.downloading import download, url_without_secrets
from flowhub_assets_tests.http_server import Answer, HttpServer
from flowhub_assets_tests.http_server import http_server as running_http_server


@pytest.fixture(scope="module")
def server() -> Iterator[HttpServer]:
    with running_http_server() as server:
        yield server


def test_the_body_comes_whole_and_unpacked(server: HttpServer) -> None:
    server.on("/plain", Answer(body=b"a\n1\n"))
    server.on("/packed", Answer(body=gzip.compress(b"a\n1\n"), headers={"Content-Encoding": "gzip"}))
    server.on("/moved", Answer(302, headers={"Location": "/plain"}))
    for path in ("/plain", "/packed", "/moved"):
        assert download(server.url + path, {}, 4) == b"a\n1\n"


@pytest.mark.parametrize("packed", [False, True])
def test_what_is_larger_than_it_may_be_is_not_read(server: HttpServer, packed: bool) -> None:
    body = b"x" * 100_000
    headers = {"Content-Encoding": "gzip"} if packed else {}
    server.on("/large", Answer(body=gzip.compress(body) if packed else body, headers=headers))
    with pytest.raises(InputError, match="more than 99,999 bytes") as caught:
        download(f"{server.url}/large", {}, 99_999)
    assert "Ask for a smaller file." in str(caught.value)


def test_an_error_of_the_server_is_told_without_what_stands_in_the_query(server: HttpServer) -> None:
    server.on("/none", Answer(404, b"nothing here"))
    with pytest.raises(InputError, match="/none answered 404 Not Found: nothing here") as caught:
        download(f"{server.url}/none?key=geheim", {}, 100)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://metadata.google.internal/", "metadata service"),
        ("http://[::ffff:169.254.169.254]/", "link-local"),
        ("http://user:geheim@127.0.0.1/iris.csv", "holds a user name or password"),
        ("ftp://127.0.0.1/iris.csv", "not an http or https address"),
    ],
)
def test_addresses_that_are_refused(url: str, why: str) -> None:
    with pytest.raises(InputError, match=why) as caught:
        download(url, {}, 100)
    assert "geheim" not in str(caught.value)


def test_a_redirect_leads_neither_out_of_the_web_nor_round_for_ever(server: HttpServer) -> None:
    server.on("/round", Answer(302, headers={"Location": "/round"}))
    with pytest.raises(InputError, match="redirects more than 5 times"):
        download(f"{server.url}/round", {}, 100)
    server.on("/cloud", Answer(302, headers={"Location": "http://169.254.169.254/latest"}))
    with pytest.raises(InputError, match="link-local"):
        download(f"{server.url}/cloud", {}, 100)
    server.on("/file", Answer(302, headers={"Location": "file:///etc/passwd"}))
    with pytest.raises(InputError):
        download(f"{server.url}/file", {}, 100)


@pytest.mark.parametrize(
    ("url", "wanted"),
    [
        ("https://me:pass@host:8443/a/b@c.csv?sig=1#x", "https://host:8443/a/b@c.csv"),
        ("s3://bucket/a b.csv", "s3://bucket/a b.csv"),
        ("folder/what?.csv", "folder/what?.csv"),
    ],
)
def test_a_url_without_its_secrets(url: str, wanted: str) -> None:
    assert url_without_secrets(url) == wanted
