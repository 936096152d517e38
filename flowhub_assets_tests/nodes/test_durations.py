"""Times as people write them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes.durations import seconds


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("30", 30),
        ("30s", 30),
        ("1.5h", 5400),
        ("1h30m", 5400),
        ("1h 30m", 5400),
        ("500ms", 0.5),
        ("2d", 172_800),
        ("1w", 604_800),
        ("PT1H30M", 5400),
        ("P1DT0.5S", 86_400.5),
        ("P2W", 1_209_600),
        ("", None),
        ("soon", None),
        ("5 min", None),
        ("h", None),
        ("P", None),
        ("PT", None),
        ("-5s", None),
        ("5s!", None),
        ("1e3", None),
        ("9" * 99, None),
    ],
)
def test_seconds(text: str, meant: float | None) -> None:
    assert seconds(text) == meant


@given(st.integers(0, 99), st.integers(0, 59), st.integers(1, 59))
def test_units_add_up(hours: int, minutes: int, rest: int) -> None:
    meant = hours * 3600 + minutes * 60 + rest
    assert seconds(f"{hours}h{minutes}m{rest}s") == meant
    assert seconds(f"PT{hours}H{minutes}M{rest}S") == meant


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_none(text: str) -> None:
    found = seconds(text)
    assert found is None or found >= 0
