"""Cron expressions: what Dagster takes, ours takes, and the other way round within five plain fields."""

from __future__ import annotations

import pytest
from dagster._utils.schedules import is_valid_cron_string
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ir.cron import PRESETS, fault


@pytest.mark.parametrize(
    "text",
    [
        "* * * * *",
        "*/5 0-6 1,15 * *",
        "0 6 * * mon-fri",
        "0 6 * JAN,dec SUN",
        "0 0 29 2 *",
        "5/10 * * * 7",
        "  0 6 * * *  ",
        *PRESETS,
    ],
)
def test_takes(text: str) -> None:
    assert fault(text) is None
    assert is_valid_cron_string(text.strip())


@pytest.mark.parametrize(
    ("text", "what", "remedy"),
    [
        ("", "has 0 fields", "write five"),
        ("60 * * * *", "'60' as its minute: 60 lies outside 0-59", "'*/5'"),
        ("* * 0 * *", "'0' as its day of month", "1-31"),
        ("* * * 13 *", "'13' as its month", "1-12"),
        ("* * * * 8", "'8' as its day of week", "0-7"),
        ("5-1 * * * *", "'5-1' runs backwards", "0-59"),
        ("*/0 * * * *", "0 lies outside 1-59", "'*/5'"),
        ("1, * * * *", "a number is missing", "'1,15'"),
        ("a * * * *", "'a' is not a number", ""),
        ("* * * * moon", "'moon' is not a number", ""),
        ("0 0 31 2 fri", "a day that its months do not have", ""),
        ("0 0 30 2 *", "a day that its months do not have", "28 2"),
        ("0 0 31 4,6,9,11 *", "a day that its months do not have", ""),
        ("@midnight", "is not a preset", "'@daily'"),
        ("@annually", "is not a preset", "'@yearly'"),
        ("0 0 * * * 2026", "has 6 fields", "leave the seconds out"),
    ],
)
def test_refuses(text: str, what: str, remedy: str) -> None:
    found = fault(text)
    assert found is not None
    assert what in found[0]
    assert remedy in found[1]


def _field(least: int, greatest: int) -> st.SearchStrategy[str]:
    number = st.integers(least, greatest)
    span = st.one_of(st.just("*"), number.map(str), st.tuples(number, number).map(lambda two: f"{min(two)}-{max(two)}"))
    step = st.one_of(st.just(""), st.integers(1, greatest).map("/{}".format))
    return st.lists(st.builds(str.__add__, span, step), min_size=1, max_size=3).map(",".join)


@given(st.tuples(_field(0, 59), _field(0, 23), _field(1, 31), _field(1, 12), _field(0, 6)).map(" ".join))
def test_dagster_agrees(text: str) -> None:
    assert (fault(text) is None) == is_valid_cron_string(text)
