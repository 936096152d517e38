"""API tokens. A token is shown once, when it is made; the database holds its SHA-256 alone.

It has 256 random bits, so that a fast hash suffices: there is nothing to guess, as there is with a password.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass

from sqlalchemy import Connection, insert, select, update

from flowhub_assets.errors import Conflict, InputError, NotFound
from flowhub_assets.store.tables import tokens

#: In front of each token, so that those who look for leaked secrets find it.
PREFIX = "flowhub_"
#: The name of the token that a deployment brings.
FIRST = "first"
_SHORTEST = 32


@dataclass(frozen=True)
class Token:
    """What is known of a token; times are seconds since 1970, ``expires`` None if it never does."""

    name: str
    role: str
    digest: str
    made: float
    expires: float | None
    revoked: bool

    def is_good(self, now: float) -> bool:
        """Whether it opens anything at ``now``."""
        return not self.revoked and (self.expires is None or now < self.expires)


def digest_of(token: str) -> str:
    """The SHA-256 of a token, in hex."""
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def create(connection: Connection, name: str, role: str, now: float, expires: float | None = None) -> str:
    """Makes a token and returns it. Raises Conflict if there is one of that name that still holds."""
    known = connection.execute(select(tokens).where(tokens.c.name == name)).one_or_none()
    if known is not None and Token(*known).is_good(now):
        raise Conflict(
            f"there is a token {name!r} already",
            effect="None was made.",
            remedy=f"Take another name, or end it first: flowhub token revoke {name}.",
        )
    token = PREFIX + secrets.token_urlsafe(32)
    values = {"role": role, "digest": digest_of(token), "made": now, "expires": expires, "revoked": False}
    if known is None:
        connection.execute(insert(tokens).values(name=name, **values))
    else:
        connection.execute(update(tokens).where(tokens.c.name == name).values(**values))
    return token


def keep_first(connection: Connection, token: str, now: float) -> None:
    """Keeps a token that was made elsewhere, by the deployment's own secrets say, as the admin named ``first``.

    Raises InputError for one that could be guessed.
    """
    if len(token) < _SHORTEST:
        raise InputError(
            f"the first token has {len(token)} characters",
            where="FLOWHUB_FIRST_TOKEN",
            effect="The server does not start.",
            remedy="Take 32 random ones at least: openssl rand -base64 32.",
        )
    values = {"role": "admin", "digest": digest_of(token), "made": now, "expires": None, "revoked": False}
    if connection.execute(update(tokens).where(tokens.c.name == FIRST).values(**values)).rowcount == 0:
        connection.execute(insert(tokens).values(name=FIRST, **values))


def revoke(connection: Connection, name: str) -> None:
    """Ends a token. Raises NotFound."""
    if connection.execute(update(tokens).where(tokens.c.name == name).values(revoked=True)).rowcount == 0:
        raise NotFound(f"there is no token {name!r}", effect="None was ended.", remedy="flowhub token list shows them.")


def all_tokens(connection: Connection) -> list[Token]:
    """Every token, by name."""
    return [Token(*row) for row in connection.execute(select(tokens).order_by(tokens.c.name))]
