from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.models.event_stream import LONGEST_LINE, LineTooLong, event_data


def read(stream: bytes, step: int = 7) -> list[str]:
    async def chunks() -> AsyncIterator[bytes]:
        for start in range(0, len(stream), step):
            yield stream[start : start + step]

    async def collected() -> list[str]:
        return [data async for data in event_data(chunks())]

    return asyncio.run(collected())


LINES = st.text(st.characters(exclude_characters="\r\n", exclude_categories=["Cs"]), max_size=20)


@given(
    st.lists(st.lists(LINES, min_size=1, max_size=3), max_size=5),
    st.sampled_from(["\n", "\r\n", "\r"]),
    st.integers(1, 9),
)
def test_events_are_what_was_sent(events: list[list[str]], end: str, step: int) -> None:
    stream = "".join("".join(f"data: {line}{end}" for line in lines) + end for lines in events)
    assert read(stream.encode(), step) == ["\n".join(lines) for lines in events]


def test_what_is_no_data_is_left_out() -> None:
    assert read(b": ping\n\nevent: x\nid: 1\ndata:a\ndata\n\n\nretry: 5\n\ndata: cut off") == ["a\n"]


@given(st.binary(max_size=200))
def test_any_bytes_are_read(stream: bytes) -> None:
    assert all(isinstance(data, str) for data in read(stream))


def test_a_line_has_a_bound() -> None:
    with pytest.raises(LineTooLong):
        read(b"x" * (LONGEST_LINE + 1), 65536)
