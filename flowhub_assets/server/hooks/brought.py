"""A request → what the run finds in ``trigger``: data, without anything that opens a door."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.nodes.json_reading import read_json
from flowhub_assets.nodes.signed_triggers import is_credential_header
from flowhub_assets.runtime.secret_values import is_secret_name

#: Headers that a run gets; a trigger can name more.
_HEADERS = frozenset(
    (
        *("content-type", "content-language", "date", "user-agent", "idempotency-key"),
        *("x-request-id", "x-correlation-id", "traceparent", "tracestate"),
        *("webhook-id", "webhook-timestamp", "x-github-event", "x-github-delivery", "x-github-hook-id"),
        *("x-mlflow-delivery-id", "x-mlflow-timestamp"),
        *("ce-id", "ce-source", "ce-type", "ce-specversion", "ce-subject", "ce-time"),
    )
)
_DEEPEST, _MOST_FIELDS = 100, 1_000
_CHARSETS = ("utf-8", "us-ascii", "iso-8859-1")


def brought(
    *,
    headers: Iterable[tuple[bytes, bytes]],
    body: bytes,
    method: str,
    path: str,
    query: bytes,
    now: float,
    delivery: str | None,
    more_headers: Collection[str] = (),
) -> dict[str, Any]:
    """What a webhook has brought, all of it JSON. Raises ParamsRefused for a body that cannot be read."""
    texts = [(name.decode("latin-1").lower(), value.decode("latin-1").strip()) for name, value in headers]
    wanted = {*_HEADERS, *more_headers}
    kept = [(name, value) for name, value in texts if name in wanted and not is_credential_header(name)]
    return {
        "type": "webhook",
        "time": dt.datetime.fromtimestamp(now, dt.UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z"),
        "method": method,
        "path": path,
        "headers": _grouped(kept),
        "query": _grouped((name, value) for name, value in _pairs(query, "query") if not is_secret_name(name)),
        "body": body_of(dict(texts), body),
        **({"delivery": delivery} if delivery is not None else {}),
    }


def body_of(headers: Mapping[str, str], body: bytes) -> Any:
    """The body as a value: JSON, a form's fields, or text; None where there is none. Raises ParamsRefused."""
    if not body:
        return None
    if headers.get("content-encoding", "identity") != "identity":
        raise _refused(f"it is encoded ({headers['content-encoding'][:50]})", "Send it as it is.")
    kind, _, options = headers.get("content-type", "").partition(";")
    kind = kind.strip().lower()
    if kind == "application/json" or kind.endswith("+json"):
        return _json(body)
    if kind == "application/x-www-form-urlencoded":
        return _grouped(_pairs(body, "body"))
    if kind.startswith("multipart/") or (kind and not kind.startswith(("text/", "application/xml"))):
        raise _refused(f"it is {kind[:100]}", "Send JSON, a form (application/x-www-form-urlencoded) or text.")
    return _text(body, options)


def _json(body: bytes) -> Any:
    try:
        value = read_json(body.decode())
    except ValueError as error:
        # Of a text that is no JSON only the place is told, never what stands there.
        raise _refused(f"it is not JSON in UTF-8: {str(error)[:100]}", "Send JSON.") from None
    wrong = unfit(value)
    if wrong:
        raise _refused(f"its JSON {wrong}", "Send something else.")
    return value


def unfit(value: Any) -> str:
    """Why a value that Python's json has read can be kept nowhere; "" if it can."""
    level, depth = [value], 0
    while level:
        depth += 1
        if depth > _DEEPEST:
            return f"is nested more than {_DEEPEST} deep"
        inner: list[Any] = []
        for one in level:
            if isinstance(one, dict):
                inner += [*one, *one.values()]
            elif isinstance(one, list):
                inner += one
            elif isinstance(one, float) and not math.isfinite(one):
                return "has a number beyond what computers keep"
            elif isinstance(one, str) and not _is_text(one):
                return "has half of a character (a lone surrogate)"
        level = inner
    return ""


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _text(body: bytes, options: str) -> str:
    named = [part.partition("=")[2].strip(' "').lower() for part in options.split(";") if "charset=" in part.lower()]
    charset = named[0] if named else "utf-8"
    try:
        if charset in _CHARSETS:
            return body.decode(charset)
    except UnicodeDecodeError:
        pass
    raise _refused(f"it is no text in {charset[:50]}", f"Send text in {' or '.join(_CHARSETS)}.")


def _pairs(text: bytes, where: str) -> list[tuple[str, str]]:
    try:
        return parse_qsl(
            text.decode(), keep_blank_values=True, errors="strict", max_num_fields=_MOST_FIELDS, encoding="utf-8"
        )
    except ValueError:
        what = f"it is not in UTF-8, or has more than {_MOST_FIELDS} fields"
        raise _refused(what, "Send fewer fields, in UTF-8.", where) from None


def _grouped(pairs: Iterable[tuple[str, str]]) -> dict[str, Any]:
    """A text for a name that comes once, a list for one that comes again."""
    grouped: dict[str, list[str]] = {}
    for name, value in pairs:
        grouped.setdefault(name, []).append(value)
    return {name: values[0] if len(values) == 1 else values for name, values in grouped.items()}


def _refused(what: str, remedy: str, where: str = "body") -> ParamsRefused:
    return ParamsRefused(
        f"the {where} of the delivery cannot be taken: {what}",
        effect="Nothing was started.",
        remedy=remedy,
        fields=((where, what, remedy),),
    )
