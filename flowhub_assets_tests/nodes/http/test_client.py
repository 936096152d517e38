from __future__ import annotations

import asyncio
import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest

from flowhub_assets.nodes.http import client as module
from flowhub_assets.nodes.http.address import AddressRefused
from flowhub_assets.nodes.http.client import http_client, link_local_allowed
from flowhub_assets_tests.http_server import Answer, HttpServer, http_server
from flowhub_assets_tests.tls_files import tls_files

REAL_NAMES = socket.getaddrinfo


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as running:
        running.on("/", Answer.text("here"))
        yield running


def get(*urls: str, profile: Mapping[str, Any] | None = None) -> list[str]:
    async def answers() -> list[str]:
        async with http_client(profile or {}) as client:
            return [(await client.get(url)).text for url in urls]

    return asyncio.run(answers())


class Names:
    """A name server in place of the system's, since none of the outside can be had in a test."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, **answers: list[list[str]]) -> None:
        self.answers = {name.replace("_", "."): given for name, given in answers.items()}
        self.asked: list[str] = []
        monkeypatch.setattr(socket, "getaddrinfo", self)

    def __call__(self, host: Any, port: Any, *rest: Any, **more: Any) -> Any:
        name = host.decode() if isinstance(host, bytes) else host
        if name not in self.answers:
            return REAL_NAMES(host, port, *rest, **more)
        self.asked.append(name)
        given = self.answers[name]
        addresses = given.pop(0) if len(given) > 1 else given[0]
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port)) for address in addresses]


def test_it_connects_to_the_address_that_was_checked(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # Whoever asked twice would be led to the second address.
    names = Names(monkeypatch, rebinding_example=[["127.0.0.1"], ["169.254.169.254"]])
    assert get(f"http://rebinding.example:{server.port}/") == ["here"]
    assert names.asked == ["rebinding.example"]
    assert server.requests[0].headers["host"] == f"rebinding.example:{server.port}"


def test_every_request_is_checked(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, rebinding_example=[["127.0.0.1"], ["169.254.169.254"]])
    url = f"http://rebinding.example:{server.port}/"
    with pytest.raises(AddressRefused):
        get(url, url)


def test_the_next_address_is_tried(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, two_example=[["127.0.0.2", "127.0.0.1"]])
    assert get(f"http://two.example:{server.port}/") == ["here"]


def test_all_addresses_silent(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, two_example=[["127.0.0.2", "127.0.0.3"]])
    with pytest.raises(httpx.ConnectError):
        get(f"http://two.example:{server.port}/")


def test_proxies_of_the_environment_are_not_used(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:1")
    monkeypatch.delenv("NO_PROXY", raising=False)
    assert get(f"{server.url}/") == ["here"]


@pytest.mark.parametrize(
    ("value", "allowed"),
    [(True, True), ("true", True), (" True ", True), (False, False), ("false", False), (1, False), (None, False)],
)
def test_the_profile_allows(value: Any, allowed: bool) -> None:
    assert link_local_allowed({"ALLOW_LINK_LOCAL": value}) is allowed
    assert not link_local_allowed({})


def test_an_allowed_address_is_asked(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    # The name is refused before it is looked up; where the profile allows it, it is looked up like any other.
    Names(monkeypatch, metadata_google_internal=[["127.0.0.1"]])
    url = f"http://metadata.google.internal:{server.port}/"
    assert get(url, profile={"ALLOW_LINK_LOCAL": True}) == ["here"]
    with pytest.raises(AddressRefused):
        get(url)


@pytest.fixture
def tls(server: HttpServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[HttpServer]:
    """The server over TLS, with a certificate for secure.example alone that the client trusts."""
    files = tls_files(tmp_path, "secure.example")
    server.wrap(files.server_context())
    monkeypatch.setenv("SSL_CERT_FILE", str(files.certificate))
    module._certificates.cache_clear()
    yield server
    module._certificates.cache_clear()


def test_the_certificate_is_checked_for_the_name(tls: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    Names(monkeypatch, secure_example=[["127.0.0.1"]], other_example=[["127.0.0.1"]])
    secure, other = (f"https://{name}.example:{tls.port}/" for name in ("secure", "other"))
    assert get(secure, secure) == ["here", "here"]
    with pytest.raises(httpx.ConnectError, match=r"[Hh]ostname mismatch"):
        get(other)
    # A connection that is open to the same address was checked for another name.
    with pytest.raises(httpx.ConnectError, match=r"[Hh]ostname mismatch"):
        get(secure, other)


def test_another_certificate_is_refused(tls: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SSL_CERT_FILE")
    module._certificates.cache_clear()
    Names(monkeypatch, secure_example=[["127.0.0.1"]])
    with pytest.raises(httpx.ConnectError, match=r"self.signed certificate"):
        get(f"https://secure.example:{tls.port}/")


def test_an_ipv6_address() -> None:
    with http_server("::1") as server:
        server.on("/", Answer.text("here"))
        assert get(f"http://[::1]:{server.port}/") == ["here"]
        assert server.requests[0].headers["host"] == f"[::1]:{server.port}"
