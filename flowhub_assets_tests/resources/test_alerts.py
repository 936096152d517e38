"""Who is told of what: the table of pyproject.toml, the variables that hold URLs, and real deliveries by Apprise."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.resources.alerts import EVENTS, Alerts, Endpoint, alerts_of, deliver
from flowhub_assets.resources.settings import read_settings
from flowhub_assets_tests.http_server import Answer, http_server
from flowhub_assets_tests.loopback_server import free_port

WHERE = Path("/project/pyproject.toml")


def test_the_table_of_a_project(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.flowhub.alerts]\nurls = [{ env = "TEAM_SLACK_URL" }]\nevents = ["failure"]\npipelines = ["shop-*"]\n'
        'ui = "https://dagster.example.com/"\n'
    )
    found = read_settings({}, tmp_path).alerts
    assert found == Alerts(("TEAM_SLACK_URL",), ("failure",), ("shop-*",), "https://dagster.example.com")
    assert found.wants("failure", "shop-orders")
    assert not found.wants("failure", "voices")
    assert not found.wants("deadline", "shop-orders")
    assert read_settings({}, tmp_path.parent).alerts == Alerts()


def test_without_a_word_everything_is_told() -> None:
    assert all(Alerts().wants(event, "any") for event in EVENTS)
    some = Alerts(pipelines=("shop",))
    assert some.wants("daemon", ""), "what concerns no pipeline concerns everybody"
    assert not some.wants("failure", "other")


@pytest.mark.parametrize(
    ("told", "what", "remedy"),
    [
        ("slack", "it is a str, not a table", "[tool.flowhub.alerts]"),
        ({"url": []}, "it has no setting 'url'", "did you mean 'urls'?"),
        ({"urls": "slack://secret-token"}, "urls is no list", "the name of a variable"),
        ({"urls": ["slack://secret-token"]}, "one of urls is no variable's name", "the name of a variable"),
        ({"urls": [{"env": "A", "url": "slack://secret-token"}]}, "one of urls is no variable's name", "variable"),
        ({"events": ["fail"]}, "there is no event 'fail'", "failure"),
        ({"events": "failure"}, "events is no list of texts", '["failure"]'),
        ({"pipelines": [1]}, "pipelines is no list of texts", '["orders"]'),
        ({"ui": 3}, "ui is a int", "https://"),
    ],
)
def test_what_is_wrong_is_told_without_a_url(told: Any, what: str, remedy: str) -> None:
    with pytest.raises(ProfileError) as raised:
        alerts_of({"alerts": told}, WHERE)
    assert what in raised.value.what
    assert remedy in raised.value.remedy
    assert "secret-token" not in str(raised.value)


def test_urls_come_from_variables_each_once() -> None:
    environment = {"A": "json://a", "B": " json://b\n", "FLOWHUB_ALERTS": "json://c json://a"}
    found = Alerts(("A", "B", "MISSING")).endpoints(environment)
    assert [(one.name, one.url) for one in found] == [
        ("the URL of A", "json://a"),
        ("the URL of B", "json://b"),
        ("the URL of MISSING", ""),
        ("URL 1 of FLOWHUB_ALERTS", "json://c"),
    ]
    assert "json" not in repr(found)
    assert len({one.id for one in found}) == 4


def test_an_alert_arrives() -> None:
    with http_server() as server:
        server.on("/in", Answer.json({}))
        endpoint = Endpoint("the URL of A", f"json://127.0.0.1:{server.port}/in")
        assert deliver(endpoint, "orders: a run has failed", "run 7") == ""
        told = server.requests[0].json()
        assert (told["title"], told["message"], told["type"]) == ("orders: a run has failed", "run 7", "failure")


def test_who_cannot_be_told_is_named_without_the_url(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    with http_server() as server:
        server.on("/in", Answer(status=500))
        refusing = Endpoint("the URL of A", f"json://user:secret-word@127.0.0.1:{server.port}/in")
        assert deliver(refusing, "title", "text") == "the URL of A did not take it"
    away = Endpoint("the URL of A", f"json://user:secret-word@127.0.0.1:{free_port()}/in")
    assert deliver(away, "title", "text") == "the URL of A did not take it"
    assert deliver(Endpoint("the URL of A", "nothing"), "t", "x") == "the URL of A is no URL that Apprise understands"
    assert deliver(Endpoint("the URL of A", ""), "t", "x") == "the URL of A is not set"
    assert "secret-word" not in caplog.text
