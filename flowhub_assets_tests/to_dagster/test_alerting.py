"""Alerts are kept before they are delivered: one for each cause, to each endpoint, through outages."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets.resources.alerts import Alerts, Endpoint
from flowhub_assets.store import seen
from flowhub_assets.store.database import Database, default_url, open_database
from flowhub_assets.to_dagster.alarms import Cause
from flowhub_assets.to_dagster.alerting import DUE, LIFETIME, TURN, Delivered, deliver_due, first_seen, take

ALERTS = Alerts(("A", "B"))
ONE = Cause("failure", "failure/1", "orders", "orders: a run has failed", "run 1")
TWO = Cause("deadline", "deadline/2", "shop", "shop: a run takes too long", "run 2")


@pytest.fixture
def database(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Database]:
    monkeypatch.setenv("A", "json://a")
    monkeypatch.setenv("B", "json://b")
    monkeypatch.delenv("FLOWHUB_ALERTS", raising=False)
    database = open_database(default_url(str(tmp_path)))
    yield database
    database.close()


class Told:
    """Endpoints that take what they are told, but for those in ``away``."""

    def __init__(self) -> None:
        self.away: set[str] = set()
        self.told: list[tuple[str, str]] = []
        self.asked = 0

    def __call__(self, endpoint: Endpoint, title: str, _text: str) -> str:
        self.asked += 1
        if endpoint.url in self.away:
            return f"{endpoint.name} is away"
        self.told.append((endpoint.url, title))
        return ""


def test_a_cause_is_told_once_to_each(database: Database) -> None:
    tell = Told()
    for now in (10.0, 40.0, 70.0):
        assert take(database, ALERTS, [ONE, TWO], now) == ([ONE, TWO] if now == 10.0 else [])
        deliver_due(database, ALERTS, now, tell)
    assert sorted(tell.told) == [(url, one.title) for url in ("json://a", "json://b") for one in (ONE, TWO)]


def test_who_is_away_is_told_later_and_the_others_not_again(database: Database) -> None:
    tell = Told()
    tell.away = {"json://b"}
    take(database, ALERTS, [ONE, TWO], 10.0)
    delivered = deliver_due(database, ALERTS, 10.0, tell)
    assert delivered == Delivered(0, 2, ("the URL of B is away",))
    assert tell.asked == 3, "who did not take one alert is left alone until the next look"
    tell.away = set()
    assert deliver_due(database, ALERTS, 40.0, tell) == Delivered(2, 0)
    assert deliver_due(database, ALERTS, 70.0, tell) == Delivered()
    assert [url for url, _ in tell.told] == ["json://a", "json://a", "json://b", "json://b"]


def test_what_nobody_wants_to_hear_is_not_kept(database: Database) -> None:
    only = Alerts(("A",), ("failure",), ("shop",))
    assert take(database, only, [ONE, TWO], 10.0) == []
    assert deliver_due(database, only, 10.0, Told()) == Delivered()


def test_an_endpoint_that_is_there_no_more_holds_nothing_up(database: Database) -> None:
    take(database, ALERTS, [ONE], 10.0)
    tell = Told()
    assert deliver_due(database, Alerts(("A",)), 10.0, tell) == Delivered(1, 0)
    assert tell.told == [("json://a", ONE.title)]


def test_two_processes_do_not_tell_the_same(database: Database) -> None:
    take(database, ALERTS, [ONE], 10.0)
    with database.begin() as connection:
        seen.keep(connection, seen.Seen(TURN, "", 10.0, 130.0))
    tell = Told()
    assert deliver_due(database, ALERTS, 20.0, tell) == Delivered(0, 1)
    assert deliver_due(database, ALERTS, 131.0, tell) == Delivered(1, 0), "the other one has died"


def test_many_are_told_over_several_looks(database: Database) -> None:
    causes = [Cause("failure", f"failure/{number}", "p", f"{number}", "") for number in range(45)]
    take(database, ALERTS, causes, 10.0)
    tell = Told()
    waiting = [deliver_due(database, ALERTS, 10.0 + look, tell).waiting for look in range(3)]
    assert waiting == [25, 5, 0]
    assert len(tell.told) == 90


def test_a_cause_that_still_holds_after_a_month_is_told_again(database: Database) -> None:
    take(database, ALERTS, [ONE], 10.0)
    assert take(database, ALERTS, [ONE], 9.0 + LIFETIME) == []
    assert take(database, ALERTS, [ONE], 10.0 + LIFETIME) == [ONE]


def test_without_endpoints_nothing_waits(database: Database, monkeypatch: pytest.MonkeyPatch) -> None:
    assert take(database, Alerts(), [ONE], 10.0) == [ONE], "the tick tells it"
    with database.begin() as connection:
        assert seen.all_of(connection, DUE, 10.0) == []


def test_since_when_a_job_is_watched_stays(database: Database) -> None:
    assert first_seen(database, ["a"], 10.0) == {"a": 10.0}
    assert first_seen(database, ["a", "b"], 20.0) == {"a": 10.0, "b": 20.0}
