"""Steps of pipelines of nodes in pods: in an image that has flowhub_assets, and, where Python, in a bare one."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.from_yaml.loading import load_file
from flowhub_assets.ir.encoding import to_dict
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.finding import load_nodes
from flowhub_assets_tests.checkout import ROOT
from flowhub_assets_tests.pods.bare_pods import Export, bare_python, export

NODES = """\
from flowhub.nodes import Node, NodeContext, NodeInput, NodeOutput, registry


@registry.register
class Twice(Node):
    '''Twice as much.'''

    name = "pod-twice"

    class Input(NodeInput):
        n: int
        fail: bool = False

    class Output(NodeOutput):
        n: int

    def execute(self, input: Input, context: NodeContext) -> Output:
        context.logger.info("twice %s, attempt %s", input.n, context.attempt)
        if input.fail:
            raise ValueError(f"no more than {input.n}")
        return self.Output(n=input.n * 2)
"""

TOTALS = "def total(args):\n    return {'total': args['n'] + 1}\n"

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: numbers}
params: {n: {type: integer, default: 3}}
nodes:
  - {id: first, type: pod-twice, inputs: {n: "{{params.n}}"}}
  - {id: second, type: pod-twice, inputs: {n: "{{first.output.n}}"}}
  - {id: never, type: pod-twice, inputs: {n: 1}, when: "first.output.n > 1000"}
  - {id: behind, type: pod-twice, inputs: {n: 5}}
  - {id: tolerated, type: pod-twice, inputs: {n: 2, fail: true}, continueOnError: true, retry: {times: 1}}
  - id: each
    type: loop
    config: {items: "{{[1, 2]}}", result: one}
    nodes:
      - {id: one, type: pod-twice, inputs: {n: "{{item + first.output.n + params.n}}"}}
  - {id: all, type: template, inputs: {template: "{{each.output}}"}}
  - id: python
    task: {function: total, file: totals.py}
    needs: [first]
edges:
  - {from: first, to: second}
  - {from: first, to: never}
  - {from: never, to: behind}
  - {from: first, to: each}
  - {from: each, to: all}
onFailure: {id: alarm, type: template, inputs: {template: "{{failure.error}}"}}
finally:
  - {id: end, type: template, inputs: {template: "{{failure.error}}"}}
"""


FILES = {"pod_nodes.py": NODES, "totals.py": TOTALS}


@pytest.fixture(scope="module")
def pipeline(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pipeline]:
    """The pipeline as it is read: the kinds of its file are known in this process meanwhile."""
    place = tmp_path_factory.mktemp("written")
    for name, text in {**FILES, "numbers.yaml": PIPELINE}.items():
        (place / name).write_text(text, "utf-8")
    assert [str(one.error) for one in load_nodes(str(place))] == ["None"]
    yield load_file(str(place / "numbers.yaml"))[0].pipeline
    registry.forget("pod-twice")


@pytest.fixture
def numbers(tmp_path: Path, pipeline: Pipeline) -> Export:
    """Its export for this Python, which stands for our own image."""
    told: dict[str, Any] = {"file": "numbers.yaml", "flow": "numbers", "kind": "data", "pipeline": to_dict(pipeline)}
    made = export(tmp_path, sys.executable, FILES, **told)
    return replace(made, module="flowhub_assets.from_yaml.pod").given(PYTHONPATH=str(ROOT))


def test_a_node_with_templates_and_the_log_of_its_context(numbers: Export) -> None:
    first = numbers.run("task", "first", given={"n": 4}, attempt=2)
    assert first.value == {"n": 8}
    assert "twice 4, attempt 2" in first.log
    assert numbers.run("task", "second", outputs={"first": first.document}).value == {"n": 16}


def test_a_condition_that_does_not_hold_is_a_skip(numbers: Export) -> None:
    ended = numbers.run("task", "never", outputs={"first": {"value": {"n": 2}}})
    assert ended.code == 0
    assert ended.document == {"skipped": "its condition does not hold: first.output.n > 1000"}
    assert "never is skipped" in ended.log


def test_a_failure_that_is_tolerated_becomes_a_value_once_no_try_is_left(numbers: Export) -> None:
    assert numbers.run("task", "tolerated", attempt=1, last=False).failure["retry"] is True
    ended = numbers.run("task", "tolerated", attempt=3, last=True)
    assert ended.value == {"error": {"message": "no more than 2", "type": "ValueError"}}
    assert "The run goes on" in ended.log


def test_a_loop_of_nodes(numbers: Export) -> None:
    first = {"value": {"n": 10}}
    listed = numbers.run("items", "each", outputs={"first": first})
    assert listed.document is not None
    assert listed.document["items"] == 2
    outputs = {"first": first, "each/items": listed.document}
    made = [numbers.run("iteration", "each", index=index, outputs=outputs).document for index in range(2)]
    assert made[1] == {"value": {"result": {"n": 30}}}
    loop = {"loop": {"into": "results", "items": listed.document, "results": made}}
    assert numbers.run("task", "all", outputs={"each": loop}).value == {"result": [{"n": 28}, {"n": 30}]}


def test_a_group_has_a_result_for_each_of_its_tasks(numbers: Export) -> None:
    ended = numbers.run("group", "first", "second", "never", "behind", given={"n": 1})
    assert ended.document == {
        "tasks": {
            "first": {"value": {"n": 2}},
            "second": {"value": {"n": 4}},
            "never": {"skipped": "its condition does not hold: first.output.n > 1000"},
            "behind": {"skipped": "not chosen: never was skipped"},
        }
    }
    assert "first: twice 1, attempt 1" in ended.log
    assert "flowhub: second succeeded in" in ended.log
    assert "flowhub: behind skipped: not chosen" in ended.log


def test_a_group_that_is_behind_a_skipped_task(numbers: Export) -> None:
    ended = numbers.run("group", "never", "behind", skipped=["first"])
    assert ended.document is not None
    assert ended.document["tasks"]["behind"] == {"skipped": "not chosen: never was skipped"}


def test_a_group_keeps_what_was_made_before_it_failed(numbers: Export) -> None:
    pipeline = numbers.folder / "pipeline.json"
    pipeline.write_text(pipeline.read_text("utf-8").replace('"continue_on_error": true', '"continue_on_error": false'))
    ended = numbers.run("group", "first", "tolerated", given={"n": 1})
    assert ended.failure["failed_task"] == "tolerated"
    assert ended.failure["error"] == "no more than 2"
    assert ended.failure["retry"] is False
    assert ended.document is not None
    assert ended.document["tasks"] == {"first": {"value": {"n": 2}}}
    assert "tolerated will be tried again" in ended.log


def test_what_ends_a_run_is_told_of_its_failure(numbers: Export) -> None:
    failure = {"failed_task": "first", "error": "gone", "error_type": "ValueError", "traceback": "t", "at": 1.5}
    assert numbers.run("failure", "alarm", failure=failure).value == {"result": "gone"}
    assert numbers.run("finally", "end", failure=failure).value == {"result": "gone"}
    assert numbers.run("finally", "end", failure=None).value == {"result": None}


def test_params_are_checked_against_their_schema(numbers: Export) -> None:
    ended = numbers.run("task", "first", given={"n": "four"})
    assert ended.failure["error_type"] == "InputError"
    assert "Traceback" not in ended.log


def test_a_function_of_a_pipeline_runs_in_a_bare_image(numbers: Export, tmp_path: Path) -> None:
    bare = Export(bare_python(tmp_path / "python"), numbers.folder)
    assert bare.run("task", "python", outputs={"first": {"value": {"n": 2}}}).value == {"total": 3}
