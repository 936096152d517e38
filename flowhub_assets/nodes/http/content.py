"""What goes into a request and what an answer's body means."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any, NoReturn

from flowhub_assets.nodes.json_reading import read_json
from flowhub_assets.nodes.sdk import NodeError

#: How a header's name is written (RFC 9110, 5.6.2).
_TOKEN = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
#: The client writes these itself; another value would make the message mean something else to a server behind it.
_WRITTEN_BY_THE_CLIENT = frozenset(["host", "content-length", "transfer-encoding", "connection", "upgrade", "te"])

_TEXT_TYPES = re.compile(r"text/|application/(.*\+)?(xml|yaml|x-yaml|javascript|x-www-form-urlencoded)\b")
_JSON_TYPES = re.compile(r"(application|text)/(.*\+)?json\b")


class ContentProblem(Exception):
    """A body that is not what it should be; the text says how, ``remedy`` what to do."""

    def __init__(self, what: str, remedy: str = "") -> None:
        super().__init__(what)
        self.remedy = remedy


def text_of(value: str | int | float | bool) -> str:
    """A scalar as HTTP writes it: true and false in small letters."""
    return str(value).lower() if isinstance(value, bool) else str(value)


def headers_to_send(headers: Mapping[str, str | int | float | bool]) -> dict[str, str]:
    """``headers`` as text. Raises NodeError for one that would break the message; values are not shown."""
    written = {name: text_of(value) for name, value in headers.items()}
    for name, value in written.items():
        if not _TOKEN.fullmatch(name):
            _refuse(f"{name!r} is no name of a header", "use letters, digits and hyphens: X-Request-Id")
        if name.lower() in _WRITTEN_BY_THE_CLIENT:
            _refuse(f"the header {name} is written by the client itself", "leave it out of headers")
        if not value.isascii() or not value.replace("\t", " ").isprintable():
            _refuse(
                f"the value of the header {name} holds a line break or a letter outside ASCII",
                "send such text in the body, or percent-encode it",
            )
    return written


def query_to_send(*given: Mapping[str, Any]) -> dict[str, list[str]]:
    """One query of several, the last one first in rank; a list is sent as several values, null not at all."""
    query: dict[str, list[str]] = {}
    for name, value in ((name, value) for one in given for name, value in one.items()):
        values = value if isinstance(value, list) else [value]
        query[name] = [text_of(item) for item in values if item is not None]
    return {name: values for name, values in query.items() if values}


def json_bytes(value: Any) -> bytes:
    """``value`` as JSON in UTF-8. Raises NodeError for NaN and infinite numbers, which JSON does not have."""
    try:
        return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode()
    except (ValueError, TypeError, RecursionError) as error:
        _refuse(f"json cannot be written as JSON: {error}", "give text, numbers, lists and objects only")


def body_value(data: bytes, content_type: str, expect: str) -> Any:
    """What a body means: a JSON value or text; None for an empty body.

    ``expect`` is json, text or auto; auto goes by the Content-Type, and takes what has none for text. Raises
    ContentProblem.
    """
    kind = content_type.strip().lower()
    if not data and expect != "text":
        return None
    if expect == "json" or (expect == "auto" and _JSON_TYPES.match(kind)):
        return _json_value(data, kind)
    if expect == "text" or _TEXT_TYPES.match(kind):
        return data.decode(_charset(kind), "replace")
    try:
        return data.decode(_charset(kind))
    except UnicodeError:
        raise ContentProblem(
            f"the body ({kind.partition(';')[0] or 'without Content-Type'}, {len(data):,} bytes) is not text",
            "Store it: config.expect: file.",
        ) from None


def _json_value(data: bytes, kind: str) -> Any:
    charset = _charset(kind)
    try:
        return read_json(data if charset == "utf-8" else data.decode(charset))
    except ValueError as error:
        raise ContentProblem(f"the body is not JSON: {error}", "config.expect: text takes it as it is.") from None


def _charset(kind: str) -> str:
    found = re.search(r";\s*charset\s*=\s*\"?([\w.:-]+)", kind)
    if found is None:
        return "utf-8"
    try:
        # Python also knows codecs that are no text (base64) or cannot replace what they cannot read (idna).
        b"a".decode(found[1], "replace")
    except (LookupError, UnicodeError):
        return "utf-8"
    return found[1]


def _refuse(what: str, remedy: str) -> NoReturn:
    raise NodeError(what, remedy=remedy, retry=False)
