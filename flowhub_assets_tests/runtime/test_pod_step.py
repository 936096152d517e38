"""A pod's steps on pipelines built by hand; from_python/test_pod.py runs whole pods."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import CheckFailed, InputError, RunError, TaskFailed, TransferFailed
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Asset, Check, Edge, Loop, Retry, Task
from flowhub_assets.ir.triggers import Dimension, Partitions
from flowhub_assets.runtime.check import check
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.pod_order import Order
from flowhub_assets.runtime.pod_step import do_order, failure_document
from flowhub_assets_tests.runtime.pipelines_by_hand import runnable, task_of
from flowhub_assets_tests.s3_server import S3Server, s3

__all__ = ["s3"]

PROFILE = {"WORKSPACE": "./tmp", "MY_TOKEN": "very-secret"}


def a(args: dict[str, Any]) -> dict[str, Any]:
    return {"a": args.get("n", 1)}


def body(item: dict[str, Any], a: dict[str, Any], args: dict[str, Any]) -> dict[str, Any]:
    return {"got": [item["item"], a, args]}


def each(args: dict[str, Any]) -> dict[str, Any]:
    return {"items": [{"item": 1}, {"item": 2}]}


def looping() -> Any:
    inner = task_of(body, LOOP_ITEM, "a", FLOW_INPUT)
    loop = Loop("items", (inner,), "body")
    made = runnable(
        (task_of(a), a), (task_of(each, "a", loop=loop), each), params={"p": 1}, profiles={"default": PROFILE}
    )
    return type(made)(made.pipeline, {**made.bodies, "body": body})


def test_an_iteration_takes_what_a_local_one_takes() -> None:
    made = looping()
    whole = run_pipeline(made, {"n": 5}, profile=PROFILE).value
    listed = do_order(made, PROFILE, Order("items", ("each",), "r", {"n": 5}, {"a": {"value": {"a": 5}}}))
    outputs = {"a": {"value": {"a": 5}}, "each/items": listed}
    steps = [do_order(made, PROFILE, Order("iteration", ("each",), "r", {"n": 5}, outputs, index=at)) for at in (0, 1)]
    assert whole == {"results": [step["value"]["result"] for step in steps]}
    assert steps[1] == {"value": {"result": {"got": [2, {"a": 5}, {"p": 1, "n": 5}]}}}


def test_an_iteration_takes_what_was_skipped_outside_as_empty() -> None:
    outputs = {"each/items": {"value": {"items": [{"item": 1}]}, "items": 1}}
    step = do_order(looping(), PROFILE, Order("iteration", ("each",), "r", {}, outputs, skipped=("a",)))
    assert step == {"value": {"result": {"got": [1, {}, {"p": 1}]}}}


def test_a_loop_tells_the_error_of_its_list_or_of_its_first_failed_item() -> None:
    def all_(args: dict[str, Any]) -> dict[str, Any]:
        return {"seen": args["error"]}

    made = runnable((task_of(a, name="each"), a), (task_of(all_, "each"), all_))
    bad = {"value": {"error": {"message": "m", "type": "T"}}}
    good: dict[str, Any] = {"value": {"result": {}}}
    for items, results in ((bad, []), ({"value": {"items": [1, 2, 3]}}, [good, bad, None])):
        loop = {"loop": {"into": "results", "items": items, "results": results}}
        step = do_order(made, PROFILE, Order("task", ("all_",), "r", outputs={"each": loop}))
        assert step == {"value": {"seen": {"message": "m", "type": "T"}}}


def test_a_step_is_about_the_cell_that_a_param_of_the_dag_names() -> None:
    def seen(args: dict[str, Any]) -> dict[str, Any]:
        return {"cell": args["env"]["partition"], "params": {name: args[name] for name in args if name != "env"}}

    cells = Partitions(dimensions=(Dimension("model", ("small", "large")), Dimension("data_set", ("iris",))))
    made = runnable((task_of(seen), seen), params={"p": 1}, partitions=cells)
    cell = {"key": "iris|large", "data_set": "iris", "model": "large"}
    by_param = do_order(made, PROFILE, Order("task", ("seen",), "r", {"partition": "iris|large", "p": 2}))
    assert by_param == {"value": {"cell": cell, "params": {"p": 2}}}
    by_profile = do_order(made, {**PROFILE, "partition": cell}, Order("task", ("seen",), "r"))
    assert by_profile == {"value": {"cell": cell, "params": {"p": 1}}}
    for given, what in (({}, "no partition is named"), ({"partition": "iris"}, "'iris' is no partition")):
        with pytest.raises(InputError, match=what):
            do_order(made, PROFILE, Order("task", ("seen",), "r", given))
    own = runnable((task_of(a), a), params={"partition": 1, "n": 1}, partitions=None)
    assert do_order(own, PROFILE, Order("task", ("a",), "r", {"partition": 7, "n": 7})) == {"value": {"a": 7}}


def test_an_assets_value_is_kept_as_the_latest_too(s3: S3Server) -> None:
    made = runnable((task_of(a, asset=Asset(("a",))), a))
    assert do_order(made, s3.env(), Order("task", ("a",), "r")) == {"url": "s3://bucket/by-hand/runs/r/a.json"}
    assert (s3.folder / "bucket" / "by-hand" / "latest" / "a.json").read_text() == '{"a": 1}'


def checked(args: dict[str, Any]) -> dict[str, Any]:
    check("positive", args["n"] > 0, f"n is {args['n']}")
    return {"n": args["n"]}


def test_a_check_that_blocks_fails_a_pod_unless_dagster_hears_of_it() -> None:
    made = runnable((task_of(checked, checks=(Check("positive", "blocking"),)), checked))
    assert do_order(made, PROFILE, Order("task", ("checked",), "r", {"n": 1})) == {"value": {"n": 1}}
    with pytest.raises(CheckFailed, match="'positive': n is -1"):
        do_order(made, PROFILE, Order("task", ("checked",), "r", {"n": -1}))
    document = do_order(made, PROFILE, Order("task", ("checked",), "r", {"n": -1}, reports=True))
    (told,) = document["shown"]
    assert (told["name"], told["data"]["passed"]) == ("positive", False)


@pytest.mark.parametrize(
    ("error", "retry", "again"),
    [
        (TaskFailed("w", error="e", error_type="ValueError", error_types=("ValueError",)), Retry(), True),
        (TaskFailed("w", error="e", error_type="E", error_types=("E",)), Retry(on=("ValueError",)), False),
        (TaskFailed("w", error="e", error_type="E", retry=False), Retry(), False),
        (TransferFailed("gone"), Retry(on=("ValueError",)), True),
        (RunError("w"), Retry(), False),
        (ZeroDivisionError("ours"), Retry(), False),
    ],
)
def test_whether_another_try_is_worth_it(error: Exception, retry: Retry, again: bool) -> None:
    assert failure_document("t", error, {}, retry)["failure"]["retry"] is again


def test_a_failure_is_short_and_holds_no_secret() -> None:
    error = TaskFailed(
        "w", error="very-secret", error_type="E", traceback="first\n" + "x\n" * 50_000 + "last very-secret"
    )
    failure = failure_document("t", error, PROFILE)["failure"]
    assert failure["error"] == "***"
    assert failure["traceback"].startswith("first\n")
    assert failure["traceback"].endswith("last ***")
    assert "92,0" in failure["traceback"]
    assert len(failure["traceback"]) < 8_100


def test_the_task_is_looked_for_among_those_at_the_end_too() -> None:
    def end(args: dict[str, Any]) -> dict[str, Any]:
        return {"told": args.get("failed_task")}

    last: Task = task_of(end)
    made = runnable((task_of(a), a), finally_tasks=(last,))
    made = type(made)(made.pipeline, {**made.bodies, "end": end})
    order = Order("finally", ("end",), "r", failure={"failed_task": "a"})
    assert do_order(made, PROFILE, order) == {"value": {"told": "a"}}
    assert do_order(made, PROFILE, Order("finally", ("end",), "r")) == {"value": {"told": None}}


def test_what_a_task_only_comes_after_is_not_loaded() -> None:
    made = runnable((task_of(each), each), (task_of(a, after=(Edge("each"),)), a))
    order = Order("task", ("a",), "r", outputs={"each": {"loop": {"into": "x", "items": {"url": "s3://gone"}}}})
    assert do_order(made, PROFILE, order) == {"value": {"a": 1}}
