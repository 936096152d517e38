"""Graphs with decisions, loops and light tasks in Dagster: what runs, what is skipped, what is kept."""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Asset, Edge, Loop, Node, Retry, Task
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.step import Runnable, Skip
from flowhub_assets.runtime.step_context import current_step
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets.to_dagster.flow_run import KeptValues
from flowhub_assets_tests.to_dagster.graph_pipelines import HERE, QUIET, graph_flow, instance_in, light, run_graph


def decide(port: str) -> Any:
    return lambda *_: {"port": port}


BRANCHES = [
    light("check", ports=("true", "false")),
    light("yes", after=(Edge("check", "true"),)),
    light("no", after=(Edge("check", "false"),)),
    light("join", "yes", "no"),
    light("end", "join", "check"),
]


def test_the_branch_that_is_not_taken_is_skipped_in_dagsters_own_terms(tmp_path: Path) -> None:
    ran = run_graph(graph_flow(BRANCHES, {"check": decide("true")}), tmp_path)
    assert ran.result.success
    assert ran.steps("STEP_SKIPPED") == ["no"]
    assert ran.value("end") == {"ran": ["yes", "join", "end"]}


def test_a_join_whose_inputs_were_all_skipped_is_skipped(tmp_path: Path) -> None:
    tasks = [*BRANCHES[:2], light("more", "yes"), light("end", "more")]
    ran = run_graph(graph_flow(tasks, {"check": decide("false")}), tmp_path)
    assert ran.result.success
    assert ran.steps("STEP_SKIPPED") == ["end", "more", "yes"]


def test_what_is_only_read_does_not_start_a_task(tmp_path: Path) -> None:
    tasks = [
        light("root"),
        light("check", "root", ports=("true", "false")),
        light("yes", "root", after=(Edge("check", "true"),)),
    ]
    ran = run_graph(graph_flow(tasks, {"check": decide("false")}), tmp_path)
    assert ran.result.success
    assert ran.steps("STEP_OUTPUT") == ["check", "check", "root"]


def test_a_body_that_skips_its_task_gives_no_output(tmp_path: Path) -> None:
    ran = run_graph(graph_flow([light("a"), light("b", "a")], {"a": lambda _: Skip("when is false")}), tmp_path)
    assert ran.result.success
    assert ran.steps("STEP_SKIPPED") == ["b"]


def loop_tasks(**more: Any) -> list[Task]:
    inner = (light("double", LOOP_ITEM, "base"), light("add", "double", FLOW_INPUT))
    each = light("each", "base", loop=Loop("items", inner, "add", **more))
    return [light("base"), each, light("end", "each")]


LOOP_BODIES = {
    "base": lambda args: {"factor": 2, "list": [3, 1, 2]},
    "each": lambda args: {"items": [{"item": one, "index": at} for at, one in enumerate(args["list"])]},
    "double": lambda item, base: {"n": item["item"] * base["factor"]},
    "add": lambda doubled, given: {"n": doubled["n"] + given["plus"]},
    "end": lambda args: {"got": args["results"]},
}


def test_a_loop_is_a_step_for_each_item_and_gives_its_results_in_order(tmp_path: Path) -> None:
    ran = run_graph(graph_flow(loop_tasks(), LOOP_BODIES), tmp_path, {"plus": 1})
    assert ran.result.success
    assert ran.steps("STEP_SUCCESS") == [
        "base", "each", "each__each[0]", "each__each[1]", "each__each[2]", "each__items", "end",
    ]  # fmt: skip
    assert ran.value("end") == {"got": [{"n": 7}, {"n": 3}, {"n": 5}]}


def test_a_loop_over_nothing_gives_an_empty_list(tmp_path: Path) -> None:
    bodies = {**LOOP_BODIES, "base": lambda _: {"factor": 1, "list": []}}
    ran = run_graph(graph_flow(loop_tasks(), bodies), tmp_path, {"plus": 1})
    assert ran.value("end") == {"got": []}


def test_a_loop_that_is_skipped_gives_nothing(tmp_path: Path) -> None:
    bodies = {**LOOP_BODIES, "each": lambda _: Skip("when is false")}
    ran = run_graph(graph_flow(loop_tasks(), bodies), tmp_path, {"plus": 1})
    assert ran.result.success
    assert ran.steps("STEP_SKIPPED") == ["end"]
    assert not ran.values.storage.list("by-hand/runs/" + ran.result.run_id + "/each")


