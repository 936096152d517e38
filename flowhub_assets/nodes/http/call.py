"""One HTTP exchange, and its failures told in one way whatever went wrong."""

from __future__ import annotations

import asyncio
import contextlib
import email.utils
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from flowhub_assets.nodes.http.address import AddressRefused, HostUnknown
from flowhub_assets.nodes.http.body import BodyTooLarge, BodyUnreadable, body_start
from flowhub_assets.nodes.http.client import ALLOW_LINK_LOCAL
from flowhub_assets.nodes.sdk import NodeError
from flowhub_assets.runtime.secret_values import mask_secrets

if TYPE_CHECKING:
    import httpx

#: Statuses after which another try may end better.
PASSING_STATUSES = frozenset([408, 425, 429, 500, 502, 503, 504])
#: Of these the ones which say that the request was not worked on.
_NOT_WORKED_ON = frozenset([425, 429, 503])

_MOST_QUOTED = 300


class HttpFailed(NodeError):
    """An HTTP call without a usable answer; ``status`` is None where there was no answer at all.

    ``worked_on`` is whether the server may have acted on the request, ``pause`` how many seconds it asks to wait.
    """

    def __init__(
        self,
        what: str,
        *,
        remedy: str = "",
        retry: bool = True,
        status: int | None = None,
        worked_on: bool = True,
        pause: float | None = None,
    ) -> None:
        super().__init__(what, remedy=remedy, retry=retry)
        self.status = status
        self.worked_on = worked_on
        self.pause = pause


@dataclass(frozen=True)
class Told:
    """How messages name a call: ``GET https://host/path``, without user name and query; ``secrets`` are masked."""

    call: str
    secrets: tuple[str, ...] = ()

    @classmethod
    def of(cls, method: str, url: httpx.URL, secrets: tuple[str, ...] = ()) -> Told:
        """That of a request."""
        return cls(cls("", secrets).clean(f"{method} {bare(url)}"), secrets)

    def clean(self, text: str) -> str:
        """``text`` on one line, without the secrets."""
        hidden = {f"{index}_TOKEN": secret for index, secret in enumerate(self.secrets)}
        return mask_secrets(" ".join(text.split()), hidden)

    def quoted(self, data: bytes) -> str:
        """The beginning of a body, for a message."""
        text = self.clean("".join(c if c.isprintable() else " " for c in data.decode("utf-8", "replace")))
        return f"{text[:_MOST_QUOTED]}…" if len(text) > _MOST_QUOTED else text


def bare(url: httpx.URL) -> str:
    """The URL without user name, password, query and fragment, in which credentials may stand."""
    return str(url.copy_with(userinfo=b"", query=None, fragment=None))


@contextlib.asynccontextmanager
async def within(seconds: float, told: Told) -> AsyncIterator[None]:
    """Stops the block after ``seconds`` and raises HttpFailed."""
    limit = asyncio.timeout(seconds)
    try:
        async with limit:
            yield
    except TimeoutError:
        if not limit.expired():
            raise
        raise HttpFailed(
            f"{told.call} did not end within {seconds:g} s",
            remedy="Raise the node's config.timeout if the server may take longer.",
        ) from None


@contextlib.asynccontextmanager
async def answer(client: httpx.AsyncClient, request: httpx.Request, told: Told) -> AsyncIterator[httpx.Response]:
    """The answer to ``request``, its body unread; it is closed when the block ends.

    Whatever goes wrong with the connection, in the block too, is raised as HttpFailed.
    """
    import httpx

    try:
        response = await client.send(request, stream=True)
        try:
            yield response
        finally:
            await response.aclose()
    except (AddressRefused, HostUnknown) as error:
        raise _unreachable(error, told) from None
    except (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout) as error:
        reason = told.clean(str(error)) or "no connection in time"
        remedy = "Does the server run, and can this machine reach it?"
        if "certificate" in reason.lower() or "ssl" in reason.lower():
            remedy = "Is the address right? SSL_CERT_FILE names a file of further certificates to trust."
        raise HttpFailed(f"{told.call} reaches no server: {reason}", remedy=remedy, worked_on=False) from None
    except (BodyTooLarge, BodyUnreadable) as error:
        cut = isinstance(error, BodyUnreadable) and error.cut
        raise HttpFailed(f"{told.call}: {error}", remedy=_body_remedy(error), retry=cut) from None
    except httpx.LocalProtocolError as error:
        raise HttpFailed(f"{told.call} cannot be sent: {told.clean(str(error))}", retry=False) from None
    except httpx.HTTPError as error:
        reason = told.clean(str(error)) or type(error).__name__
        raise HttpFailed(f"{told.call}: the connection broke: {reason}", remedy="See the server's log.") from None


def _unreachable(error: AddressRefused | HostUnknown, told: Told) -> HttpFailed:
    if isinstance(error, HostUnknown):
        return HttpFailed(
            f"{told.call}: {error}", remedy="Is the name spelt right, and known to this machine?", worked_on=False
        )
    return HttpFailed(
        f"{told.call} is refused: {error}",
        remedy=f"Such addresses answer with a machine's credentials. Where that is meant, give the env profile "
        f"{ALLOW_LINK_LOCAL}: true.",
        retry=False,
        worked_on=False,
    )


def _body_remedy(error: BodyTooLarge | BodyUnreadable) -> str:
    if isinstance(error, BodyTooLarge):
        return "Raise config.maxBytes, or store the answer: config.expect: file."
    if error.cut:
        return "See the server's log."
    return "Ask for gzip only, or for no compression: headers: {Accept-Encoding: identity}."


async def refused(response: httpx.Response, told: Told, remedy: str) -> HttpFailed:
    """The error for an answer whose status is one: with the status and the beginning of the body."""
    said = told.quoted(await body_start(response))
    status = response.status_code
    named = f"{status} {response.reason_phrase}".strip()
    return HttpFailed(
        f"{told.call} answered {named}{f': {said}' if said else ''}",
        remedy=remedy,
        retry=status in PASSING_STATUSES or status >= 500,
        status=status,
        worked_on=status not in _NOT_WORKED_ON,
        pause=asked_pause(response.headers.get("retry-after")),
    )


def asked_pause(retry_after: str | None, now: float | None = None) -> float | None:
    """The seconds that a Retry-After header asks to wait, as a number or as a date (RFC 9110, 10.2.3)."""
    text = (retry_after or "").strip()
    if text.isascii() and text.isdecimal():
        return float(text[:9])
    if not text:
        return None
    try:
        date = email.utils.parsedate_to_datetime(text)
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return max(0.0, date.timestamp() - (time.time() if now is None else now))
