from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.models.openai_answers import AnswerUnusable, Completion, completion_of, streamed, vectors_of

BODY = {"model": "asked-for"}

SCALARS = st.none() | st.booleans() | st.integers(-3, 3) | st.floats() | st.sampled_from(["stop", "ha", ""])
NAMES = st.sampled_from(
    "choices message delta content text finish_reason usage prompt_tokens model data index embedding error code".split()
)
ANSWERS = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=12,
)


def stream(*events: Any) -> Completion:
    async def chunks() -> AsyncIterator[bytes]:
        for event in events:
            text = event if isinstance(event, str) else json.dumps(event)
            yield f"data: {text}\n\n".encode()

    return asyncio.run(streamed(chunks(), BODY, time.monotonic()))


def delta(text: str | None, reason: str | None = None) -> dict[str, Any]:
    return {"choices": [{"delta": {"content": text}, "finish_reason": reason}]}


@given(ANSWERS)
def test_any_answer_is_a_completion_or_told(value: Any) -> None:
    try:
        completion = completion_of(value, BODY, time.monotonic())
    except AnswerUnusable:
        return
    assert isinstance(completion.text, str)
    assert completion.prompt_tokens is None or isinstance(completion.prompt_tokens, int)


@given(st.lists(ANSWERS | st.just("[DONE]") | st.just("{"), max_size=5))
def test_any_stream_is_a_completion_or_told(events: list[Any]) -> None:
    try:
        completion = stream(*events)
    except AnswerUnusable:
        return
    assert isinstance(completion.text, str)


@given(ANSWERS, st.integers(0, 3))
def test_any_answer_is_vectors_or_told(value: Any, count: int) -> None:
    try:
        vectors, _ = vectors_of(value, count)
    except AnswerUnusable:
        return
    assert len(vectors) == count
    json.dumps(vectors, allow_nan=False)


@pytest.mark.parametrize(
    "end",
    [
        [delta(None, "stop"), "[DONE]"],
        [delta(None, "stop")],
        ["[DONE]"],
        [delta("", "length"), {"choices": []}, "[DONE]"],
    ],
)
def test_ends_of_a_stream(end: list[Any]) -> None:
    assert stream(delta("하"), delta("나"), *end).text == "하나"


def test_a_stream_without_an_end_may_be_better_next_time() -> None:
    with pytest.raises(AnswerUnusable, match="broke off after 2 characters") as caught:
        stream(delta("하나"))
    assert caught.value.passing


def test_nothing_after_the_end_counts() -> None:
    assert stream(delta("a"), "[DONE]", delta("b")).text == "a"


def test_the_first_token_is_the_first_one_that_says_something() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b'data: {"choices": [{"delta": {"role": "assistant", "content": ""}}]}\n\n'
        yield b'data: {"choices": [{"delta": {"content": "a"}}]}\n\n'
        marks.append(time.monotonic())
        yield b'data: {"choices": [{"delta": {"content": "b"}, "finish_reason": "stop"}]}\n\n'

    marks: list[float] = []
    began = time.monotonic()
    completion = asyncio.run(streamed(chunks(), BODY, began))
    # It was there before the stream was asked for more, whatever the clock says.
    assert completion.first_token is not None
    assert completion.first_token <= round(marks[0] - began, 6) <= completion.latency


@pytest.mark.parametrize(
    ("error", "passing"),
    [
        ({"message": "dead", "code": 500}, True),
        ({"message": "busy", "code": 429}, True),
        ({"message": "too long", "code": 400}, False),
        ("dead", True),
    ],
)
def test_an_error_in_a_stream_is_told(error: Any, passing: bool) -> None:
    with pytest.raises(AnswerUnusable, match=r"tells an error: (dead|busy|too long)") as caught:
        stream(delta("a"), {"error": error})
    assert caught.value.passing == passing


def test_a_long_answer_is_quoted_in_part() -> None:
    with pytest.raises(AnswerUnusable) as caught:
        completion_of({"x": "y" * 10_000}, BODY, time.monotonic())
    assert len(str(caught.value)) < 400


def test_the_model_that_was_asked_for_stands_in() -> None:
    assert stream(delta("a", "stop")).model == "asked-for"
    assert stream({**delta("a", "stop"), "model": "served"}).model == "served"
