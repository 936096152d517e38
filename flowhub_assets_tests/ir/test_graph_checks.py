"""Edges, ports, loops and the tasks that end a run: each mistake is told with the line and the nearest name."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Edge, Node, Pipeline, Task
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets_tests.ir.pipelines_as_data import item_task, loop_of, messages, pipeline_of, task_of

DECIDES = task_of("big", ports=("true", "false"))


def _good() -> Pipeline:
    """A branch whose one side is a loop in a loop, joined again, with a failure task and one for the end."""
    inner = loop_of("inner", item_task("deep", LOOP_ITEM, "start"), needs=(LOOP_ITEM, "prepare", "start"))
    outer = loop_of(
        "outer", item_task("prepare"), inner, item_task("gather", "inner", after=(Edge("inner"),)), needs=("start",)
    )
    return pipeline_of(
        task_of("start"),
        task_of("big", "start", ports=("true", "false")),
        Task("outer", ("start",), outer.source, loop=outer.loop, after=(Edge("big", "true"),)),
        task_of("few", "start", after=(Edge("big", "false"),)),
        task_of("join", "outer", "few"),
        result=("join",),
        failure_task=task_of("alarm"),
        finally_tasks=(task_of("bell"), task_of("tidy", FLOW_INPUT)),
    )


def test_a_good_pipeline_has_no_problem() -> None:
    assert messages(_good()) == []


def test_all_tasks_are_those_in_loops_and_at_the_end_too() -> None:
    names = [task.name for task in all_tasks(_good())]
    assert names == "start big outer prepare inner deep gather few join alarm bell tidy".split()


@pytest.mark.parametrize(
    ("tasks", "message", "remedy"),
    [
        ([DECIDES, task_of("b", after=(Edge("bog"),), line=4)], "4: task 'b' comes after 'bog', which", "'big'?"),
        (
            [DECIDES, task_of("b", after=(Edge("big", "treu"),), line=4)],
            "4: task 'b' comes after the port 'treu' of 'big', which it does not have",
            "'true'?",
        ),
        (
            [DECIDES, task_of("b", after=(Edge("big", "no"),))],
            "the port 'no' of 'big'",
            "the ports of 'big' are 'true' and 'false'",
        ),
        ([task_of("a"), task_of("b", after=(Edge("a", "x"),))], "the port 'x' of 'a'", "decides nothing"),
        (
            [task_of("a", after=(Edge("b"),), line=3), task_of("b", "a")],
            "3: tasks need each other in a circle: a -> b -> a",
            "edges",
        ),
        ([task_of("b", after=(Edge("a"),), line=2), task_of("a")], "2: task 'b' stands before 'a', which it comes", ""),
        (
            [task_of("a", LOOP_ITEM, line=6)],
            "6: task 'a' needs a loop's item outside of any loop",
            "a loop's own tasks",
        ),
        (
            [task_of("a"), loop_of("l", item_task("i", LOOP_ITEM, "a", line=7))],
            "7: task 'i' needs 'a', which its loop 'l' does not need",
            "let 'l' need it too",
        ),
        ([loop_of("l", item_task("i")), task_of("b", "i", line=8)], "8: task 'b' needs 'i', which runs inside", "loop"),
        ([loop_of("l", item_task("i"), item_task("j", "ii", line=9))], "9: task 'j' needs 'ii', which is not", "'i'?"),
        (
            [loop_of("l", item_task("i", "j"), item_task("j", "i"))],
            "tasks need each other in a circle: i -> j -> i",
            "take one",
        ),
        (
            [loop_of("l", item_task("i", "j", line=2), item_task("j"))],
            "2: task 'i' stands before 'j', which it needs",
            "put 'j' first",
        ),
        (
            [task_of("a"), loop_of("l", item_task("i", after=(Edge("a"),)), needs=("a",))],
            "task 'i' comes after 'a', which is not a task",
            "beside it are i",
        ),
        ([task_of("a"), loop_of("l", item_task("a", line=5))], "5: two tasks are named 'a'", "another name"),
        ([task_of("a-b"), loop_of("l", item_task("a_b"))], "tasks 'a-b' and 'a_b' both become 'a_b' in Dagster", ""),
        ([loop_of("l", item_task("i", line=3, timeout=0))], "3: timeout=0 of task 'i' is no time", ""),
    ],
)
def test_edges_and_loops(tasks: list[Task], message: str, remedy: str) -> None:
    found = [p for p in problems(pipeline_of(*tasks)) if message in f"{p.where}: {p.what}"]
    assert len(found) == 1, messages(pipeline_of(*tasks))
    assert remedy in found[0].remedy


def test_each_mistake_is_told_once() -> None:
    pipeline = pipeline_of(DECIDES, task_of("b", "bigg", after=(Edge("big", "treu"),)))
    assert len(messages(pipeline)) == 2


def test_what_ends_a_run_takes_the_input_alone() -> None:
    pipeline = pipeline_of(
        task_of("a"),
        failure_task=task_of("alarm", after=(Edge("a"),), line=2),
        finally_tasks=(task_of("bell", "a", line=3), task_of("tidy", after=(Edge("a"),), line=4), task_of("ok")),
    )
    assert messages(pipeline) == [
        "flow.yaml:2: the failure task 'alarm' needs a",
        "flow.yaml:3: the final task 'bell' needs 'a'",
        "flow.yaml:4: the final task 'tidy' needs 'a'",
    ]


def test_a_pipeline_file_speaks_of_nodes() -> None:
    node = task_of("a", "b", function="", node=Node("log"))
    assert messages(pipeline_of(node)) == ["flow.yaml:1: node 'a' needs 'b', which is not a node"]
    (problem,) = problems(pipeline_of(task_of("a b", function="", node=Node("log"))))
    assert problem.what == "'a b' cannot be the name of a node"
    assert problem.remedy.startswith("write id with")


@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6), st.booleans()), max_size=12))
def test_circles_of_edges_are_circles_too(pairs: list[tuple[int, int, bool]]) -> None:
    """An edge and a need are waited for alike: whichever is written, the same circles and orders are told."""
    mixed, needs_only = (
        pipeline_of(
            *(
                task_of(
                    str(n),
                    FLOW_INPUT,
                    *(str(upstream) for name, upstream, edge in pairs if name == n and not (edge and with_edges)),
                    after=tuple(Edge(str(up)) for name, up, edge in pairs if name == n and edge and with_edges),
                )
                for n in range(7)
            )
        )
        for with_edges in (True, False)
    )
    circles = [sum("in a circle" in told for told in messages(one)) for one in (mixed, needs_only)]
    assert circles[0] == circles[1]
    assert bool(messages(mixed)) == bool(messages(needs_only))
