"""Which network addresses a pipeline may call: not those where a cloud hands out its machine's credentials.

Refused are link-local addresses (RFC 3927, RFC 4291) and the fixed addresses at which clouds answer with
metadata and credentials, whatever form they are written in: a name, a decimal or hexadecimal number, an IPv4
address inside an IPv6 one. Loopback and private addresses are allowed: pipelines call services of their own
machine and their own cluster (a model server, an internal API), and which of those they may reach is for the
network's policies to say. A link-local address belongs to the machine alone and no policy of a cluster's
network covers it, so a URL from a webhook's body could otherwise read the node's credentials.
"""

from __future__ import annotations

import ipaddress
import socket
from collections.abc import Iterator

from flowhub_assets.nodes.daemon_call import in_daemon_thread

Address = ipaddress.IPv4Address | ipaddress.IPv6Address

#: Metadata services outside the link-local networks.
_METADATA = {
    ipaddress.ip_address("100.100.100.200"): "Alibaba Cloud",
    ipaddress.ip_address("168.63.129.16"): "Azure",
    ipaddress.ip_address("192.0.0.192"): "Oracle Cloud",
    ipaddress.ip_address("fd00:ec2::23"): "EKS",
    ipaddress.ip_address("fd00:ec2::254"): "EC2",
    ipaddress.ip_address("fd20:ce::254"): "Google Cloud",
    ipaddress.ip_address("fd00:42::42"): "Scaleway",
}

#: Names of metadata services, refused even where they do not lead to one: what runs there today may be in a cloud
#: tomorrow.
_METADATA_NAMES = frozenset(
    ["metadata", "metadata.google.internal", "metadata.goog", "instance-data", "instance-data.ec2.internal"]
)

#: IPv6 networks whose last 32 bits are an IPv4 address (RFC 4291, 6052, 8215, 2765).
_IPV4_AT_THE_END = tuple(
    ipaddress.IPv6Network(network)
    for network in ("::/96", "::ffff:0:0/96", "::ffff:0:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48")
)


class AddressRefused(Exception):
    """A host that may not be called; the text says which and why."""


class HostUnknown(Exception):
    """A host that no name server knows; the text says so."""


def refusal(address: str) -> str:
    """Why ``address`` (an IP address as text) may not be called, for example ``link-local``; '' if it may."""
    try:
        parsed = ipaddress.ip_address(address)
    except ValueError:
        return "not an IP address"
    for one in _meant_by(parsed):
        if one in _METADATA:
            return f"the metadata service of {_METADATA[one]}"
        if one.is_link_local:
            return "link-local, where clouds keep their metadata service"
    return ""


def is_metadata_name(host: str) -> bool:
    """Whether a host name is that of a cloud's metadata service."""
    return host.rstrip(".").lower() in _METADATA_NAMES


async def callable_addresses(host: str, port: int, allow_link_local: bool = False) -> list[str]:
    """The IP addresses of ``host``, in the order in which to try them; to connect to anything else is not safe.

    The caller connects to one of these and does not ask for the name again: a second answer may differ from the
    one that was checked (DNS rebinding). Raises AddressRefused if any of them is refused and HostUnknown.
    """
    if is_metadata_name(host) and not allow_link_local:
        raise AddressRefused(f"{host} is the name of a cloud's metadata service")
    try:
        # The system's own reading of a name also takes 0xA9FEA9FE and 2852039166 for addresses.
        found = await in_daemon_thread(socket.getaddrinfo, host, port, 0, socket.SOCK_STREAM)
    except (OSError, UnicodeError, ValueError) as error:
        raise HostUnknown(f"no name server knows {host}: {getattr(error, 'strerror', None) or error}") from None
    addresses = list(dict.fromkeys(str(entry[4][0]) for entry in found))
    if not allow_link_local:
        for address in addresses:
            why = refusal(address)
            if why:
                named = address if address == host else f"{host} ({address})"
                raise AddressRefused(f"{named} is {why}")
    return addresses


def _meant_by(address: Address) -> Iterator[Address]:
    """The address and every IPv4 address that it may be a wrapping of."""
    yield address
    if isinstance(address, ipaddress.IPv4Address):
        return
    # A zone (fe80::1%eth0) takes part in comparisons.
    whole = int(address)
    yield ipaddress.IPv6Address(whole)
    if any(ipaddress.IPv6Address(whole) in network for network in _IPV4_AT_THE_END):
        yield ipaddress.IPv4Address(whole & 0xFFFFFFFF)
    if address.sixtofour is not None:
        yield address.sixtofour
    if address.teredo is not None:
        yield from address.teredo
