"""What triggers over HTTP are told, checked value by value, with the line in a pipeline's file."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_yaml.loading import pipelines_in
from flowhub_assets.nodes.builtin.webhook import Webhook
from flowhub_assets.nodes.signed_triggers import is_credential_header
from flowhub_assets.nodes.validation import problems_in


def test_one_key_or_several() -> None:
    for keys in ("SHOP_KEY", ["SHOP_KEY", "OLD_KEY"]):
        config = Webhook.Config.model_validate(
            {"signature": "github", "keys": keys, "wait": "5m", "headers": ["X-Shop"]}
        )
        assert config.keys[0] == "SHOP_KEY"
        assert (config.wait, config.headers, config.tolerance) == (300, ["x-shop"], 300)


@pytest.mark.parametrize(
    ("config", "place", "what"),
    [
        ({"keys": ["s3cret"]}, ("keys", 0), "the name of an environment variable"),
        ({"keys": ["A"] * 11}, ("keys",), "at most 10"),
        ({"headers": ["Cookie"]}, ("headers", 0), "a credential"),
        ({"headers": ["a b"]}, ("headers", 0), "name of an HTTP header"),
        ({"by": "body.id"}, ("by",), "there is no 'body' here"),
        ({"params": {"city": "trigger."}}, ("params", "city"), "cannot be read"),
        ({"tolerance": 0}, ("tolerance",), "greater than 0"),
        ({"wait": "soon"}, ("wait",), "time such as"),
        ({"mode": "last"}, ("mode",), "'latest'"),
        ({"header": "X A"}, ("header",), "name of an HTTP header"),
    ],
)
def test_each_wrong_value_is_told_at_its_place(config: dict[str, Any], place: tuple[Any, ...], what: str) -> None:
    (problem,) = problems_in(Webhook.Config, config)
    assert problem.path == place
    assert what in problem.what


@pytest.mark.parametrize("name", ["Authorization", "Proxy-Authorization", "COOKIE", "X-Hub-Signature-256", "X-Api-Key"])
def test_headers_that_open_doors(name: str) -> None:
    assert is_credential_header(name)
    assert not is_credential_header("X-GitHub-Event")


def test_a_key_in_a_file_is_told_with_its_line_and_not_shown() -> None:
    text = (
        "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: p}\n"
        "trigger:\n  type: webhook\n  signature: github\n  keys:\n    - very-secret\n"
        "nodes: [{id: a, type: log, inputs: {message: hi}}]\n"
    )
    with pytest.raises(DefinitionError) as caught:
        pipelines_in(text, "/p/p.yaml")
    assert "/p/p.yaml:8" in str(caught.value)
    assert "very-secret" not in str(caught.value)
