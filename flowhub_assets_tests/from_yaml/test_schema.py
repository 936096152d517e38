"""The JSON Schema agrees with what the check says."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jsonschema
import pytest
import yaml
from hypothesis import HealthCheck, given, settings

from flowhub_assets.from_yaml.schema import DIALECT, schema
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.nodes import registry
from flowhub_assets.to_yaml import document
from flowhub_assets_tests.from_yaml.kinds_for_tests import kinds
from flowhub_assets_tests.from_yaml.random_pipelines import pipelines

ARTICLES = Path(__file__).with_name("article-generator.yaml")


@pytest.fixture(autouse=True, scope="module")
def _kinds() -> Iterator[None]:
    with kinds():
        yield


@pytest.fixture(scope="module")
def validator(_kinds: None) -> jsonschema.Draft202012Validator:
    found = schema()
    jsonschema.Draft202012Validator.check_schema(found)
    assert found["$schema"] == DIALECT
    assert json.loads(json.dumps(found)) == found
    return jsonschema.Draft202012Validator(found)


def fits(validator: jsonschema.Draft202012Validator, node: dict[str, Any] | None = None, **more: Any) -> bool:
    nodes = [{"id": "a", "type": "test-strict", "inputs": {"prompt": "x"}} if node is None else node]
    whole = {"apiVersion": "flume/v1", "kind": "Pipeline", "metadata": {"name": "p"}, "nodes": nodes, **more}
    return bool(validator.is_valid(whole))


def test_the_article_generator_fits(validator: jsonschema.Draft202012Validator) -> None:
    validator.validate(yaml.safe_load(ARTICLES.read_text("utf-8")))


def test_every_kind_and_its_fields_are_there(validator: jsonschema.Draft202012Validator) -> None:
    found: Any = validator.schema
    assert found["$defs"]["node"]["properties"]["type"]["enum"] == registry.names()
    assert found["$defs"]["http-request.config"]["properties"]["url"]["description"]
    assert found["$defs"]["trigger"]["properties"]["schedule"]["description"]


@pytest.mark.parametrize("kind", registry.names())
def test_the_example_of_each_kind_fits(validator: jsonschema.Draft202012Validator, kind: str) -> None:
    for node in yaml.safe_load(registry.get(kind).example or "[]"):
        validator.validate({"apiVersion": "flume/v1", "kind": "Pipeline", "metadata": {"name": "p"}, "nodes": [node]})


PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"


@pytest.mark.parametrize(
    "node",
    [
        {"id": "a", "type": "test-strict", "inputs": {"prompt": "x", "times": 3}},
        {"id": "a", "type": "test-strict", "inputs": {"prompt": "x", "times": "{{b.output}}"}},
        {"id": "a", "type": "test-strict", "config": {"maxTokens": 3}, "inputs": {"prompt": "x"}},
        {"id": "a", "type": "test-strict", "config": {"max_tokens": "{{b}}"}, "inputs": {"prompt": "x"}},
        {"id": "a", "type": "test-open", "config": {"anything": 1}, "retry": 3, "timeout": "10m", "when": True},
        {"id": "a", "type": "loop", "config": {"items": "{{b.output}}"}, "nodes": [{"id": "c", "type": "test-open"}]},
        {"id": "a", "task": {"function": "f", "file": "x.py"}},
        {"id": "a", "type": "condition", "config": {"if": "b.output > 3"}},
        {"id": "a", "type": "test-open", "asset": {"key": ["x"], "check": "output > 1"}, "placement": {"cpu": 2}},
        {"id": "a", "type": "test-open", "placement": {"gpu": "a100:2", "activeDeadline": "1h", "labels": {"a": "b"}}},
    ],
)
def test_good_nodes(validator: jsonschema.Draft202012Validator, node: dict[str, Any]) -> None:
    assert fits(validator, node)


@pytest.mark.parametrize(
    "node",
    [
        {"type": "test-open"},
        {"id": "a"},
        {"id": "a", "type": "test-opne"},
        {"id": "a", "type": "test-open", "confg": {}},
        {"id": "a", "type": "test-strict"},
        {"id": "a", "type": "test-strict", "inputs": {"promt": "x"}},
        {"id": "a", "type": "test-strict", "inputs": {"prompt": "x", "times": "many"}},
        {"id": "a", "type": "test-strict", "inputs": {"prompt": 3}},
        {"id": "a", "type": "test-strict", "config": {"maxTokens": "many"}, "inputs": {"prompt": "x"}},
        {"id": "a", "type": "test-open", "nodes": [{"id": "c", "type": "test-open"}]},
        {"id": "a", "type": "loop", "config": {"items": [1]}},
        {"id": "a", "type": "loop", "config": {"items": 3}, "nodes": [{"id": "c", "type": "test-open"}]},
        {"id": "a", "type": "loop", "config": {"items": []}, "nodes": [{"id": "c", "type": "test-opne"}]},
        {"id": "a", "type": "test-open", "retry": {"times": -1}},
        {"id": "a", "type": "test-open", "timeout": "soon"},
        {"id": "a", "type": "test-open", "runOn": "GPU"},
        {"id": "a", "type": "test-open", "placement": {"affinity": {"nodeAfinity": {}}}},
        {"id": "a", "type": "test-open", "placement": {"affinity": {"podAffinity": {PREFERRED: [{"weight": 101}]}}}},
        {"id": "a", "type": "test-open", "placement": {"labels": {"a": 1}}},
        {"id": "a", "type": "test-open", "placement": {"imagePullSecrets": "a"}},
        {"id": "a", "type": "test-open", "placement": {"activeDeadline": "soon"}},
        {"id": "a", "type": "test-open", "task": {"function": "f"}},
    ],
)
def test_bad_nodes(validator: jsonschema.Draft202012Validator, node: dict[str, Any]) -> None:
    assert not fits(validator, node)


@pytest.mark.parametrize(
    ("good", "bad"),
    [
        ({"trigger": {"type": "cron", "schedule": "@daily"}}, {"trigger": {"type": "cron"}}),
        ({"trigger": {"type": "webhook", "path": "x"}}, {"trigger": {"type": "webhook", "path": 3}}),
        (
            {"trigger": {"type": "webhook", "signature": "github", "keys": ["SHOP_KEY"]}},
            {"trigger": {"type": "webhook", "signature": "github", "keys": ["s3cret"]}},
        ),
        ({"trigger": {"type": "interval", "every": 30}}, {"trigger": {"type": "corn"}}),
        ({"params": {"a": {"type": "string"}}}, {"params": {"a": "x"}}),
        ({"params": {"a": {"type": "string"}}}, {"params": {"a": {"type": "strin"}}}),
        ({"edges": [{"from": "a", "to": "b", "when": True}]}, {"edges": [{"from": "a"}]}),
        ({"onFailure": {"id": "t", "type": "test-open"}}, {"onFailure": [{"id": "t", "type": "test-open"}]}),
        ({"concurrency": 2}, {"concurrency": 0}),
        ({"imagePullSecrets": ["a"]}, {"imagePullSecrets": "a"}),
        ({"metadata": {"name": "p", "labels": {"a": "b"}}}, {"metadata": {"name": "p", "labels": ["a"]}}),
        ({}, {"onFailur": {}}),
        ({}, {"metadata": {}}),
        ({}, {"apiVersion": "flume/v2"}),
    ],
)
def test_pipelines(validator: jsonschema.Draft202012Validator, good: dict[str, Any], bad: dict[str, Any]) -> None:
    assert fits(validator, **good)
    assert not fits(validator, **bad)


@given(pipelines())
@settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture]
)
def test_whatever_is_written_fits(validator: jsonschema.Draft202012Validator, pipeline: Pipeline) -> None:
    validator.validate(document(pipeline))
