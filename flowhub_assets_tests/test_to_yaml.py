"""A pipeline written as YAML and read again is the same pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, given, settings

from flowhub_assets.from_yaml.loading import pipelines_in
from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.to_yaml import document, to_yaml
from flowhub_assets_tests.from_yaml.kinds_for_tests import kinds
from flowhub_assets_tests.from_yaml.random_pipelines import HERE, normal, pipelines


@pytest.fixture(autouse=True, scope="module")
def _kinds() -> Iterator[None]:
    with kinds():
        yield


@given(pipelines())
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_is_read_as_the_same(pipeline: Pipeline) -> None:
    assert problems(pipeline) == []
    text = to_yaml(pipeline)
    (read,) = pipelines_in(text, HERE.file)
    assert normal(read) == normal(pipeline)
    assert to_yaml(read) == text


@given(pipelines())
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_the_same_object_as_json_is_read_as_the_same(pipeline: Pipeline) -> None:
    (read,) = pipelines_in(json.dumps(document(pipeline)), "/pipelines/flow.json")
    assert normal(read) == normal(pipeline)
