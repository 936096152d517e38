from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.nodes.http.connection import http_connection


@pytest.mark.parametrize(
    ("profile", "headers"),
    [
        ({}, {}),
        ({"API_TOKEN": "t"}, {"Authorization": "Bearer t"}),
        ({"API_API_KEY": "k"}, {"X-Key": "k"}),
        ({"API_USER": "u", "API_PASSWORD": "p"}, {"Authorization": "Basic dTpw"}),
        ({"API_USER": "u", "API_PASSWORD": "p", "API_API_KEY": "k"}, {"Authorization": "Basic dTpw", "X-Key": "k"}),
        ({"API_URL": "https://u:p@h/v1"}, {"Authorization": "Basic dTpw"}),
        ({"API_URL": "https://u:p@h/v1", "API_USER": "u2", "API_PASSWORD": "p"}, {"Authorization": "Basic dTI6cA=="}),
    ],
)
def test_what_is_sent(profile: dict[str, Any], headers: dict[str, str]) -> None:
    connection = http_connection({"API_URL": "https://h/v1", **profile}, "api", "X-Key")
    assert (connection.url, connection.headers) == ("https://h/v1", headers)


def test_the_environment_fills_in(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MY_API_URL", "http://h")
    monkeypatch.setenv("MY_API_TOKEN", "from-environment")
    monkeypatch.setenv("OTHER", "named")
    assert http_connection({}, "my-api", "X").headers == {"Authorization": "Bearer from-environment"}
    named = http_connection({"MY_API_TOKEN": {"env": "OTHER"}}, "my-api", "X")
    assert named.headers == {"Authorization": "Bearer named"}


def test_nothing_secret_is_in_its_repr() -> None:
    profile = {"API_URL": "https://u:pass-word@h", "API_API_KEY": "a-key"}
    connection = http_connection(profile, "api", "X-Key")
    assert "pass-word" not in repr(connection)
    assert "a-key" not in repr(connection)
    assert {"pass-word", "a-key", "dTpwYXNzLXdvcmQ="} <= set(connection.secrets)


@pytest.mark.parametrize(
    ("profile", "told"),
    [
        ({"API_URL": "h:8000"}, "not an http or https address"),
        ({"API_URL": "ftp://u:pass-word@h"}, "not an http or https address"),
        ({"API_URL": "http://u:pass-word@h:port/"}, "not an http or https address"),
        ({"API_URL": "http://[::1"}, "not an http or https address"),
        ({"API_TOKEN": "pass-word", "API_API_KEY": "k"}, "more than one credential"),
        ({"API_TOKEN": "pass-word\nX: 1"}, "characters that no header may have"),
        ({"API_TOKEN": "암호-pass-word"}, "characters that no header may have"),
        ({"API_TOKEN": {"env": "NOT_SET_ANYWHERE"}}, "NOT_SET_ANYWHERE"),
    ],
)
def test_what_is_wrong_is_told_without_the_value(profile: dict[str, Any], told: str) -> None:
    with pytest.raises(ProfileError, match=told) as caught:
        http_connection({"API_URL": "https://h", **profile}, "api", "authorization")
    assert "pass-word" not in str(caught.value)
    assert caught.value.remedy
