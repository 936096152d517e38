"""The HTTP client of the built-in nodes: httpx over connections whose addresses were checked.

    async with http_client(profile) as client:
        response = await client.send(client.build_request("GET", url), stream=True)

Proxies of the environment (HTTP_PROXY and the like) are not used: a proxy would look the name up itself, and
could be led to an address that the check refuses. The certificates of SSL_CERT_FILE and SSL_CERT_DIR are. No
redirect is followed unasked.
"""

from __future__ import annotations

import functools
import logging
import ssl
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, cast

from flowhub_assets.nodes.http.address import callable_addresses

if TYPE_CHECKING:
    from types import TracebackType

    import httpx

#: A profile in which this is true may call link-local and metadata addresses.
ALLOW_LINK_LOCAL = "ALLOW_LINK_LOCAL"

#: Seconds for a connection to one address; the whole exchange has a timeout of its own.
CONNECT_SECONDS = 10.0


def http_client(profile: Mapping[str, Any]) -> httpx.AsyncClient:
    """A client for one step of a run with ``profile``; what it raises beside httpx's own errors:

    AddressRefused and HostUnknown, both of nodes/http/address.py.
    """
    import httpx

    _keep_urls_out_of_logs()
    return httpx.AsyncClient(
        transport=cast("httpx.AsyncBaseTransport", CheckedTransport(link_local_allowed(profile))),
        timeout=httpx.Timeout(None, connect=CONNECT_SECONDS),
        follow_redirects=False,
        trust_env=False,
    )


def link_local_allowed(profile: Mapping[str, Any]) -> bool:
    """Whether the profile says ALLOW_LINK_LOCAL: true, as a boolean or as text."""
    value = profile.get(ALLOW_LINK_LOCAL, False)
    return value is True or (isinstance(value, str) and value.strip().lower() == "true")


class CheckedTransport:
    """A transport of httpx that connects to the very addresses that were checked, one after the other.

    The host's name still stands in the Host header, in TLS's server name and in the certificate's check.
    """

    def __init__(self, allow_link_local: bool) -> None:
        self._allow_link_local = allow_link_local
        # One for each name: a connection is kept by its address, and its certificate was checked for one name only.
        self._of_name: dict[str, httpx.AsyncHTTPTransport] = {}

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """The answer, its body unread."""
        import httpx

        host = request.url.host if request.url.host.isascii() else request.url.raw_host.decode("ascii")
        port = request.url.port or (443 if request.url.scheme == "https" else 80)
        addresses = await callable_addresses(host, port, self._allow_link_local)
        transport = self._of_name.get(host)
        if transport is None:
            transport = self._of_name[host] = httpx.AsyncHTTPTransport(verify=_certificates())
        for address in addresses[:-1]:
            try:
                return await transport.handle_async_request(_sent_to(request, address, host))
            except (httpx.ConnectError, httpx.ConnectTimeout):
                continue
        return await transport.handle_async_request(_sent_to(request, addresses[-1], host))

    async def aclose(self) -> None:
        """Closes every connection."""
        for transport in self._of_name.values():
            await transport.aclose()

    async def __aenter__(self) -> CheckedTransport:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()


def _sent_to(request: httpx.Request, address: str, name: str) -> httpx.Request:
    import httpx

    return httpx.Request(
        request.method,
        request.url.copy_with(host=address),
        headers=request.headers,
        stream=request.stream,
        extensions={**request.extensions, "sni_hostname": name},
    )


@functools.lru_cache(maxsize=1)
def _certificates() -> ssl.SSLContext:
    """Read once for a process: it takes as long as some twenty requests."""
    import httpx

    return httpx.create_ssl_context(trust_env=True)


@functools.lru_cache(maxsize=1)
def _keep_urls_out_of_logs() -> None:
    """httpx logs every URL with its query, in which APIs take keys; the nodes log their calls themselves."""
    logger = logging.getLogger("httpx")
    if logger.level == logging.NOTSET:
        logger.setLevel(logging.WARNING)
