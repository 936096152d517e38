"""Who has sent a delivery: the signatures that senders use, over the raw bytes, compared in constant time.

| preset | headers | signed | delivery id |
|---|---|---|---|
| standard-webhooks | webhook-id, -timestamp, -signature: v1,BASE64 … | ``id.timestamp.body`` | webhook-id |
| github | X-Hub-Signature-256: sha256=HEX | the body | X-GitHub-Delivery |
| stripe | Stripe-Signature: t=SECONDS,v1=HEX,… | ``t.body`` | ``id`` in the body |
| minio | Authorization: Bearer KEY | nothing: the key itself is sent | the body's SHA-256 |
| mlflow | X-MLflow-Delivery-Id, -Timestamp, -Signature: v1,BASE64 | ``id.timestamp.body`` | X-MLflow-Delivery-Id |

Sources: standardwebhooks.com (spec/standard-webhooks.md), GitHub's "Validating webhook deliveries", Stripe's "Resolve
webhook signature verification errors", MinIO's internal/event/target/webhook.go, MLflow's mlflow/webhooks/delivery.py.
Whatever is missing, there twice or not as written here is refused.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from flowhub_assets.errors import NotAuthenticated

#: What a sender may not know: why its delivery is refused, beyond this.
_REFUSAL = "the delivery is not signed as this hook asks for"
_SECONDS = re.compile(rb"[0-9]{1,12}")


@dataclass(frozen=True)
class Request:
    """A request as it came: ``headers`` in their order with names in small letters, all of it bytes."""

    headers: Sequence[tuple[bytes, bytes]]
    body: bytes

    def only(self, name: bytes) -> bytes:
        """The header of that name. Raises Refused if it is not there exactly once, or empty."""
        found = [value.strip() for header, value in self.headers if header == name]
        if len(found) != 1 or not found[0]:
            raise Refused(f"{len(found)} headers {name.decode()}")
        return found[0]

    def has(self, name: bytes) -> bool:
        """Whether there is a header of that name."""
        return any(header == name for header, _ in self.headers)


class Refused(Exception):
    """Why a signature does not hold, for the server's own log; no value of the request is in it."""


@dataclass(frozen=True)
class Proof:
    """A signature that may hold: ``signed`` with any of the keys gives one of ``given``.

    ``timestamp``, seconds since 1970, is part of what is signed. ``delivery`` gives what tells deliveries apart.
    """

    signed: bytes
    given: Sequence[bytes]
    encode: Callable[[bytes], bytes]
    delivery: Callable[[], str]
    timestamp: int | None = None


def verify(
    preset: str, request: Request, keys: Sequence[str], now: float, tolerance: float, header: str | None = None
) -> str:
    """The id of the delivery, of at most 100 characters.

    ``keys`` are all that may sign. Raises NotAuthenticated; ``__cause__`` says to the server's people why.
    """
    try:
        if preset == "minio":
            return _bearer(request, keys)
        proof = _PRESETS[preset](request, (header or "stripe-signature").lower().encode())
        ring = [_KEYS.get(preset, str.encode)(key) for key in keys]
        _require(_any_equal([proof.encode(_mac(key, proof.signed)) for key in ring], proof.given), "no key fits")
    except Refused as why:
        raise NotAuthenticated(_REFUSAL, effect="Nothing was started.") from why
    if proof.timestamp is not None and not abs(now - proof.timestamp) <= tolerance:
        raise NotAuthenticated(
            f"the delivery's timestamp is more than {tolerance:g} seconds away from this server's clock",
            effect="Nothing was started.",
            remedy="Send it again, signed now; if clocks differ, set them.",
        )
    return proof.delivery()


def bounded_id(text: bytes) -> str:
    """An id that a database can keep, made of one that somebody sent."""
    if len(text) <= 100 and re.fullmatch(rb"[!-~]+", text):
        return text.decode()
    return _digest(text)


def _digest(text: bytes) -> str:
    return f"sha256:{hashlib.sha256(text).hexdigest()}"