def test_retries_follow_what_the_task_says_of_errors(tmp_path: Path) -> None:
    def body(_: object) -> dict[str, Any]:
        if current_step().attempt < 3:
            raise ConnectionResetError("gone")
        return {"attempt": current_step().attempt}

    for on, attempts in [((), 3), (("OSError",), 3), (("ValueError",), None)]:
        ran = run_graph(graph_flow([light("a", retry=Retry(2, on=on))], {"a": body}), tmp_path)
        assert ran.result.success is (attempts is not None)
        if attempts:
            assert ran.value("a") == {"attempt": attempts}
        else:
            assert ran.steps("STEP_UP_FOR_RETRY") == []


def test_a_tolerated_failure_is_a_value_once_the_retries_are_over(tmp_path: Path) -> None:
    def body(_: object) -> dict[str, Any]:
        raise ValueError("bad")

    tasks = [light("a", continue_on_error=True, retry=Retry(1)), light("b", "a")]
    ran = run_graph(graph_flow(tasks, {"a": body, "b": lambda a: a["error"]}), tmp_path)
    assert ran.result.success
    assert ran.steps("STEP_UP_FOR_RETRY") == ["a"]
    assert ran.value("b") == {"message": "bad", "type": "ValueError"}


def test_a_loop_may_tolerate_that_an_item_or_its_list_fails(tmp_path: Path) -> None:
    def add(doubled: dict[str, Any], _given: dict[str, Any]) -> dict[str, Any]:
        if doubled["n"] == 2:
            raise ValueError("no twos")
        return doubled

    def no_list(_: object) -> dict[str, Any]:
        raise ValueError("no list")

    tasks = loop_tasks()
    tasks[1] = replace(tasks[1], continue_on_error=True, retry=Retry(1))
    for bodies, message in (({"add": add}, "item 1: no twos"), ({"each": no_list}, "no list")):
        everything: dict[str, Any] = {**LOOP_BODIES, **bodies, "end": lambda each: each["error"]}
        flow = graph_flow(tasks, everything, result=("end",))
        ran = run_graph(flow, tmp_path, {"plus": 1})
        assert ran.result.success
        assert ran.value("end") == {"message": message, "type": "ValueError"}
        here = run_pipeline(Runnable(flow.pipeline, everything), {"plus": 1}, in_process=True)
        assert here.value == ran.value("end")


def test_functions_run_in_a_child_process(tmp_path: Path) -> None:
    import os

    tasks = [light("here"), light("there", run_on=None, timeout=20)]
    ran = run_graph(graph_flow(tasks, dict.fromkeys(("here", "there"), lambda _: {"pid": os.getpid()})), tmp_path)
    assert ran.value("here") == {"pid": os.getpid()}
    assert ran.value("there") != {"pid": os.getpid()}


def test_what_comes_last_runs_after_all_that_was_not_skipped(tmp_path: Path) -> None:
    flow = graph_flow(
        BRANCHES,
        {"check": decide("true"), "sweep": lambda given: {"given": given["n"]}},
        finally_tasks=(light("sweep"),),
    )
    ran = run_graph(flow, tmp_path, {"n": 5})
    assert ran.value("sweep") == {"given": 5}
    assert flow.failure_job is not None
    assert flow.failure_job.graph.node_dict.keys() == {"by_hand__on_failure__sweep"}


FUSED = [
    light("a"),
    light("b", "a"),
    light("heavy", "b", run_on="cpu"),
    light("c", "b"),
    light("d", "c", "heavy"),
    light("e", "d"),
]


def test_neighbouring_light_tasks_share_a_step_if_asked_to(tmp_path: Path) -> None:
    ran = run_graph(graph_flow(FUSED, {}, fuse=True), tmp_path)
    assert ran.steps("STEP_SUCCESS") == ["a__and_2_more", "d__and_1_more", "heavy"]
    assert ran.value("e", step="d__and_1_more") == {"ran": ["a", "b", "c", "a", "b", "heavy", "d", "e"]}
    rows = [record.data for record in ran.metadata("a__and_2_more")["tasks"].records]
    assert [(row["task"], row["state"], row["attempts"]) for row in rows] == [
        ("a", "succeeded", 1), ("b", "succeeded", 1), ("c", "succeeded", 1),
    ]  # fmt: skip


