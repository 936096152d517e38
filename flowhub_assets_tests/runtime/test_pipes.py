"""What a pod tells Dagster in its log: written by one process, read by another."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.runtime import pipes
from flowhub_assets.runtime.show import Shown
from flowhub_assets_tests.json_values import json_values

TEXTS = st.text(st.characters(codec="utf-8"))


@given(TEXTS, json_values(TEXTS))
def test_a_message_is_one_line_of_ascii_that_begins_with_the_mark(method: str, value: Any) -> None:
    line = pipes.message(method, value=value)
    assert line.startswith(pipes.MARK)
    assert line.isascii()
    assert "\n" not in line
    assert json.loads(line) == {"__dagster_pipes_version": "0.1", "method": method, "params": {"value": value}}


@given(json_values(TEXTS))
def test_only_our_own_payload_holds_a_result(value: Any) -> None:
    assert pipes.result_in({pipes.RESULT: {"value": value}}) == {"value": value}
    assert pipes.result_in({"other": value}) is None
    assert pipes.result_in(value) is None or pipes.RESULT in value


@given(
    st.lists(st.builds(Shown, TEXTS, st.just("markdown"), TEXTS) | st.builds(Shown, TEXTS, st.just("png"), st.binary()))
)
def test_what_is_shown_comes_back(shown: list[Shown]) -> None:
    form = json.loads(json.dumps(pipes.shown_as_json(shown)))
    assert pipes.shown_from_json(form) == tuple(shown)


def test_what_is_too_large_for_a_log_is_left_out_and_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pipes, "_MOST_SHOWN", 500)
    shown = [Shown("small", "number", 1), Shown("large", "png", b"x" * 1000), Shown("last", "number", 2)]
    small, large, last = pipes.shown_from_json(pipes.shown_as_json(shown))
    assert (small, last) == (shown[0], shown[2])
    assert large.kind == "markdown"
    assert "too much for a pod's log" in large.data


def test_log_records_and_the_result_are_lines_of_the_process() -> None:
    code = (
        "from flowhub_assets.runtime import pipes\n"
        "pipes.pipes_logger().warning('half %s', 'way')\n"
        "pipes.tell_result({'value': {'n': 'x' * 200_000}})\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    logged, result = map(json.loads, done.stdout.splitlines())
    assert (logged["method"], logged["params"]) == ("log", {"message": "half way", "level": "WARNING"})
    assert pipes.result_in(result["params"]["payload"]) == {"value": {"n": "x" * 200_000}}
