"""How often somebody may ask."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.server import rate_limit
from flowhub_assets.server.rate_limit import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@given(
    steps=st.lists(st.tuples(st.floats(-5, 20), st.sampled_from("ab")), max_size=80),
    per_second=st.floats(0.1, 10),
    burst=st.integers(1, 10),
)
def test_nobody_gets_more_than_the_burst_and_what_time_gives(
    steps: list[tuple[float, str]], per_second: float, burst: int
) -> None:
    clock = Clock()
    limit = RateLimit(per_second, burst, clock)
    taken = {"a": 0, "b": 0}
    passed = 0.0
    for seconds, caller in steps:
        clock.now += seconds  # also back: a clock may jump
        passed += max(0.0, seconds)
        wait = limit.wait_for(caller)
        assert wait >= 0
        taken[caller] += wait == 0
        assert taken[caller] <= burst + passed * per_second + 1e-6


def test_who_waits_as_told_is_let_in() -> None:
    clock = Clock()
    limit = RateLimit(2.0, 1, clock)
    assert limit.wait_for("a") == 0
    wait = limit.wait_for("a")
    assert 0 < wait <= 0.5
    assert limit.wait_for("b") == 0
    clock.now += wait
    assert limit.wait_for("a") == 0


def test_no_limit_is_none() -> None:
    limit = RateLimit(0, 0)
    assert {limit.wait_for("a") for _ in range(1_000)} == {0.0}


def test_it_forgets_who_asked_longest_ago() -> None:
    limit = RateLimit(1.0, 1, Clock())
    for number in range(rate_limit._MOST_CALLERS + 5):
        limit.wait_for(str(number))
    assert len(limit._left) == rate_limit._MOST_CALLERS
    assert "0" not in limit._left
