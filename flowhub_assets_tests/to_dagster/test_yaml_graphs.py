"""Pipeline files in Dagster: their params against JSON Schema, nodes with a process of their own, what is light."""

from __future__ import annotations

from pathlib import Path
from textwrap import dedent
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.definitions import load, location
from flowhub_assets.errors import DefinitionError
from flowhub_assets.executor.placement import LIGHT, PLACEMENT_TAG
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets_tests.to_dagster.graph_pipelines import GraphRan, run_graph

HEAD = "apiVersion: flume/v1\nkind: Pipeline\nmetadata: {name: by-yaml}\n"


def yaml_flow(folder: Path, text: str) -> FlowDefinitions:
    """The definitions of a pipeline file with this text."""
    path = folder / "pipeline.yaml"
    path.write_text(HEAD + dedent(text), encoding="utf-8")
    (runnable,) = load(path).runnables
    return location.flow(runnable)


PARAMS = """
params:
  city: {type: string, enum: [Seoul, Busan], default: Seoul}
  count: {type: integer, minimum: 1, default: 1}
  code: {type: string, pattern: "^[A-Z]{2}$", default: KR}
  size: {anyOf: [{type: integer, multipleOf: 5}, {type: "null"}], default: 5}
  far: {$ref: "http://127.0.0.1:1/schema.json", default: 1}
nodes:
  - {id: first, type: log, retry: {times: 2}, continueOnError: true, inputs: {message: "{{params.city}}"}}
  - {id: second, type: log, inputs: {message: "{{first.output}}"}}
"""


def ran_with(folder: Path, **params: Any) -> GraphRan:
    text = PARAMS if "far" in params else "\n".join(line for line in PARAMS.split("\n") if "$ref" not in line)
    return run_graph(yaml_flow(folder, text), folder, params)


def failure(ran: GraphRan) -> str:
    (event,) = [event for event in ran.result.all_events if event.is_step_failure]
    data = event.step_failure_data.user_failure_data
    assert data is not None
    return data.description or ""


def test_params_that_fit_their_schemas(tmp_path: Path) -> None:
    ran = ran_with(tmp_path, city="Busan", count=3, code="AB", size=10)
    assert ran.result.success
    assert ran.value("second") == {"message": "Busan"}


@pytest.mark.parametrize(("params", "told"), [
    ({"city": "Soul"}, "param 'city' is 'Soul', not one of 'Seoul' and 'Busan': did you mean 'Seoul'?"),
    ({"count": 0}, "param 'count' is 0, below the minimum 1"),
    ({"code": "x"}, "param 'code' is 'x', which does not match ^[A-Z]{2}$"),
    ({"count": 0, "code": "x"}, "param 'count' is 0, below the minimum 1; param 'code' is 'x'"),
    ({"size": 7}, "param 'size' does not fit its schema: 7 is not"),
    ({"far": 2}, "the schema of param 'far' refers to what it does not hold"),
])  # fmt: skip
def test_a_param_that_breaks_its_schema_fails_the_run_before_a_node_runs(
    tmp_path: Path, params: dict[str, Any], told: str
) -> None:
    ran = ran_with(tmp_path, **params)
    assert not ran.result.success
    assert ran.steps("STEP_UP_FOR_RETRY") == ran.steps("STEP_OUTPUT") == []
    assert ran.steps("STEP_FAILURE") == ["first"]
    assert failure(ran).startswith(f"{tmp_path}/pipeline.yaml:5: {told}")
    assert "Nothing of this run was started." in failure(ran)
    assert ("in the launchpad" in failure(ran)) is ("refers to" not in told)
    assert list(tmp_path.rglob("*.json")) == []


