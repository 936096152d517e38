"""AWS Signature Version 4, as S3 wants it: "Authenticating Requests" in the S3 API reference."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, urlsplit

_ALGORITHM = "AWS4-HMAC-SHA256"
#: The digest that stands for a body which is not signed: that of whoever is given a URL.
_UNSIGNED = "UNSIGNED-PAYLOAD"


@dataclass(frozen=True)
class Credentials:
    """A key pair, with the token of a session where it has one. ``expires`` is a time.time(), 0 for never."""

    access_key: str
    secret_key: str = field(repr=False)
    token: str = field(default="", repr=False)
    expires: float = 0.0


def quoted(text: str) -> str:
    """Every byte but the unreserved letters of RFC 3986 as %XX: one segment of a path, a name or value of a query."""
    return quote(text, safe="-_.~")


def quoted_key(key: str) -> str:
    """A key as the path of a URL: ``/`` stays."""
    return quote(key, safe="/-_.~")


def query_of(pairs: Iterable[tuple[str, str]]) -> str:
    """The query of a URL in the order in which it is signed."""
    return "&".join(f"{name}={value}" for name, value in sorted((quoted(name), quoted(value)) for name, value in pairs))


def signed_headers(
    method: str, url: str, headers: Mapping[str, str], body: bytes, key: Credentials, region: str, at: str
) -> dict[str, str]:
    """``headers`` with those that prove who sends them; all of them are signed, and the SHA-256 of the body.

    ``at`` is the time in UTC, ``20130524T000000Z``. The query of ``url`` may stand in any order.
    """
    digest = hashlib.sha256(body).hexdigest()
    signed = {**headers, "x-amz-content-sha256": digest, "x-amz-date": at}
    if key.token:
        signed["x-amz-security-token"] = key.token
    parts = urlsplit(url)
    names, request = _canonical(method, parts.path, _pairs(parts.query), {**signed, "host": parts.netloc}, digest)
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    signature = _signature(request, key, region, at, scope)
    signed["Authorization"] = (
        f"{_ALGORITHM} Credential={key.access_key}/{scope},SignedHeaders={names},Signature={signature}"
    )
    return signed


def signed_url(url: str, key: Credentials, region: str, seconds: int, at: str) -> str:
    """``url`` with a query that lets anybody GET it for ``seconds`` seconds from ``at`` on."""
    parts = urlsplit(url)
    scope = f"{at[:8]}/{region}/s3/aws4_request"
    pairs = [
        *_pairs(parts.query),
        ("X-Amz-Algorithm", _ALGORITHM),
        ("X-Amz-Credential", f"{key.access_key}/{scope}"),
        ("X-Amz-Date", at),
        ("X-Amz-Expires", str(seconds)),
        *([("X-Amz-Security-Token", key.token)] if key.token else []),
        ("X-Amz-SignedHeaders", "host"),
    ]
    _, request = _canonical("GET", parts.path, pairs, {"host": parts.netloc}, _UNSIGNED)
    signature = _signature(request, key, region, at, scope)
    return f"{parts.scheme}://{parts.netloc}{parts.path}?{query_of(pairs)}&X-Amz-Signature={signature}"


def _pairs(query: str) -> list[tuple[str, str]]:
    return parse_qsl(query, keep_blank_values=True)


def _canonical(
    method: str, path: str, pairs: Iterable[tuple[str, str]], headers: Mapping[str, str], digest: str
) -> tuple[str, str]:
    """The names of the signed headers, and the request in the form that is signed. ``path`` is quoted already."""
    lines = sorted((name.lower(), " ".join(value.split())) for name, value in headers.items())
    names = ";".join(name for name, _ in lines)
    told = "".join(f"{name}:{value}\n" for name, value in lines)
    return names, "\n".join([method, path or "/", query_of(pairs), told, names, digest])


def _signature(request: str, key: Credentials, region: str, at: str, scope: str) -> str:
    text = "\n".join([_ALGORITHM, at, scope, hashlib.sha256(request.encode()).hexdigest()])
    signing = f"AWS4{key.secret_key}".encode()
    for part in (at[:8], region, "s3", "aws4_request"):
        signing = _hmac(signing, part)
    return _hmac(signing, text).hex()


def _hmac(key: bytes, text: str) -> bytes:
    return hmac.new(key, text.encode(), hashlib.sha256).digest()
