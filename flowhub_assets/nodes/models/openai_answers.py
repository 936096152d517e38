"""What the answers of an OpenAI-compatible server hold, whole or streamed."""

from __future__ import annotations

import json
import math
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from flowhub_assets.nodes.json_reading import read_json
from flowhub_assets.nodes.models.event_stream import LineTooLong, event_data

_MOST_QUOTED = 300


@dataclass(frozen=True)
class Completion:
    """What a model wrote. ``latency`` and ``first_token`` are seconds from the request on, of the try that succeeded.

    ``first_token`` is None unless the answer was streamed, a token count None where the server gives none.
    """

    text: str
    model: str
    finish_reason: str | None
    prompt_tokens: int | None
    completion_tokens: int | None
    latency: float
    first_token: float | None = None


class AnswerUnusable(Exception):
    """An answer that is none; the text says what it is. ``passing`` is whether the next one may be better."""

    def __init__(self, what: str, passing: bool = False) -> None:
        super().__init__(what)
        self.passing = passing


def completion_of(value: Any, body: Mapping[str, Any], began: float) -> Completion:
    """That of an answer to the request ``body``, which went out at ``began`` (time.monotonic). AnswerUnusable."""
    choice = _first_choice(value)
    said = choice.get("message", choice)
    text = said.get("content", said.get("text")) if isinstance(said, dict) else None
    if choice and (text is None or isinstance(text, str)):
        return _completion(text or "", choice.get("finish_reason"), value, body, began)
    raise _something_else("a completion", value)


async def streamed(chunks: AsyncIterator[bytes], body: Mapping[str, Any], began: float) -> Completion:
    """That of a stream of server-sent events. Raises AnswerUnusable for one that breaks off or tells an error."""
    written = _Written()
    try:
        async for data in event_data(chunks):
            if data.strip() == "[DONE]":
                written.ended = True
                break
            written.take(_event(data))
    except LineTooLong as error:
        raise AnswerUnusable(f"is no stream of a completion: {error}") from None
    if not written.ended and written.finish_reason is None:
        raise AnswerUnusable(f"broke off after {len(written.text):,} characters", passing=True)
    head = {"model": written.model, "usage": written.usage}
    first = None if written.first is None else round(written.first - began, 6)
    return _completion(written.text, written.finish_reason, head, body, began, first)


def vectors_of(value: Any, count: int) -> tuple[list[list[float]], int | None]:
    """The ``count`` vectors of an answer in the order of the texts, and how many tokens these had. AnswerUnusable."""
    data = value.get("data") if isinstance(value, dict) else None
    rows = data if isinstance(data, list) and all(isinstance(row, dict) for row in data) else []
    # The order of the list is not promised, the indexes are.
    places = [row.get("index", number) for number, row in enumerate(rows)]
    by_place = {place: row.get("embedding") for place, row in zip(places, rows, strict=True) if isinstance(place, int)}
    vectors: list[Any] = [by_place.get(number) for number in range(count)]
    if len(rows) != count or not all(_is_vector(vector) for vector in vectors):
        raise _something_else(f"{count} embeddings", value)
    return vectors, _tokens(value, "prompt_tokens")


@dataclass
class _Written:
    """What a stream has brought so far; ``first`` is when its first letters came."""

    pieces: list[str] = field(default_factory=list)
    finish_reason: str | None = None
    usage: Any = None
    model: Any = None
    first: float | None = None
    ended: bool = False

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    def take(self, event: dict[str, Any]) -> None:
        self.model = event.get("model") or self.model
        self.usage = event.get("usage") or self.usage
        choice = _first_choice(event)
        self.finish_reason = choice.get("finish_reason") or self.finish_reason
        said = choice.get("delta", choice)
        piece = said.get("content", said.get("text")) if isinstance(said, dict) else None
        if isinstance(piece, str) and piece:
            if self.first is None:
                self.first = time.monotonic()
            self.pieces.append(piece)


def _event(data: str) -> dict[str, Any]:
    try:
        event = read_json(data)
    except ValueError:
        event = None
    if not isinstance(event, dict):
        raise _something_else("the event of a completion", data)
    if event.get("error"):
        told = event["error"]
        message = told.get("message") if isinstance(told, dict) else told
        code = told.get("code") if isinstance(told, dict) else None
        refused = isinstance(code, int) and 400 <= code < 500 and code != 429
        raise AnswerUnusable(f"tells an error: {_short(message)}", passing=not refused)
    return event


def _first_choice(value: Any) -> dict[str, Any]:
    choices = value.get("choices") if isinstance(value, dict) else None
    first = choices[0] if isinstance(choices, list) and choices else None
    return first if isinstance(first, dict) else {}


def _completion(
    text: str, reason: Any, head: Any, body: Mapping[str, Any], began: float, first: float | None = None
) -> Completion:
    model = head.get("model")
    return Completion(
        text=text,
        model=model if isinstance(model, str) and model else str(body.get("model", "")),
        finish_reason=reason if isinstance(reason, str) else None,
        prompt_tokens=_tokens(head, "prompt_tokens"),
        completion_tokens=_tokens(head, "completion_tokens"),
        latency=round(time.monotonic() - began, 6),
        first_token=first,
    )


def _tokens(head: Any, name: str) -> int | None:
    usage = head.get("usage") if isinstance(head, dict) else None
    count = usage.get(name) if isinstance(usage, dict) else None
    return count if isinstance(count, int) else None


def _is_vector(value: Any) -> bool:
    return (
        isinstance(value, list)
        and bool(value)
        and all(isinstance(one, (int, float)) and math.isfinite(one) for one in value)
    )


def _something_else(wanted: str, value: Any) -> AnswerUnusable:
    return AnswerUnusable(f"is not {wanted}: {_short(value)}")


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
    return f"{text[:_MOST_QUOTED]}…" if len(text) > _MOST_QUOTED else text
