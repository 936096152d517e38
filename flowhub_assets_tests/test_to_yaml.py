"""A pipeline written as YAML and read again is the same pipeline."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings

import flowhub_assets
from flowhub_assets.from_python.loading import load_file
from flowhub_assets.from_yaml.loading import pipelines_in
from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import FLOW_INPUT, Node, Pipeline, Task
from flowhub_assets.to_yaml import document, to_yaml
from flowhub_assets_tests.from_yaml.kinds_for_tests import kinds
from flowhub_assets_tests.from_yaml.random_pipelines import HERE, normal, pipelines, texts


@pytest.fixture(autouse=True, scope="module")
def _kinds() -> Iterator[None]:
    with kinds():
        yield


@given(pipelines())
@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
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


FLOWS = sorted(str(path) for path in (Path(flowhub_assets.__file__).parent / "pipelines").glob("*/workflow.py"))


@pytest.mark.parametrize("file", FLOWS)
def test_the_shipped_flows_are_written_and_read(file: str) -> None:
    for runnable in load_file(file):
        pipeline = runnable.pipeline
        (read,) = pipelines_in(to_yaml(pipeline), file.replace(".py", ".yaml"))
        assert normal(read) == normal(pipeline)


def test_the_article_generator_is_written_as_it_was() -> None:
    text = (Path(__file__).parent / "from_yaml" / "article-generator.yaml").read_text("utf-8")
    (pipeline,) = pipelines_in(text, HERE.file)
    said = [line.partition(" #")[0].rstrip() for line in text.splitlines() if not line.lstrip().startswith("#")]
    assert to_yaml(pipeline).splitlines() == said


@given(texts)
@example("a: b")
@example("# no comment")
@example("first\n  second\n\nthird\n\n\n")
@example("trailing \nblank")
@example(" leading\nblank")
@example("\x85 \u2028 \ufeff \t \r\n")
@example("\U0010ffff \x00 \x7f \x9f")
def test_texts_come_back(text: str) -> None:
    values = {text: text, "list": [text, {text: [text]}]}
    pipeline = Pipeline("p", (Task("a", (FLOW_INPUT,), HERE, "f"),), HERE, variables=values, result=("a",))
    (read,) = pipelines_in(to_yaml(pipeline), HERE.file)
    assert read.variables == values


def test_long_texts_are_blocks_and_odd_words_quoted() -> None:
    node = Node(
        "test-open", {}, {"prompt": "주제: {{variables.on}}\n\n쓰세요.\n", "yes": "no", "path": "./tmp", "n": "12"}
    )
    task = Task("a", (FLOW_INPUT,), HERE, merge=False, node=node, run_on="engine")
    pipeline = Pipeline("p", (task,), HERE, result=("a",), variables={"on": "off", "x": 'it\'s "so"'})
    assert (
        to_yaml(pipeline)
        == """\
apiVersion: flume/v1
kind: Pipeline
metadata:
  name: p
variables:
  "on": "off"
  x: 'it''s "so"'
nodes:
  - id: a
    type: test-open
    inputs:
      prompt: |
        주제: {{variables.on}}

        쓰세요.
      "yes": "no"
      path: ./tmp
      "n": "12"
"""
    )