@pytest.mark.parametrize("where", ["cpu", "engine"])
def test_what_a_node_with_a_process_of_its_own_prints_and_logs_is_in_the_runs_log(
    tmp_path: Path, where: str, capfd: pytest.CaptureFixture[str]
) -> None:
    text = f"""
    nodes:
      - id: alone
        type: python
        runOn: {where}
        config:
          script: |
            import os
            print("printed")
            log.warning("two\\nlines")
            log.debug("debug")
            log.error("가" * 6000)
            os.write(1, b"raw")
            print("after raw")
            os.write(1, b"\\x1eflowhub-log no record\\n")
            result = 1
    """
    with dg.DagsterInstance.ephemeral() as instance:
        ran = run_graph(yaml_flow(tmp_path, text), tmp_path, instance=instance)
        assert ran.result.success
        logged = [
            (one.level, one.user_message) for one in instance.all_logs(ran.result.run_id) if not one.dagster_event
        ]
    first, *long, last = logged[2:]
    assert logged[:2] == [(20, "printed"), (30, "two\nlines")]
    assert first == (10, "debug")
    assert {level for level, _ in long} == {40}
    assert "".join(text for _, text in long) == "가" * 6000
    assert last == (20, "after raw")
    assert capfd.readouterr().out.replace("\n", "") == "raw\x1eflowhub-log no record"


def test_a_node_whose_condition_does_not_hold_succeeds_without_output_and_its_log_says_skipped(tmp_path: Path) -> None:
    text = """
    nodes:
      - {id: first, type: log, when: "1 > 2", inputs: {message: x}}
      - {id: second, type: log, inputs: {message: "{{first.output}}"}}
    """
    with dg.DagsterInstance.ephemeral() as instance:
        ran = run_graph(yaml_flow(tmp_path, text), tmp_path, instance=instance)
        logged = [one.user_message for one in instance.all_logs(ran.result.run_id) if not one.dagster_event]
    assert ran.steps("STEP_SUCCESS") == ["first"]
    assert ran.steps("STEP_OUTPUT") == []
    assert ran.steps("STEP_SKIPPED") == ["second"]
    assert "first is skipped: its condition does not hold: 1 > 2" in logged


def test_a_graph_of_assets_holds_its_finally_nodes_and_runs_as_a_whole(tmp_path: Path) -> None:
    text = """
    nodes:
      - {id: rows, type: log, inputs: {message: 3}, asset: rows}
      - {id: more, type: log, inputs: {message: 4}, asset: more}
    finally:
      - {id: sweep, type: log, inputs: {message: swept}}
    """
    flow = yaml_flow(tmp_path, text)
    (graph,) = flow.assets
    assert graph.keys == {dg.AssetKey("rows"), dg.AssetKey("more"), dg.AssetKey(["by_yaml", "sweep"])}
    with pytest.raises(dg.DagsterInvalidSubsetError, match="does not support subsetting"):
        flow.job.execute_in_process(asset_selection=[dg.AssetKey("rows")])


def test_what_ends_a_failed_run_and_what_checks_an_asset_need_no_process_of_their_own(tmp_path: Path) -> None:
    text = """
    nodes:
      - {id: rows, type: log, inputs: {message: 3}, asset: {key: rows, check: output > 2}}
    finally:
      - {id: sweep, type: log, inputs: {message: swept}}
    """
    flow = yaml_flow(tmp_path, text)
    (check,) = flow.checks
    assert check.node_def.tags[PLACEMENT_TAG] == LIGHT
    assert flow.failure_job is not None
    assert flow.failure_job.executor_def is location.executor
    (sweep,) = [node for node in flow.failure_job.all_node_defs if node is not flow.failure_job.graph]
    assert sweep.tags[PLACEMENT_TAG] == LIGHT
    assert isinstance(flow.job, dg.JobDefinition)


@pytest.mark.parametrize(("nodes", "name", "other"), [
    ("  - {id: each--items, type: log, inputs: {message: x}}", "each__items", "each--items"),
    ("  - {id: each__each, type: log, inputs: {message: x}}", "each__each", "each__each"),
])  # fmt: skip
def test_a_node_with_the_name_of_a_loops_step_is_told(tmp_path: Path, nodes: str, name: str, other: str) -> None:
    text = f"""\
nodes:
  - id: each
    type: loop
    config: {{items: [1]}}
    nodes:
      - {{id: inner, type: log, inputs: {{message: x}}}}
{nodes}
"""
    with pytest.raises(DefinitionError) as told:
        yaml_flow(tmp_path, text)
    assert told.value.what == f"step '{name}' of '{other}' has the name of a step of 'each'"
    assert told.value.where == f"{tmp_path}/pipeline.yaml:10"
