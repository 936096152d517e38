from __future__ import annotations

import asyncio
import ipaddress
import socket
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.http.address import (
    AddressRefused,
    HostUnknown,
    callable_addresses,
    is_metadata_name,
    refusal,
)

METADATA = ipaddress.IPv4Address("169.254.169.254")


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "169.254.170.2",
        "fe80::1",
        "fe80::1%eth0",
        "febf::1",
        "::ffff:169.254.169.254",
        "::169.254.169.254",
        "::ffff:0:169.254.169.254",
        "64:ff9b::169.254.169.254",
        "64:ff9b:1::a9fe:a9fe",
        "2002:a9fe:a9fe::1",
        "2001:0:a9fe:a9fe::1",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "::ffff:100.100.100.200",
        "no address",
    ],
)
def test_refused(address: str) -> None:
    assert refusal(address)


@pytest.mark.parametrize(
    "address", ["127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.9", "fd12:3456::1", "8.8.8.8", "2606:4700::1"]
)
def test_allowed(address: str) -> None:
    assert refusal(address) == ""


@given(st.integers(0, 0xFFFF))
def test_every_wrapping_of_a_link_local_address_is_refused(low: int) -> None:
    inner = 0xA9FE0000 | low
    for network in ("::", "::ffff:0:0", "::ffff:0:0:0", "64:ff9b::"):
        assert refusal(str(ipaddress.IPv6Address(int(ipaddress.IPv6Address(network)) | inner)))
    assert refusal(str(ipaddress.IPv6Address((0x2002 << 112) | (inner << 80))))


@given(st.ip_addresses(v=4))
def test_an_address_is_judged_alike_in_ipv6(address: ipaddress.IPv4Address) -> None:
    assert bool(refusal(str(address))) == bool(refusal(f"::ffff:{address}"))


@pytest.mark.parametrize("host", ["metadata.google.internal", "Metadata.Google.Internal.", "metadata", "instance-data"])
def test_names_of_metadata_services(host: str) -> None:
    assert is_metadata_name(host)
    with pytest.raises(AddressRefused, match="metadata service"):
        asyncio.run(callable_addresses(host, 80))


def test_a_name_that_only_looks_like_one() -> None:
    assert not is_metadata_name("metadata.example.com")


@pytest.mark.parametrize("host", ["2852039166", "0xA9FEA9FE", "0251.0376.0251.0376", "169.254.43518", "169.16689662"])
def test_numbers_are_addresses(host: str) -> None:
    with pytest.raises(AddressRefused, match=r"169\.254\.169\.254"):
        asyncio.run(callable_addresses(host, 80))
    assert asyncio.run(callable_addresses(host, 80, allow_link_local=True)) == [str(METADATA)]


def test_the_machine_itself_is_allowed() -> None:
    assert "127.0.0.1" in asyncio.run(callable_addresses("localhost", 80))


@pytest.mark.parametrize("host", ["nobody.invalid", "a" * 300, "fe80::1%nothing", "bad host", "\0"])
def test_a_name_that_nobody_knows(host: str) -> None:
    with pytest.raises(HostUnknown):
        asyncio.run(callable_addresses(host, 80))


def test_one_refused_address_among_others_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    # No name server of the outside can be had in a test: this stands in for the system's.
    def names(host: str, port: int, *_: Any) -> list[Any]:
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (one, port)) for one in ("93.184.216.34", str(METADATA))]

    monkeypatch.setattr(socket, "getaddrinfo", names)
    with pytest.raises(AddressRefused, match=r"rebinding\.example \(169\.254\.169\.254\) is link-local"):
        asyncio.run(callable_addresses("rebinding.example", 80))
    assert len(asyncio.run(callable_addresses("rebinding.example", 80, allow_link_local=True))) == 2
