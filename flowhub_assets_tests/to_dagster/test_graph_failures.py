"""A graph whose run fails: what is told of it, what comes last, what its asset check says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Asset, Loop, Task
from flowhub_assets.to_dagster.failure_sensor import failure_requests
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets_tests.to_dagster.graph_pipelines import HERE, QUIET, graph_flow, instance_in, light, run_graph


def fails(*_: object) -> dict[str, Any]:
    raise ValueError("no good")


def handled(flow: FlowDefinitions, folder: Path, params: dict[str, Any]) -> list[dict[str, Any]]:
    """What on_failure and the finally tasks were given once a run of ``flow`` had failed."""
    with instance_in(folder) as instance:
        ran = run_graph(flow, folder / "files", params, instance=instance)
        assert not ran.result.success
        (request,) = failure_requests(instance, ran.result.dagster_run, None, {flow.job.name: flow})
        assert flow.failure_job is not None
        config = {**QUIET, **json.loads(json.dumps(request.run_config))}
        assert flow.failure_job.execute_in_process(run_config=config, instance=instance).success
    return [json.loads(path.read_text()) for path in sorted(folder.glob("told-*.json"))]


def note(folder: Path, name: str) -> Any:
    def body(given: dict[str, Any]) -> dict[str, Any]:
        told = {key: value for key, value in given.items() if key != "env"}
        (folder / f"told-{name}.json").write_text(json.dumps(told))
        return {}

    return body


def ending(folder: Path) -> dict[str, Any]:
    return {
        "bodies": {"alarm": note(folder, "alarm"), "sweep": note(folder, "sweep")},
        "tasks": {"failure_task": light("alarm"), "finally_tasks": (light("sweep"),)},
    }


def test_on_failure_and_finally_are_told_of_the_failed_task_and_the_params(tmp_path: Path) -> None:
    end = ending(tmp_path)
    flow = graph_flow([light("a"), light("b", "a")], {"b": fails, **end["bodies"]}, **end["tasks"])
    told = handled(flow, tmp_path, {"n": 5})
    assert len(told) == 2
    for one in told:
        assert (one["failed_task"], one["error"], one["error_type"], one["n"]) == ("b", "no good", "ValueError", 5)


def test_the_failed_item_of_a_loop_is_told_as_its_loop(tmp_path: Path) -> None:
    end = ending(tmp_path)
    loop = Loop("items", (light("one", LOOP_ITEM),), "one")
    bodies = {"each": lambda _: {"items": [{"item": 1}]}, "one": fails, **end["bodies"]}
    flow = graph_flow([light("each", loop=loop)], bodies, **end["tasks"])
    assert [one["failed_task"] for one in handled(flow, tmp_path, {})] == ["each", "each"]


def test_the_failed_task_of_a_graph_of_assets_is_told_by_its_own_name(tmp_path: Path) -> None:
    end = ending(tmp_path)
    tasks = [Task("load", (FLOW_INPUT,), HERE, "load"), light("rows", "load", asset=Asset(("rows",)))]
    flow = graph_flow(tasks, {"rows": fails, **end["bodies"]}, **end["tasks"])
    assert [one["failed_task"] for one in handled(flow, tmp_path, {})] == ["rows", "rows"]


def test_an_asset_is_checked_by_its_condition(tmp_path: Path) -> None:
    tasks = [light("rows", node=None, asset=Asset(("reports", "rows"), "output.rows > 2"))]
    for rows, passed in ((3, True), (2, False)):
        ran = run_graph(graph_flow(tasks, {"rows": lambda _, rows=rows: {"rows": rows}}), tmp_path)
        (evaluation,) = ran.result.get_asset_check_evaluations()
        assert evaluation.passed is passed
        assert evaluation.asset_key == dg.AssetKey(["reports", "rows"])


def test_a_check_that_cannot_be_asked_fails_its_step_and_says_why(tmp_path: Path) -> None:
    tasks = [light("rows", node=None, asset=Asset(("rows",), "output.cols > 2"))]
    ran = run_graph(graph_flow(tasks, {"rows": lambda _: {"rows": 1}}), tmp_path)
    assert not ran.result.success
    (failure,) = [event for event in ran.result.all_events if event.event_type_value == "STEP_FAILURE"]
    assert failure.step_failure_data.user_failure_data is not None
    assert "cols" in (failure.step_failure_data.user_failure_data.description or "")