def test_fused_tasks_decide_across_steps(tmp_path: Path) -> None:
    tasks = [
        BRANCHES[0],
        light("no", after=(Edge("check", "false"),), run_on="cpu"),
        light("yes", after=(Edge("check", "true"),)),
    ]
    ran = run_graph(graph_flow(tasks, {"check": decide("true")}, fuse=True), tmp_path)
    assert ran.result.success
    assert ran.steps("STEP_OUTPUT") == ["check__and_1_more"]
    assert ran.value("yes", step="check__and_1_more") == {"ran": ["yes"]}


def test_a_fused_step_does_not_do_again_what_it_has_done(tmp_path: Path) -> None:
    job = dg.build_reconstructable_job("flowhub_assets_tests.to_dagster.broken_once", "broken_once", (str(tmp_path),))
    config = {**QUIET, "resources": {"storage": {"config": {"workspace": str(tmp_path / "files")}}}}
    with instance_in(tmp_path) as instance:
        failed = dg.execute_job(job, instance, run_config=config)
        assert not failed.success
        (tmp_path / "mended").touch()
        again = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
        assert dg.execute_job(job, instance, run_config=config, reexecution_options=again).success
    assert (tmp_path / "calls").read_text() == "abb"


def test_a_run_that_goes_on_repeats_neither_decisions_nor_items_that_ended_well(tmp_path: Path) -> None:
    job = dg.build_reconstructable_job("flowhub_assets_tests.to_dagster.broken_once", "broken_loop", (str(tmp_path),))
    config = {**QUIET, "resources": {"storage": {"config": {"workspace": str(tmp_path / "files")}}}}
    with instance_in(tmp_path) as instance:
        failed = dg.execute_job(job, instance, run_config=config)
        assert not failed.success
        assert sorted((tmp_path / "calls").read_text().split()) == ["check", "item-0", "item-1", "item-2"]
        (tmp_path / "calls").unlink()
        (tmp_path / "mended").touch()
        again = dg.ReexecutionOptions.from_failure(failed.run_id, instance)
        done = dg.execute_job(job, instance, run_config=config, reexecution_options=again)
        assert done.success
    assert (tmp_path / "calls").read_text().split() == ["item-1"]
    values = Values(get_storage({"WORKSPACE": str(tmp_path / "files")}), "by-hand")
    assert values.load(done.run_id, "end") == {"got": [{"n": 0}, {"n": 10}, {"n": 20}], "no": None}


def test_few_and_small_values_are_kept_by_a_process() -> None:
    kept = KeptValues(largest=10, most=25)
    for number, size in enumerate([10, 11, 10, 5, 10]):
        kept.put(("run", str(number)), {"n": number}, size)
    assert [kept.get(("run", str(number))) for number in range(5)] == [None, None, {"n": 2}, {"n": 3}, {"n": 4}]
    kept.put(("run", "2"), {"n": 22}, 10)
    assert kept.get(("run", "2")) == {"n": 22}


def asset_flow(check: str | None = None) -> Any:
    tasks = [
        light("load"),
        light("rows", "load", asset=Asset(("reports", "rows"), check)),
        light("mail", "rows"),
    ]
    return graph_flow(tasks, {"rows": lambda _: {"rows": 3}})


def test_nodes_with_an_asset_make_a_graph_of_assets(tmp_path: Path) -> None:
    flow = asset_flow()
    (assets,) = flow.assets
    assert assets.keys == {dg.AssetKey(["reports", "rows"]), dg.AssetKey(["by_hand", "mail"])}
    assert set(assets.node_def.node_dict) == {"load", "rows", "mail"}
    ran = run_graph(flow, tmp_path)
    assert ran.result.success
    assert ran.steps("ASSET_MATERIALIZATION") == ["by_hand__graph.mail", "by_hand__graph.rows"]
    assert ran.steps("STEP_SUCCESS") == ["by_hand__graph.load", "by_hand__graph.mail", "by_hand__graph.rows"]
    assert ran.values.load_latest("rows") == {"rows": 3}


