"""The password of a connection's URL: whether there is one, and how it stays out of what drivers and servers say."""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import unquote

from flowhub_assets.runtime.secret_values import mask_secrets

#: user:password@, and not a port and what follows it: http://host:8000/users/@me.
_BEFORE_HOST = re.compile(r"[^/:@]*:(?!\d+/)[^?]+@")


def holds_password(text: str) -> bool:
    """Whether ``text`` is a URL with a password in it, before its host or as ``?password=``."""
    address, _, query = text.partition("://")[2].partition("?")
    return _BEFORE_HOST.match(address) is not None or any(_in_query(query))


def without_password(text: str, url: str) -> str:
    """``text`` with *** for the password of ``url``, as it is written there and as it is sent.

    Passwords in the URL's query, ``?password=`` and ``?sslpassword=``, count too.
    """
    return mask_secrets(text, {"PASSWORD": [spelling for one in _passwords(url) for spelling in (one, unquote(one))]})


def _passwords(url: str) -> Iterator[str]:
    address, _, query = url.partition("://")[2].partition("?")
    # Up to the last @: a password that should have been percent-encoded may hold one, or a slash.
    yield address.rpartition("@")[0].partition(":")[2]
    yield from _in_query(query)


def _in_query(query: str) -> Iterator[str]:
    for setting in query.split("&"):
        name, _, value = setting.partition("=")
        if name.lower().endswith("password"):
            yield value
