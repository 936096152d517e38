"""A named HTTP service: its address and credentials, from the profile or the environment, never from the file.

For a connection ``weather`` these are read, each from the env profile (where ``{env: VARIABLE}`` names an
environment variable) or else from the environment variable of that name:

- WEATHER_URL, the address; a user name and password in it are sent as Basic authentication;
- WEATHER_TOKEN, sent as ``Authorization: Bearer``;
- WEATHER_API_KEY, sent in a header that the node names;
- WEATHER_USER and WEATHER_PASSWORD, sent as Basic authentication.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl, unquote, urlsplit, urlunsplit

from flowhub_assets.errors import ProfileError
from flowhub_assets.nodes.connections import connection_key, connection_url

#: A part of a path with digits among twenty letters or more; names of resources are shorter, or words.
_LIKE_A_KEY = re.compile(r"(?=.*\d)[\w.:~%-]{20,}")
_SHORTEST_IN_QUERY = 12


@dataclass(frozen=True)
class HttpConnection:
    """``url`` is without user name and password; ``headers`` and ``secrets`` are in no repr and no message."""

    name: str
    url: str
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    secrets: tuple[str, ...] = field(default=(), repr=False)

    def key(self, ending: str) -> str:
        """The name of one of its values, for messages: ``WEATHER_TOKEN``."""
        return credential_key(self.name, ending)


def http_connection(profile: Mapping[str, Any], name: str, api_key_header: str) -> HttpConnection:
    """The connection ``name``; its API key goes into ``api_key_header``, behind ``Bearer`` if that is Authorization.

    Raises ProfileError if it has no URL, one that is not http or https, or two kinds of Authorization.
    """
    address, userinfo = _address(connection_url(profile, name), connection_key(name))
    token, api_key = (credential(profile, credential_key(name, ending)) for ending in ("TOKEN", "API_KEY"))
    user, password = (credential(profile, credential_key(name, ending)) for ending in ("USER", "PASSWORD"))
    login = f"{user or ''}:{password or ''}" if user or password else userinfo
    written: list[tuple[str, str]] = []
    if token:
        written.append(("Authorization", f"Bearer {token}"))
    if api_key:
        bearer = api_key_header.lower() == "authorization"
        written.append((api_key_header, f"Bearer {api_key}" if bearer else api_key))
    if login:
        written.append(("Authorization", f"Basic {base64.b64encode(login.encode()).decode()}"))
    names = [header.lower() for header, _ in written]
    if len(set(names)) != len(names):
        raise ProfileError(
            f"connection {name!r} has more than one credential for the same header",
            effect="The server would see one of them only.",
            remedy=f"Keep one of {credential_key(name, 'TOKEN')}, {credential_key(name, 'API_KEY')} "
            f"and {credential_key(name, 'USER')} with {credential_key(name, 'PASSWORD')}.",
        )
    for header, value in written:
        _check_sendable(name, header, value)
    parts = [token, api_key, password, *login.split(":", 1)[1:], *(value.split()[-1] for _, value in written)]
    parts += _secrets_in(address)
    return HttpConnection(name, address, dict(written), tuple(dict.fromkeys(part for part in parts if part)))


def credential_key(name: str, ending: str) -> str:
    """The key of a profile, and the environment variable, with a value of connection ``name``: ``WEATHER_TOKEN``."""
    return f"{connection_key(name).removesuffix('_URL')}_{ending}"


def credential(profile: Mapping[str, Any], key: str) -> str:
    """The profile's value ``key``, else the environment's; '' if neither has one.

    Raises ProfileError for a reference to an environment variable that is not set.
    """
    given = profile.get(key)
    if isinstance(given, Mapping) and isinstance(given.get("env"), str):
        value = os.environ.get(given["env"], "").strip()
        if not value:
            raise ProfileError(
                f"{key} of the env profile is the environment variable {given['env']!r}, which is not set",
                effect="The server would refuse the request.",
                remedy=f"Set it where the run's process starts, or take {key} out of the profile.",
            )
        return value
    if given is None:
        return os.environ.get(key, "").strip()
    return str(given).strip()


def _address(url: str, key: str) -> tuple[str, str]:
    """The URL without its user name and password, and these as ``user:password``."""
    try:
        parts = urlsplit(url)
        usable = parts.scheme.lower() in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ProfileError(
            f"{key} is not an http or https address",
            effect="Nothing can be asked there.",
            remedy=f"Give {key} the form 'https://host/path'.",
        )
    userinfo, _, host = parts.netloc.rpartition("@")
    return urlunsplit(parts._replace(netloc=host, fragment="")), unquote(userinfo)


def _secrets_in(address: str) -> list[str]:
    """What may be a credential in an address: a chat service's webhook has its key in the path, others in the query."""
    parts = urlsplit(address)
    keys = [segment for segment in parts.path.split("/") if _LIKE_A_KEY.fullmatch(segment)]
    return [*keys, *(value for _, value in parse_qsl(parts.query) if len(value) >= _SHORTEST_IN_QUERY)]


def _check_sendable(name: str, header: str, value: str) -> None:
    # The value is a credential: it is not shown.
    if not value.isascii() or not value.isprintable():
        raise ProfileError(
            f"the credential of connection {name!r} for the header {header} holds characters that no header may have",
            effect="The server would refuse the request.",
            remedy="Look for a line break or a letter outside ASCII in it.",
        )
