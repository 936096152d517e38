"""A server that speaks OpenAI's POST /audio/transcriptions, by the standard library alone."""

from __future__ import annotations

import http.client
import json
import os
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.errors import InputError, RunError

ENDPOINT = "/audio/transcriptions"
TRIES = 4
#: Seconds before the second try; doubled before each further one.
FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0
_WORTH_ANOTHER_TRY = {408, 425, 429, 500, 502, 503, 504}


@dataclass(frozen=True)
class Server:
    """Where recordings are sent to. The token is in no message and in no repr."""

    url: str
    model: str
    answer_format: str
    timeout: float
    where: str
    token: str = field(default="", repr=False)

    @staticmethod
    def of(env: Mapping[str, Any], where: str) -> Server:
        """The server of a profile's TRANSCRIBE_ keys. Raises InputError for an unset token or a bad address."""
        base = str(env["TRANSCRIBE_URL"]).rstrip("/")
        if not base.startswith(("http://", "https://")):
            raise InputError(
                f"TRANSCRIBE_URL {base!r} is not an http or https address",
                where=where,
                remedy="Write the server's base address, 'https://host/v1'.",
            )
        try:
            timeout = float(env.get("TRANSCRIBE_TIMEOUT") or 600)
        except (TypeError, ValueError):
            raise InputError(
                f"TRANSCRIBE_TIMEOUT {env['TRANSCRIBE_TIMEOUT']!r} is not a number of seconds", where=where
            ) from None
        return Server(
            url=base if base.endswith(ENDPOINT) else base + ENDPOINT,
            model=str(env.get("TRANSCRIBE_MODEL") or "whisper-1"),
            answer_format=str(env.get("TRANSCRIBE_FORMAT") or "verbose_json"),
            timeout=timeout,
            where=where,
            token=_token(env, where),
        )

    def transcribe(self, name: str, data: bytes, language: str | None = None) -> dict[str, Any]:
        """What the server hears in the file ``data``: its JSON answer, with 'text' and perhaps 'segments'.

        Busy servers and broken connections are tried again with growing pauses. Raises RunError.
        """
        fields = {"model": self.model, "response_format": self.answer_format}
        if language:
            fields["language"] = language
        body, content_type = multipart(fields, name, data)
        headers = {"Content-Type": content_type, "Accept": "application/json"}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        for attempt in range(1, TRIES + 1):
            try:
                # Server.of lets http and https through only.
                request = urllib.request.Request(self.url, data=body, headers=headers, method="POST")  # noqa: S310
                with _OPENER.open(request, timeout=self.timeout) as response:
                    return self._read(response.read())
            except urllib.error.HTTPError as error:
                with error:
                    said = error.read(2000)
                if error.code not in _WORTH_ANOTHER_TRY or attempt == TRIES:
                    raise self._refusal(error.code, said, len(data)) from None
                _wait(attempt, error.headers.get("Retry-After"))
            except (urllib.error.URLError, http.client.HTTPException, OSError) as error:
                if attempt == TRIES:
                    raise self._silence(getattr(error, "reason", error)) from error
                _wait(attempt, None)
        raise AssertionError("the last try either returns or raises")

    def _read(self, data: bytes) -> dict[str, Any]:
        try:
            answer = json.loads(data)
        except ValueError:
            answer = None
        if isinstance(answer, dict) and ("text" in answer or "segments" in answer):
            return answer
        raise RunError(
            f"{self.url} answered with something else than a transcript: {_short(data)}",
            where=self.where,
            remedy="Does TRANSCRIBE_URL lead to an OpenAI-compatible server? Its base usually ends in /v1.",
        )

    def _refusal(self, code: int, said: bytes, size: int) -> RunError:
        token = "the token of TRANSCRIBE_TOKEN_ENV was sent" if self.token else "no token was sent"
        remedy = {
            401: f"Name the environment variable with a valid token in TRANSCRIBE_TOKEN_ENV; {token}.",
            403: f"Does the token have the right to use {self.model!r}? {token[0].upper()}{token[1:]}.",
            404: f"Check TRANSCRIBE_URL (its base usually ends in /v1) and TRANSCRIBE_MODEL {self.model!r}.",
            400: "A model that gives no times takes TRANSCRIBE_FORMAT 'json'.",
            413: f"{size:,} bytes are too much for it: run template.extract_voice first, whose WAV is sent in pieces.",
        }.get(code, "Look into the server's log." if code >= 500 else "See what the server says about it.")
        answer = _short(said)
        if self.token:
            answer = answer.replace(self.token, "***")
        return RunError(
            f"{self.url} refused the recording with HTTP {code}: {answer}",
            where=self.where,
            effect="The recording was not written down.",
            remedy=remedy,
        )

    def _silence(self, reason: object) -> RunError:
        return RunError(
            f"{self.url} does not answer after {TRIES} tries: {reason}",
            where=self.where,
            effect="The recording was not written down.",
            remedy="Does the server run, and can the task's pod reach it?",
        )


def multipart(fields: Mapping[str, str], name: str, data: bytes) -> tuple[bytes, str]:
    """The body of a form with one file (RFC 7578) and its content type."""
    border = uuid.uuid4().hex
    # The WHATWG form rules: these three are what would end the header or the quoted name.
    quoted = name.replace("\r", "%0D").replace("\n", "%0A").replace('"', "%22")
    parts = [
        f'--{border}\r\nContent-Disposition: form-data; name="{key}"\r\n\r\n{value}\r\n'.encode()
        for key, value in fields.items()
    ]
    parts.append(
        f'--{border}\r\nContent-Disposition: form-data; name="file"; filename="{quoted}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
    )
    return b"".join([*parts, data, f"\r\n--{border}--\r\n".encode()]), f"multipart/form-data; boundary={border}"


def _token(env: Mapping[str, Any], where: str) -> str:
    variable = env.get("TRANSCRIBE_TOKEN_ENV")
    if not variable:
        return str(env.get("TRANSCRIBE_TOKEN") or "")
    token = os.environ.get(str(variable), "").strip()
    if not token:
        raise InputError(
            f"the environment variable {variable!s}, named by TRANSCRIBE_TOKEN_ENV, is not set",
            where=where,
            effect="The server would refuse the recording.",
            remedy=f"Set {variable!s} where the task runs, or take TRANSCRIBE_TOKEN_ENV out of the profile.",
        )
    return token


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """A redirect would carry the token to another host, and turn the POST into a GET."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def _wait(attempt: int, retry_after: str | None) -> None:
    asked = float(retry_after) if retry_after and retry_after.isdigit() else 0.0
    time.sleep(min(max(asked, FIRST_DELAY * 2 ** (attempt - 1)), LONGEST_DELAY))


def _short(data: bytes) -> str:
    text = " ".join(data.decode("utf-8", "replace").split())
    return f"{text[:300]}…" if len(text) > 300 else text or "(nothing)"
