"""Where a request goes: the URL of a node, alone or within a connection, and where a redirect leads from there."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NoReturn
from urllib.parse import unquote

from flowhub_assets.nodes.http.connection import HttpConnection
from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.nodes.validation import Unfit

if TYPE_CHECKING:
    import httpx

_WITH_CREDENTIALS = re.compile(r"\s*[A-Za-z][\w+.-]*://[^/?#]*@")
_CONNECT = "give the profile a connection, NAME_URL with NAME_USER and NAME_PASSWORD, and name it: connection: name"

#: What goes on to another origin: nothing that a node or a connection may have put a credential into.
_FOR_EVERYONE = frozenset(
    [
        *("accept", "accept-encoding", "accept-language", "user-agent", "host", "cookie"),
        *("content-length", "content-type", "transfer-encoding"),
    ]
)


def without_credentials(url: str) -> str:
    """``url`` as it is written in a pipeline. Raises Unfit for one that holds a user name or password."""
    if _WITH_CREDENTIALS.match(url):
        raise Unfit("must hold no user name or password", f"{_CONNECT[0].upper()}{_CONNECT[1:]}.")
    return url


def target(url: str, connection: HttpConnection | None) -> httpx.URL:
    """The URL to ask. With a connection, ``url`` is a path below its address, or a URL below it in full.

    Raises NodeError for one that leads anywhere else (the connection's credentials would go there), that is not
    http or https, or that holds a user name or password.
    """
    import httpx

    try:
        parsed = httpx.URL(url)
        base = httpx.URL(connection.url) if connection else None
    except (httpx.InvalidURL, TypeError, ValueError) as error:
        _refuse(f"the url {_shown(url)} is no URL: {error}", "write it as https://host/path")
    if parsed.userinfo:
        _refuse(f"the url {_shown(url)} holds a user name or password", _CONNECT)
    if base is None:
        return _web(parsed, url)
    if not parsed.scheme and not parsed.host:
        parsed = _below(base, url)
    _check_below(base, parsed, url)
    return parsed


def follow(previous: httpx.URL, request: httpx.Request, told: str) -> httpx.Request:
    """``request``, to which a redirect from ``previous`` leads, as it may be sent.

    On another origin it has no header that may hold a credential, and none comes back later on the way. Raises
    NodeError if it leads away from http and https.
    """
    if request.url.scheme not in ("http", "https") or not request.url.host:
        _refuse(f"{told} redirects to an address of {request.url.scheme}:", "only http and https are followed")
    if not same_origin(previous, request.url):
        for name in list(request.headers):
            # A cookie is the client's own, of that very host: httpx takes off every other one.
            if name.lower() not in _FOR_EVERYONE:
                del request.headers[name]
    return request


def same_origin(one: httpx.URL, other: httpx.URL) -> bool:
    """Whether scheme, host and port are the same; a step from http up to https on one host counts as the same."""
    if one.host != other.host:
        return False
    if (one.scheme, _port(one)) == (other.scheme, _port(other)):
        return True
    return (one.scheme, _port(one), other.scheme, _port(other)) == ("http", 80, "https", 443)


def _port(url: httpx.URL) -> int:
    return url.port or (443 if url.scheme == "https" else 80)


def _web(url: httpx.URL, written: str) -> httpx.URL:
    if url.scheme not in ("http", "https") or not url.host:
        remedy = "write it in full, as https://host/path, or name a connection, to which it is a path"
        _refuse(f"the url {_shown(written)} is not an http or https address", remedy)
    return url


def _below(base: httpx.URL, path: str) -> httpx.URL:
    """``path``, which may have a query, below the address; a query of the address stays."""
    import httpx

    asked = httpx.URL("http://base/" + path.lstrip("/"))
    start = base.raw_path.partition(b"?")[0].rstrip(b"/")
    below = b"" if path.strip("/")[:1] in ("", "?", "#") else asked.raw_path.partition(b"?")[0]
    query = b"&".join(part for part in (base.query, asked.query) if part)
    return base.copy_with(raw_path=(start + below or b"/") + (b"?" + query if query else b""))


def _check_below(base: httpx.URL, url: httpx.URL, written: str) -> None:
    start = base.path.rstrip("/")
    inside = url.path == start or url.path.startswith(start + "/")
    if not same_origin(base, url) or not inside or ".." in unquote(written).replace("\\", "/").split("/"):
        _refuse(
            f"the url {_shown(written)} leads out of its connection",
            "write a path below the connection's address, or leave the connection out",
        )


def _shown(url: str) -> str:
    """The URL for a message: no query, no user name."""
    head = url.partition("?")[0].partition("#")[0]
    scheme, mark, rest = head.partition("://")
    bare = scheme + mark + rest.rpartition("@")[2] if mark else head
    return repr(bare if len(bare) <= 200 else bare[:200] + "…")


def _refuse(what: str, remedy: str) -> NoReturn:
    raise NodeError(what, remedy=remedy, retry=False)
