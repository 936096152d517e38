"""Who asks, and what they may do: tokens and roles, alike over HTTP and gRPC.

A server that listens on loopback alone is open to this machine's own users, unless it is told to ask for tokens. One
that listens elsewhere always asks, and does not start while there is no token.
"""

from __future__ import annotations

import ipaddress
import threading
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowhub_assets.errors import InputError, NotAllowed, NotAuthenticated
from flowhub_assets.store import tokens
from flowhub_assets.store.database import Database

if TYPE_CHECKING:
    from flowhub_assets.server.backend import Backend

#: Each may do what those before it may: look; start and cancel runs; write pipelines; manage tokens.
ROLES = ("viewer", "runner", "editor", "admin")
#: A token that was revoked opens nothing after so many seconds.
_KEPT_SECONDS = 5.0


@dataclass(frozen=True)
class Caller:
    """Who asks: a token's name, or ``local``; ``peer`` is the address that the request came from."""

    name: str
    role: str
    peer: str = ""

    def may(self, role: str) -> bool:
        """Whether the caller has at least this role."""
        return ROLES.index(self.role) >= ROLES.index(role)

    def require(self, role: str, what: str) -> None:
        """Raises NotAllowed unless the caller has at least this role; ``what`` is what was asked for."""
        if not self.may(role):
            raise NotAllowed(
                f"{self.name} is a {self.role} and may not {what}",
                effect="Nothing was done.",
                remedy=f"Take a token of a {role}: flowhub token create NAME --role {role}.",
            )


class Doorkeeper:
    """Knows the tokens; looks them up again every few seconds. ``is_open``: this machine's users need none."""

    def __init__(self, database: Database, *, is_open: bool) -> None:
        self.is_open = is_open
        self._database = database
        self._lock = threading.Lock()
        self._known: dict[str, tokens.Token] = {}
        self._looked = float("-inf")

    def caller(self, token: str | None, peer: str, *, is_forwarded: bool = False) -> Caller:
        """Who asks from ``peer``, an address. Raises NotAuthenticated, Unavailable.

        What a proxy has forwarded comes from anywhere, also where the proxy is on this machine.
        """
        if token is None:
            if self.is_open and is_loopback(peer) and not is_forwarded:
                return Caller("local", "admin", peer)
            raise _unknown("no token was sent")
        found = self._tokens().get(tokens.digest_of(token))
        if found is None or not found.is_good(time.time()):
            raise _unknown("the token is not known, or does not hold any more")
        return Caller(found.name, found.role, peer)

    def _tokens(self) -> dict[str, tokens.Token]:
        with self._lock:
            if time.monotonic() - self._looked > _KEPT_SECONDS:
                with self._database.read() as connection:
                    self._known = {token.digest: token for token in tokens.all_tokens(connection)}
                self._looked = time.monotonic()
            return self._known


def authenticate(backend: Backend, token: str | None, peer: str, *, is_forwarded: bool = False) -> Caller:
    """Who asks; ``token`` is what stood behind ``Bearer``. Raises NotAuthenticated, Unavailable."""
    return backend.doorkeeper.caller(token, peer, is_forwarded=is_forwarded)


def bearer(header: str | None) -> str | None:
    """The token in an Authorization header, None if there is no header. Raises NotAuthenticated for another scheme."""
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise _unknown("the Authorization header has no bearer token")
    return token.strip()


def is_loopback(host: str) -> bool:
    """Whether an address, or the name localhost, is this machine's own."""
    if host == "localhost":
        return True
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def require_token_to_listen(database: Database, host: str) -> None:
    """Raises InputError for a server that would listen to others while nobody has a token."""
    if is_loopback(host):
        return
    now = time.time()
    with database.read() as connection:
        if any(token.is_good(now) for token in tokens.all_tokens(connection)):
            return
    raise InputError(
        f"there is no token, and {host} can be reached from other machines",
        effect="The server does not start.",
        remedy="Make one first: flowhub token create NAME --role admin. Or listen on 127.0.0.1.",
    )


def _unknown(what: str) -> NotAuthenticated:
    return NotAuthenticated(
        what,
        effect="Nothing was done.",
        remedy="Send Authorization: Bearer TOKEN; flowhub token create makes one.",
    )
