"""Exported pipelines in a real Airflow: rules of skipping, tolerating and telling that the local runtime has."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import pytest

from flowhub_assets_tests.airflow.environments import Environment
from flowhub_assets_tests.airflow.export_lab import Case, Ended, run_cases, run_locally
from flowhub_assets_tests.airflow.fixtures import airflow  # noqa: F401 - a fixture


def _file(body: str, **more: Any) -> Case:
    text = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: shape}\n" + dedent(body)
    return Case(text, "pipeline.yaml", **more)


def _script(result: str) -> str:
    return f"{{script: result = {result}}}"


#: ``maybe`` and ``big`` are skipped inside of a pod that they share with ``start``; python has pods of its own.
_SKIPPED_IN_A_GROUP = f"""
nodes:
  - {{id: start, type: template, inputs: {{template: "{{{{1}}}}"}}}}
  - {{id: maybe, type: template, inputs: {{template: "{{{{start.output}}}}"}}, when: "start.output > 1"}}
  - {{id: big, type: condition, config: {{if: "start.output > 0"}}, when: "start.output > 1"}}
  - {{id: heavy, type: python, config: {_script("1")}}}
  - {{id: behind, type: python, config: {_script("args")}, inputs: {{args: {{maybe: "{{{{maybe.output}}}}"}}}}}}
  - {{id: chosen, type: python, config: {_script("2")}}}
  - id: end
    type: python
    config: {_script("args")}
    inputs:
      args: {{behind: "{{{{behind.skipped}}}}", maybe: "{{{{maybe.skipped}}}}", heavy: "{{{{heavy.output}}}}"}}
edges:
  - {{from: big, to: chosen, when: "true"}}
"""

#: The pod that makes the list is evicted; what a loop tolerates is its value.
_LOST_LIST = """
nodes:
  - id: each
    type: loop
    config: {items: [1, 2], result: one}
    continueOnError: true
    nodes:
      - {id: one, type: template, inputs: {template: "{{item}}"}}
  - {id: after, type: template, inputs: {template: "{{each.error.type}}"}}
"""

#: ``big`` has no answer, and the run goes on: no side is taken.
_NO_DECISION = """
nodes:
  - {id: start, type: template, inputs: {template: "{{3}}"}}
  - {id: big, type: condition, config: {if: "start.output / 0 > 1"}, continueOnError: true}
  - {id: many, type: template, inputs: {template: many}}
  - {id: few, type: template, inputs: {template: few}}
  - {id: end, type: template, inputs: {template: "{{start.output}} {{many.skipped}}"}}
edges:
  - {from: big, to: many, when: "true"}
  - {from: big, to: few, when: "false"}
"""

#: What cannot travel from pod to pod is no failure of the task's own, which is all that it tolerates.
_TOO_LARGE = f"""
nodes:
  - {{id: large, type: python, config: {_script("'x' * 50_000")}, continueOnError: true}}
  - {{id: after, type: template, inputs: {{template: "{{{{large.error.type}}}}"}}}}
"""

CASES = {
    "skipped in a group": _file(_SKIPPED_IN_A_GROUP, group_light=True),
    "lost list": _file(_LOST_LIST, failing=[("evicted", "each", {})]),
    "no decision": _file(_NO_DECISION),
    "too large": _file(_TOO_LARGE),
}


@pytest.fixture(scope="module")
def ended(airflow: Environment, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Ended]:  # noqa: F811
    """All cases, run in one process of Airflow."""
    return run_cases(airflow, CASES, tmp_path_factory.mktemp("runs"), {})


@pytest.mark.timeout(300)
def test_what_is_skipped_in_a_shared_pod_is_skipped_for_the_others(ended: dict[str, Ended], tmp_path: Path) -> None:
    run, local = ended["skipped in a group"], run_locally(CASES["skipped in a group"], tmp_path)
    assert run.state == "success", run.report
    assert {name for name, one in local.tasks.items() if one.value is None} == {"maybe", "big", "behind", "chosen"}
    assert run.states()["behind"] == run.states()["chosen"] == "skipped"
    assert run.value("end") == local.tasks["end"].value


@pytest.mark.timeout(300)
def test_a_loop_that_is_tolerated_goes_on_without_its_list(ended: dict[str, Ended]) -> None:
    run = ended["lost list"]
    assert run.state == "success", run.report
    assert run.document("each")["loop"]["results"] == []
    error = run.document("each")["loop"]["items"]["value"]["error"]
    assert error["message"]
    assert list(run.value("after").values()) == [error["type"]]


@pytest.mark.timeout(300)
def test_no_side_is_taken_where_what_decides_has_failed(ended: dict[str, Ended], tmp_path: Path) -> None:
    run, local = ended["no decision"], run_locally(CASES["no decision"], tmp_path)
    assert run.state == "success", run.report
    skipped = {name for name, one in local.tasks.items() if one.value is None}
    assert skipped == {"many", "few"}
    assert {name for name in local.tasks if run.states()[name] == "skipped"} == skipped
    assert run.value("end") == local.tasks["end"].value


@pytest.mark.timeout(300)
def test_a_task_tolerates_no_more_than_its_own_failure(ended: dict[str, Ended]) -> None:
    run = ended["too large"]
    assert run.state == "failed"
    assert run.states() == {"large": "failed", "after": "upstream_failed"}
    assert run.task("large")["xcoms"]["failure"]["error_type"] == "ProfileError"
