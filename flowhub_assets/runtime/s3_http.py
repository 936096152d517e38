"""HTTP by the standard library: a time-out of its own for connecting, redirects told and not followed, the proxies
and certificates of the surroundings."""

from __future__ import annotations

import http.client
import re
import ssl
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any, Optional

_CODE = re.compile(rb"<Code>\s*([A-Za-z0-9]+)\s*</Code>")
#: The most bytes of an error's text that are read.
_LONGEST_ERROR = 64 * 1024


class Refused(Exception):
    """An answer that is none: its HTTP status, 0 if there was no answer at all, and the code in its body."""

    def __init__(self, status: int, code: str = "") -> None:
        super().__init__(f"{status} {code}".rstrip())
        self.status = status
        self.code = code


class Http:
    """Sends single requests. ``direct`` passes over proxies: addresses that only this machine can reach."""

    def __init__(self, timeout: float, connect_timeout: float, *, direct: bool = False) -> None:
        self._timeout = timeout
        handlers: list[Any] = [_Plain(connect_timeout), _Encrypted(connect_timeout), _NoRedirect()]
        if direct:
            handlers.append(urllib.request.ProxyHandler({}))
        self._opener = urllib.request.build_opener(*handlers)

    def send(
        self, method: str, url: str, headers: Optional[Mapping[str, str]] = None, body: bytes = b""
    ) -> http.client.HTTPResponse:
        """The answer, whose content is still to be read. Raises Refused for any status that is no success."""
        # A GET or DELETE has no body at all; without a type of its own urllib would call any other a form.
        data = body if method in ("PUT", "POST") else None
        kind = {} if data is None else {"Content-Type": "application/octet-stream"}
        # Schemes: the address is the profile's ENDPOINT, http or https, or one of AWS.
        request = urllib.request.Request(url, data, {**kind, **(headers or {})}, method=method)  # noqa: S310
        try:
            answer: http.client.HTTPResponse = self._opener.open(request, timeout=self._timeout)
        except urllib.error.HTTPError as error:
            raise Refused(error.code, _code_of(error)) from None
        except (OSError, http.client.HTTPException):
            raise Refused(0) from None
        return answer

    def text(self, method: str, url: str, headers: Optional[Mapping[str, str]] = None, body: bytes = b"") -> bytes:
        """The whole answer. Raises Refused, also if it breaks off."""
        try:
            with self.send(method, url, headers, body) as answer:
                return answer.read()
        except (OSError, http.client.HTTPException):
            raise Refused(0) from None


def code_in(text: bytes) -> str:
    """The code of an error document, ``""`` if it is none."""
    found = _CODE.search(text)
    return found.group(1).decode() if found else ""


def _code_of(error: urllib.error.HTTPError) -> str:
    try:
        with error:
            return code_in(error.read(_LONGEST_ERROR))
    except (OSError, http.client.HTTPException):
        return ""


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_args: Any) -> None:
        """A signature holds for one host: where another one is named, that is an error to tell."""


class _Plain(urllib.request.HTTPHandler):
    def __init__(self, connect_timeout: float) -> None:
        super().__init__()
        self._connect_timeout = connect_timeout

    def http_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        answer: http.client.HTTPResponse = self.do_open(_connections(_Connection, self._connect_timeout), request)
        return answer


class _Encrypted(urllib.request.HTTPSHandler):
    def __init__(self, connect_timeout: float) -> None:
        super().__init__()
        self._connect_timeout = connect_timeout

    def https_open(self, request: urllib.request.Request) -> http.client.HTTPResponse:
        context = ssl.create_default_context()
        answer: http.client.HTTPResponse = self.do_open(
            _connections(_EncryptedConnection, self._connect_timeout), request, context=context
        )
        return answer


def _connections(kind: Any, connect_timeout: float) -> Any:
    def make(host: str, **words: Any) -> Any:
        connection = kind(host, **words)
        connection.connect_timeout = connect_timeout
        return connection

    return make


class _Connection(http.client.HTTPConnection):
    connect_timeout = 0.0

    def connect(self) -> None:
        _connect(self, super().connect)


class _EncryptedConnection(http.client.HTTPSConnection):
    connect_timeout = 0.0

    def connect(self) -> None:
        _connect(self, super().connect)


def _connect(connection: Any, connect: Any) -> None:
    """Whoever does not answer at all is known for it sooner than one that is slow."""
    read_timeout, connection.timeout = connection.timeout, connection.connect_timeout
    connect()
    connection.timeout = read_timeout
    connection.sock.settimeout(read_timeout)
