"""One task: what it does, its ports, its loop, its asset, its retries."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import Asset, Node, Retry, Task
from flowhub_assets_tests.ir.pipelines_as_data import item_task, loop_of, messages, pipeline_of, task_of

ITEM = item_task("i")


@pytest.mark.parametrize(
    ("task", "message", "remedy"),
    [
        (task_of("a", node=Node("log")), "node 'a' has both a function, 'a', and a node of type 'log'", "leave one"),
        (task_of("a", function=""), "task 'a' has neither a function nor a node", "give it a node"),
        (task_of("a", function="", node=Node("")), "node 'a' has no type", "write type"),
        (task_of("a", run_on="gpus"), "task 'a' runs on 'gpus'", "did you mean 'gpu'?"),
        (task_of("a", run_on="moon"), "task 'a' runs on 'moon'", "it is one of engine, cpu and gpu"),
        (task_of("a", when=" "), "the condition 'when' of task 'a' is empty", "leave it out"),
        (task_of("a", ports=("true", "")), "a port of task 'a' has no name", "a word"),
        (task_of("a", ports=("x", "y", "x", "x")), "task 'a' has the port 'x' twice", "rename"),
        (loop_of("a"), "loop 'a' has no tasks", "at least one task"),
        (loop_of("a", ITEM, result="ii"), "loop 'a' gives back 'ii', which is not one of its tasks", "mean 'i'?"),
        (loop_of("a", ITEM, over=""), "loop 'a' does not say what it loops over", "name the list"),
        (loop_of("a", ITEM, into=""), "loop 'a' keeps its list under ''", "another key"),
        (loop_of("a", ITEM, into="env"), "loop 'a' keeps its list under 'env'", "another key"),
        (loop_of("a", ITEM, most=0), "loop 'a' takes at most 0 items", "1000"),
        (loop_of("a", ITEM, max_concurrent=-1), "loop 'a' runs -1 items at a time", "0 for no limit"),
        (task_of("a", asset=Asset(())), "the asset key '' of task 'a' is not legal", "reports/daily"),
        (task_of("a", asset=Asset(("x", ""))), "the asset key 'x/' of task 'a' is not legal", "reports/daily"),
        (task_of("a", asset=Asset(("a b",))), "the asset key 'a b' of task 'a' is not legal", "reports/daily"),
        (task_of("a", asset=Asset(("a",), " ")), "the check of the asset 'a' is empty", "leave it out"),
        (
            loop_of("a", item_task("i", asset=Asset(("x",)))),
            "task 'i' is the asset 'x', and it runs inside a loop or at the end of a run",
            "on the loop itself",
        ),
        (task_of("a", retry=Retry(1, backoff="exponental")), "retry_backoff='exponental' of task 'a'", "'exponential'"),
        (task_of("a", retry=Retry(1, backoff="no")), "retry_backoff='no' of task 'a'", "constant, linear and"),
        (task_of("a", retry=Retry(1, on=("a.B",))), "retry_on of task 'a' has 'a.B'", "ConnectionError"),
        (
            task_of("a", function="", node=Node("log"), retry=Retry(-1)),
            "retry.times=-1 of node 'a' is negative",
            "0 for never",
        ),
        (
            task_of("a", function="", node=Node("log"), timeout=0),
            "timeout=0 of node 'a' is no time",
            "'10m'",
        ),
        (
            task_of("a", function="", node=Node("log", {"x": object()})),
            "config of node 'a' holds a value that is not JSON: 'x' is a object",
            "write a string",
        ),
    ],
)
def test_what_is_wrong_with_a_task(task: Task, message: str, remedy: str) -> None:
    (problem,) = problems(pipeline_of(task))
    assert message in problem.what
    assert remedy in problem.remedy


@pytest.mark.parametrize(
    "more",
    [
        {"asset": Asset(("보고서", "daily-1.x"))},
        {"ports": ("true", "사례 1")},
        {"run_on": "engine"},
        {"retry": Retry(3, 1.5, "exponential", ("ConnectionError", "오류"))},
        {"when": "a > 1"},
    ],
)
def test_what_is_right(more: dict[str, Any]) -> None:
    assert messages(pipeline_of(task_of("a", **more))) == []


def test_a_loop_does_not_decide() -> None:
    loop = loop_of("a", ITEM)
    both = Task("a", loop.needs, loop.source, loop=loop.loop, ports=("true",))
    assert messages(pipeline_of(both)) == ["flow.yaml:1: task 'a' both loops and decides"]


def test_two_tasks_are_not_one_asset() -> None:
    same = pipeline_of(task_of("a", asset=Asset(("x", "y"))), task_of("b", asset=Asset(("x", "y")), line=3))
    assert messages(same) == ["flow.yaml:3: task 'a' and task 'b' are both the asset 'x/y'"]
