"""A place in a run's events as text: it comes back whole, and any other text is refused."""

from __future__ import annotations

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import InputError
from flowhub_assets.executor.dagster_runs import position_of
from flowhub_assets.server.run_cursor import LogFile, RunCursor, parse_cursor

NUMBERS = st.integers(0, 1 << 40)
POSITIONS = st.none() | NUMBERS.map(position_of)
FILES = st.lists(
    st.builds(LogFile, st.text(min_size=1), st.text(), st.integers(1, 9), st.lists(NUMBERS, min_size=2, max_size=2)),
    unique_by=lambda file: file.key,
)
CURSORS = st.builds(RunCursor, POSITIONS, FILES, st.dictionaries(st.text(), st.integers(1, 9)))


@given(CURSORS)
def test_a_cursor_comes_back_whole(cursor: RunCursor) -> None:
    steps = {file.key: file.step for file in cursor.files}
    assert parse_cursor(str(cursor), lambda: steps) == cursor


def read(text: str) -> None:
    with contextlib.suppress(InputError):
        parse_cursor(text, dict)


@given(st.text())
def test_any_text_is_read_or_refused(text: str) -> None:
    read(text)


JSON = st.recursive(st.none() | st.booleans() | st.integers() | st.floats() | st.text(), st.lists, max_leaves=6)


@given(st.tuples(JSON, JSON, JSON) | JSON)
def test_any_json_is_read_or_refused(value: object) -> None:
    read(base64.urlsafe_b64encode(json.dumps(value).encode()).decode())


@given(JSON)
def test_any_position_is_read_or_refused(value: object) -> None:
    position = base64.b64encode(json.dumps({"type": "STORAGE_ID", "value": value}).encode()).decode()
    read(base64.urlsafe_b64encode(json.dumps([position, [], {}]).encode()).decode())


def test_a_text_without_end_is_refused() -> None:
    with pytest.raises(InputError):
        parse_cursor("A" * (2 << 20), dict)


def test_an_attempt_ends() -> None:
    cursor = RunCursor()
    assert cursor.attempt("a") == 1
    cursor.next_attempt("a")
    cursor.next_attempt("a")
    assert (cursor.attempt("a"), cursor.attempt("b")) == (3, 1)
