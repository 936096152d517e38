"""Who asks, and what they may do: tokens, roles. Nobody needs a token on loopback in dev mode."""

from __future__ import annotations

from dataclasses import dataclass

from flowhub_assets.errors import NotAllowed

#: Each may do what those before it may.
ROLES = ("viewer", "runner", "editor", "admin")


@dataclass(frozen=True)
class Caller:
    """Who asks: a token's name, or ``local``; ``peer`` is the address that the request came from."""

    name: str
    role: str
    peer: str = ""

    def require(self, role: str, what: str) -> None:
        """Raises NotAllowed unless the caller has at least this role; ``what`` is what was asked for."""
        if ROLES.index(self.role) < ROLES.index(role):
            raise NotAllowed(
                f"{self.name} is a {self.role} and may not {what}",
                effect="Nothing was done.",
                remedy=f"Take a token of a {role}: flowhub token create NAME --role {role}.",
            )
