"""Which hook a path leads to, and which keys may sign: one pipeline never gets what is another's."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import NotFound, Unavailable
from flowhub_assets.from_yaml.loading import pipelines_in
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.nodes.builtin.webhook import Webhook
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.server.catalogue import Entry
from flowhub_assets.server.hooks.finding import Hook, find_hook, signing_keys

TEXT = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {{name: {name}}}
triggers: [{triggers}]
profiles:
  default:
    WORKSPACE: ./tmp
    PLAIN_KEY: from-the-profile
    NAMED_KEY: {{env: OTHER_NAME}}
    FAR_KEY: {{secret: {{name: a}}}}
nodes: [{{id: a, type: log, inputs: {{message: hi}}}}]
"""


def pipeline(name: str, *triggers: str) -> Pipeline:
    (found,) = pipelines_in(TEXT.format(name=name, triggers=", ".join(triggers)), f"/p/{name}.yaml")
    return found


def entry(name: str, *triggers: str) -> Entry:
    def nothing(_runnable: Runnable) -> Any:
        raise AssertionError

    return Entry(Runnable(pipeline(name, *triggers), {}), nothing)


ENTRIES = [
    entry("my-shop", "{type: webhook}", "{type: webhook, path: /code/push/}"),
    entry("files", "{type: object-arrival, prefix: in/}", "{type: webhook, path: told}"),
    entry("both", "{type: object-arrival}", "{type: webhook}"),
    entry("thief", "{type: webhook, path: my-shop}"),
    entry("one", "{type: webhook, path: shared}"),
    entry("two", "{type: webhook, path: shared}"),
    entry("timed", "{type: cron, schedule: '@daily'}"),
]


@pytest.mark.parametrize(
    ("path", "name", "kind"),
    [
        ("my-shop", "my-shop", "webhook"),
        ("my_shop", "my-shop", "webhook"),
        ("code/push", "my-shop", "webhook"),
        ("/code/push/", "my-shop", "webhook"),
        ("files", "files", "object-arrival"),
        ("told", "files", "webhook"),
        ("both", "both", "webhook"),
    ],
)
def test_the_hook_of_a_path(path: str, name: str, kind: str) -> None:
    hook = find_hook(ENTRIES, path)
    assert (hook.entry.pipeline.name, hook.kind) == (name, kind)


@pytest.mark.parametrize("path", ["shared", "timed", "thief", "", "code", "code/push/more", "MY-SHOP"])
def test_no_hook(path: str) -> None:
    with pytest.raises(NotFound) as caught:
        find_hook(ENTRIES, path)
    # Who asks is not known yet: nothing is told of other pipelines.
    assert "shop" not in str(caught.value)


def hook_of(*keys: str, signature: str = "github") -> tuple[Hook, Webhook.Config]:
    config = {"signature": signature, "keys": list(keys)}
    return Hook(ENTRIES[0], "webhook", "my-shop", config), Webhook.Config.model_validate(config)


def test_keys_are_the_profiles_or_the_environments_in_their_order(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OTHER_NAME", "named")
    monkeypatch.setenv("PLAIN_KEY", "not this one")
    monkeypatch.setenv("BARE_KEY", " newest \n\n older\n")
    monkeypatch.delenv("ABSENT_KEY", raising=False)
    found = signing_keys(*hook_of("BARE_KEY", "NAMED_KEY", "PLAIN_KEY", "ABSENT_KEY"))
    assert found == ["newest", "older", "named", "from-the-profile"]


@pytest.mark.parametrize(
    ("name", "value", "signature"),
    [
        ("ABSENT_KEY", None, "github"),
        ("ABSENT_KEY", "", "github"),
        ("ABSENT_KEY", " \n ", "github"),
        ("ABSENT_KEY", "no base64!", "standard-webhooks"),
        ("NAMED_KEY", None, "github"),
        ("FAR_KEY", "from the environment", "github"),
    ],
)
def test_without_a_key_nobody_gets_in(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, name: str, value: str | None, signature: str
) -> None:
    monkeypatch.delenv("OTHER_NAME", raising=False)
    if value is None:
        monkeypatch.delenv(name, raising=False)
    else:
        monkeypatch.setenv(name, value)
    with pytest.raises(Unavailable) as caught:
        signing_keys(*hook_of(name, signature=signature))
    assert name not in str(caught.value)
    assert name in caplog.text
    assert not value or not value.strip() or value not in caplog.text


def test_a_config_that_is_wrong_lets_nobody_in(caplog: pytest.LogCaptureFixture) -> None:
    hook = Hook(ENTRIES[0], "webhook", "my-shop", {"signature": "github", "keys": ["s3cret"]})
    with pytest.raises(Unavailable):
        hook.checked()
    assert "keys" in caplog.text
    assert "s3cret" not in caplog.text
