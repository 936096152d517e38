from __future__ import annotations

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.nodes import NodeContext
from flowhub_assets.nodes.http.call import HttpFailed, asked_pause
from flowhub_assets.nodes.http.tries import LONGEST_PAUSE, Tries, with_tries


class Call:
    """Fails in the given ways, one after the other, and then gives ``done``; ``pauses`` are the seconds between."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *failures: HttpFailed) -> None:
        self.failures = list(failures)
        self.pauses: list[float] = []

        async def sleep(seconds: float) -> None:
            self.pauses.append(seconds)

        # The pauses are looked at instead of being waited for.
        monkeypatch.setattr(asyncio, "sleep", sleep)

    async def once(self) -> str:
        if self.failures:
            raise self.failures.pop(0)
        return "done"

    def run(self, times: int = 5, delay: float = 1.0, harmless: bool = True) -> Any:
        return asyncio.run(with_tries(self.once, Tries(times, delay, harmless), NodeContext()))


def passing(**more: Any) -> HttpFailed:
    return HttpFailed("GET http://h/ answered 503", status=503, **more)


def test_pauses_grow(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch, *(passing() for _ in range(8)))
    assert call.run(times=8) == ("done", 9)
    for pause, planned in zip(call.pauses, (1, 2, 4, 8, 16, 32, 60, 60), strict=True):
        assert planned * 0.75 <= pause <= planned * 1.25


def test_a_server_s_own_pause_comes_first(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch, passing(pause=7.0), passing(pause=0.0))
    assert call.run() == ("done", 3)
    assert call.pauses == [7.0, 0.0]


def test_a_long_pause_is_not_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch, passing(pause=LONGEST_PAUSE + 1))
    with pytest.raises(HttpFailed, match="503") as caught:
        call.run()
    assert "61 s" in caught.value.remedy
    assert not call.pauses


def test_the_last_failure_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    call = Call(monkeypatch, passing(), passing(), passing())
    with pytest.raises(HttpFailed) as caught:
        call.run(times=1)
    assert str(caught.value) == caught.value.what == "GET http://h/ answered 503 (after 2 tries)"


@pytest.mark.parametrize(
    ("failure", "harmless", "again"),
    [
        (passing(), True, True),
        (passing(worked_on=False), False, True),
        (passing(worked_on=True), False, False),
        (passing(retry=False), True, False),
        (passing(retry=False, worked_on=False), False, False),
    ],
)
def test_what_is_repeated(monkeypatch: pytest.MonkeyPatch, failure: HttpFailed, harmless: bool, again: bool) -> None:
    call = Call(monkeypatch, failure)
    if again:
        assert call.run(harmless=harmless) == ("done", 2)
    else:
        with pytest.raises(HttpFailed):
            call.run(harmless=harmless)


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        (None, None),
        ("", None),
        ("soon", None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("0", 0.0),
        ("120", 120.0),
        ("Sun, 06 Nov 1994 08:49:37 GMT", 37.0),
        ("Sunday, 06-Nov-94 08:49:37 GMT", 37.0),
        ("Sun, 06 Nov 1994 08:48:00 GMT", 0.0),
    ],
)
def test_the_pause_that_is_asked_for(header: str | None, seconds: float | None) -> None:
    now = 784_111_740.0  # Sun, 06 Nov 1994 08:49:00 GMT
    assert asked_pause(header, now) == seconds


@given(st.text(max_size=40) | st.from_regex(r"\w{3}, \d+ \w{3} \d{4} \d\d:\d\d:\d\d \w+", fullmatch=True))
def test_any_header_is_a_pause_or_none(header: str) -> None:
    pause = asked_pause(header)
    assert pause is None or pause >= 0
