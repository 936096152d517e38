"""A connection's name becomes a URL: from the profile, from a variable that it names, from the environment."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.nodes import Node, NodeContext, registry
from flowhub_assets.nodes.connections import connection_key, connection_url
from flowhub_assets.nodes.validation import problems_in

URL = "mongodb://admin:hunter2@db/"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("MONGODB_URL", "SHOP_DB_URL", "ELSEWHERE"):
        monkeypatch.delenv(name, raising=False)


def test_a_name_becomes_a_key() -> None:
    assert [connection_key(name) for name in ("mongodb", "shop-db", "Shop.db")] == [
        "MONGODB_URL",
        "SHOP_DB_URL",
        "SHOP_DB_URL",
    ]


def test_the_profile_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MONGODB_URL", "mongodb://environment/")
    assert connection_url({}, "mongodb") == "mongodb://environment/"
    assert connection_url({"MONGODB_URL": URL}, "mongodb") == URL
    assert NodeContext(profile={"MONGODB_URL": f" {URL}\n"}).connection("mongodb") == URL


def test_the_profile_may_name_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    profile = {"MONGODB_URL": {"env": "ELSEWHERE"}}
    with pytest.raises(ProfileError, match="'ELSEWHERE', which is not set"):
        connection_url(profile, "mongodb")
    monkeypatch.setenv("ELSEWHERE", URL)
    assert connection_url(profile, "mongodb") == URL


def test_a_missing_connection_names_what_to_set_and_the_nearest_key() -> None:
    with pytest.raises(ProfileError, match=r"there is no connection 'mongodb': neither .* has MONGODB_URL") as raised:
        connection_url({"MONGO_URL": URL}, "mongodb")
    assert "did you mean 'MONGO_URL'?" in raised.value.remedy
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize("value", ["", "  ", 3, None, ["hunter2"], {"env": 3}, {"env": "A", "name": "hunter2"}])
def test_what_is_no_url_is_told_without_its_value(value: Any) -> None:
    with pytest.raises(ProfileError) as raised:
        connection_url({"MONGODB_URL": value}, "mongodb")
    assert "MONGODB_URL" in str(raised.value)
    assert "hunter2" not in str(raised.value)


CONNECTED = [kind for kind in registry.all() if kind.Config and "connection" in kind.Config.model_fields]


@pytest.mark.parametrize("kind", CONNECTED, ids=lambda kind: kind.name)
def test_a_url_in_place_of_a_connection_is_refused_and_not_told(kind: type[Node]) -> None:
    assert kind.Config
    problems = problems_in(kind.Config, {"connection": "https://me:planted@host/path"})
    (problem,) = [one for one in problems if one.path == ("connection",)]
    assert "planted" not in f"{problem.what} {problem.remedy}"
    assert "is a URL" in problem.what