def usable_keys(preset: str, keys: Iterable[str]) -> list[str]:
    """Those of the keys with which something can be signed."""
    usable = []
    for key in keys:
        try:
            if _KEYS.get(preset, str.encode)(key):
                usable.append(key)
        except Refused:
            continue
    return usable


def _standard(request: Request, _header: bytes) -> Proof:
    number, stamp = request.only(b"webhook-id"), request.only(b"webhook-timestamp")
    return _of_id_and_time(request.body, number, stamp, request.only(b"webhook-signature").split(b" "))


def _mlflow(request: Request, _header: bytes) -> Proof:
    number, stamp = request.only(b"x-mlflow-delivery-id"), request.only(b"x-mlflow-timestamp")
    return _of_id_and_time(request.body, number, stamp, [request.only(b"x-mlflow-signature")])


def _of_id_and_time(body: bytes, number: bytes, stamp: bytes, signatures: Sequence[bytes]) -> Proof:
    # With a dot in the id, the same signed bytes could be cut into another id, time and body.
    _require(b"." not in number, "the id has a dot")
    given = [one[3:] for one in signatures if one.startswith(b"v1,")]
    signed = b".".join((number, stamp, body))
    return Proof(signed, given, base64.b64encode, lambda: bounded_id(number), _timestamp(stamp))


def _github(request: Request, _header: bytes) -> Proof:
    given = request.only(b"x-hub-signature-256")
    _require(given.startswith(b"sha256="), "the signature is of no kind that is known")
    number = request.only(b"x-github-delivery") if request.has(b"x-github-delivery") else None
    delivery = _digest(given) if number is None else bounded_id(number)
    return Proof(request.body, [given[7:]], binascii.hexlify, lambda: delivery)


def _stripe(request: Request, header: bytes) -> Proof:
    written = request.only(header)
    parts = [tuple(part.split(b"=", 1)) for part in written.split(b",")]
    stamps = [part[1] for part in parts if len(part) == 2 and part[0] == b"t"]
    given = [part[1] for part in parts if len(part) == 2 and part[0] == b"v1"]
    _require(len(stamps) == 1, f"{len(stamps)} timestamps")

    def delivery() -> str:
        # Without an id of its own it is known by its signature, which no other one has.
        number = _id_in(request.body)
        return bounded_id(number) if number else _digest(written)

    return Proof(b".".join((stamps[0], request.body)), given, binascii.hexlify, delivery, _timestamp(stamps[0]))


def _bearer(request: Request, keys: Sequence[str]) -> str:
    given = request.only(b"authorization")
    # MinIO writes a word alone behind Bearer, and two words as they are.
    forms = [form for key in keys for form in (key.encode(), b"Bearer " + key.encode())]
    _require(_any_equal(forms, [given]), "no key fits")
    return _digest(request.body)


_PRESETS: Mapping[str, Callable[[Request, bytes], Proof]] = {
    "standard-webhooks": _standard,
    "github": _github,
    "stripe": _stripe,
    "mlflow": _mlflow,
}


def _standard_key(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        raise Refused("a key is not base64") from None


#: How a key is written, where it is not the text itself.
_KEYS: Mapping[str, Callable[[str], bytes]] = {"standard-webhooks": _standard_key}


def _mac(key: bytes, signed: bytes) -> bytes:
    return hmac.new(key, signed, hashlib.sha256).digest()


def _any_equal(wanted: Sequence[bytes], given: Sequence[bytes]) -> bool:
    """All are compared, whichever fits. The texts are: several base64 texts can mean the same bytes."""
    return sum(hmac.compare_digest(one, other) for one in wanted for other in given) > 0


def _timestamp(text: bytes) -> int:
    _require(_SECONDS.fullmatch(text) is not None, "the timestamp is no number of seconds")
    return int(text)


def _id_in(body: bytes) -> bytes:
    try:
        found: Any = json.loads(body)
    except (ValueError, RecursionError):
        return b""
    number = found.get("id") if isinstance(found, dict) else None
    return number.encode(errors="replace") if isinstance(number, str) else b""


def _require(holds: bool, otherwise: str) -> None:
    if not holds:
        raise Refused(otherwise)
