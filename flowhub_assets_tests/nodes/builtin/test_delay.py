"""The kind delay."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.builtin.delay import Delay
from flowhub_assets.nodes.durations import seconds_of


def test_it_waits_and_hands_on() -> None:
    output = run(Delay, config={"seconds": 0.01}, value={"a": 1})
    assert (output.value, output.waited) == ({"a": 1}, 0.01)
    assert run(Delay, config={"until": "2020-01-01"}).waited == 0


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("30", 30),
        ("30s", 30),
        ("1h30m", 5400),
        ("2 m", 120),
        ("500ms", 0.5),
        ("1d", 86400),
        ("PT1H", 3600),
        ("1w", 604800),
        (7, 7),
    ],
)
def test_times_have_units(text: Any, seconds: float) -> None:
    assert seconds_of(text) == seconds


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"seconds": -1},
        {"seconds": "soon"},
        {"seconds": ""},
        {"seconds": "1x"},
        {"seconds": 1, "until": "2020-01-01"},
        {"seconds": "8d"},
        {"until": "tomorrow"},
        {"until": "9999-01-01T00:00:00Z"},
    ],
)
def test_what_is_no_time_is_told(config: dict[str, Any]) -> None:
    with pytest.raises(NodeError):
        run(Delay, config=config)