def test_functions_in_a_graph_are_assets_each(tmp_path: Path) -> None:
    tasks = [
        Task("load", (FLOW_INPUT,), HERE, "load"),
        Task("each", ("load",), HERE, loop=Loop("items", (Task("one", (LOOP_ITEM,), HERE, "one"),), "one", "items")),
    ]
    bodies = {
        "load": lambda args: {"items": [1, 2]},
        "each": lambda args: {"items": [{"item": one} for one in args["items"]]},
        "one": lambda args: {"n": args["item"]},
    }
    flow = graph_flow(tasks, bodies)
    assert flow.assets[0].keys == {dg.AssetKey(["by_hand", "load"]), dg.AssetKey(["by_hand", "each"])}
    ran = run_graph(flow, tmp_path)
    assert ran.result.success
    assert ran.value("each") == {"items": [{"n": 1}, {"n": 2}]}


def test_ops_are_shared_by_pipelines() -> None:
    one = graph_flow([light("a"), light("b", "a")], {}, name="one")
    other = graph_flow([light("c"), light("d", "c")], {}, name="other")
    ops = [{node.name: node for node in flow.job.all_node_defs if node is not flow.job.graph} for flow in (one, other)]
    assert ops[0].keys() == ops[1].keys() == {"by_hand", "by_hand__after"}
    assert all(ops[0][name] is ops[1][name] for name in ops[0])


@pytest.mark.parametrize(("told", "tags"), [
    ({"concurrency": 2}, {"flowhub/at_most_2": "by_hand"}),
    ({"priority": 7}, {"dagster/priority": "7"}),
    ({"queue": "priority"}, {"flowhub/queue": "priority", "flowhub/queue_of_1": "priority"}),
    ({"tags": ("demo",)}, {"demo": ""}),
])  # fmt: skip
def test_what_a_pipeline_says_of_its_runs_becomes_their_tags(told: dict[str, Any], tags: dict[str, str]) -> None:
    assert graph_flow([light("a")], {}, **told).job.tags.items() >= tags.items()


def test_an_iteration_runs_where_the_most_demanding_of_its_tasks_wants_to() -> None:
    def placed(*run_on: str | None) -> list[str]:
        inner = tuple(light(f"in{number}", LOOP_ITEM, run_on=one) for number, one in enumerate(run_on))
        each = light("each", loop=Loop("items", inner, "in0"), retry=Retry(2))
        nodes = {node.name: node for node in graph_flow([each], {}).job.graph.nodes}
        assert nodes["each__each"].retry_policy == dg.RetryPolicy(max_retries=2, delay=0.0)
        return [nodes[name].tags["flowhub/placement"] for name in ("each__items", "each__each", "each")]

    assert placed("engine", "engine") == ["light", "light", "light"]
    assert placed("engine", None) == ["light", "child", "light"]
    assert placed("gpu", None, "engine") == ["light", "heavy", "light"]


def test_a_node_shows_its_type_and_its_placement() -> None:
    flow = graph_flow([light("a", node=Node("http-request")), light("b", "a", run_on="gpu")], {})
    tags = {node.name: node.tags for node in flow.job.graph.nodes}
    assert tags["a"]["dagster/compute_kind"] == "http-request"
    assert [tags[name]["flowhub/placement"] for name in ("a", "b")] == ["light", "heavy"]


def test_the_page_of_a_job_says_whose_it_is_and_what_its_nodes_are_for() -> None:
    tasks = [light("ask", node=Node("http-request"), description="Asks | twice,\nat least."), light("tell", "ask")]
    job = graph_flow(tasks, {}, owners=("team:data",)).job
    assert job.owners == ["team:data"]
    assert str(job.metadata["source"].value) == str(HERE)
    assert str(job.metadata["nodes"].value).splitlines()[2:] == [
        "| ask | http-request | Asks \\| twice, at least. |",
        "| tell | by-hand |  |",
    ]


def test_a_chain_may_be_longer_than_python_lets_dagster_recurse() -> None:
    # Where Dagster begins to walk is another node in each process: a short way would be no test of it.
    nodes, before = 3000, sys.getrecursionlimit()
    sys.setrecursionlimit(1000)
    try:
        job = graph_flow([light("n0"), *(light(f"n{at}", f"n{at - 1}") for at in range(1, nodes))], {}).job
        assert len(job.graph.nodes) == nodes
        assert sys.getrecursionlimit() > nodes
    finally:
        sys.setrecursionlimit(before)
