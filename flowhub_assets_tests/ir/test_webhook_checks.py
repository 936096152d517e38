"""What a webhook's trigger is told: the names of its keys, never the keys, and nothing that would have no effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import Pipeline, Source
from flowhub_assets.ir.triggers import Trigger
from flowhub_assets.ir.webhook_checks import WEBHOOK_KEYS, is_key_name
from flowhub_assets.nodes.builtin.webhook import Webhook
from flowhub_assets_tests.ir.pipelines_as_data import messages, pipeline_of, task_of

SIGNED = {"signature": "github", "keys": ["SHOP_KEY"]}
FILE = Source("shop.py", 3)


def started_by(trigger: Trigger) -> Pipeline:
    return replace(pipeline_of(task_of("a"), triggers=(trigger,)), source=FILE)


@pytest.mark.parametrize(
    "config",
    [
        {},
        {"path": "orders", "methods": ["PUT"], "headers": ["X-Shop"], "response": "async"},
        SIGNED,
        {"signature": "standard-webhooks", "keys": "SHOP_KEY", "tolerance": 60},
        {"signature": "stripe", "keys": ["NEW_KEY", "OLD_KEY"], "header": "X-Shop-Signature"},
        {"signature": "none", "mode": "latest", "by": "trigger.body.id", "params": {"city": "trigger.body.city"}},
        {"mode": "debounce", "wait": 30},
    ],
)
def test_what_is_fine(config: dict[str, Any]) -> None:
    assert messages(started_by(Trigger("webhook", config=config))) == []


@pytest.mark.parametrize(
    ("config", "message", "remedy"),
    [
        ({"pth": "orders"}, "'pth'", "did you mean 'path'?"),
        ({"signature": "githb", "keys": ["A"]}, "the signature of the webhook is not known", "did you mean 'github'?"),
        ({"signature": "github"}, "and no keys", "keys: [SHOP_WEBHOOK_KEY]"),
        ({"keys": ["SHOP_KEY"]}, "keys, and no signature", "standard-webhooks"),
        ({"signature": "none", "keys": ["SHOP_KEY"]}, "keys, and no signature", "standard-webhooks"),
        ({**SIGNED, "keys": [{"env": "SHOP_KEY"}]}, "no name of an environment variable", "write its name"),
        ({**SIGNED, "header": "X-A"}, "a header for its signature", "leave it out"),
        ({"mode": "last"}, "the mode of the webhook is 'last'", "each, latest"),
        ({"response": "soon"}, "the response of the webhook is 'soon'", "sync"),
        ({"mode": "debounce"}, "it has no wait", "wait: 30s"),
        ({"wait": 3}, "no mode: debounce", "add it"),
        ({"by": "trigger.body.id"}, "each delivery starts a run", "mode: latest"),
    ],
)
def test_what_is_wrong(config: dict[str, Any], message: str, remedy: str) -> None:
    (problem,) = problems(started_by(Trigger("webhook", config=config)))
    assert message in problem.what
    assert remedy in problem.remedy
    assert problem.where == FILE


@pytest.mark.parametrize(
    "key",
    [
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "It's a Secret to Everybody",
        "AKIAIOSFODNN7EXAMPLE",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "5F4DCC3B5AA765D61D8327DEB882CF99",
        "MFRGGZDFMZTWQ2LKNNWG23TPOBYXE43U",
        "",
        "A\n",
    ],
)
def test_a_key_itself_is_refused_and_not_shown(key: str) -> None:
    for kind in ("webhook", "object-arrival"):
        config = {"signature": "github", "keys": ["SHOP_KEY", key]}
        (problem,) = problems(started_by(Trigger(kind, config=config)))
        assert "no name of an environment variable" in problem.what
        assert not key or key not in f"{problem.what} {problem.effect} {problem.remedy}"


@given(
    st.lists(
        st.text("ABCXYZ09", min_size=1, max_size=16).filter(lambda word: word[0].isalpha()), min_size=1, max_size=5
    )
)
def test_names_in_capitals_are_names(words: list[str]) -> None:
    assert is_key_name("_".join(words))
    assert not is_key_name("_".join(words).lower())


def test_the_keys_are_those_of_the_node() -> None:
    assert set(WEBHOOK_KEYS) == set(Webhook.Config.model_fields)
