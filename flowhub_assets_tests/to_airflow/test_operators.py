"""The operators of a DAG: what waits for what, by which rule; branches, loops, ends, groups, and names."""

from __future__ import annotations

import contextlib
import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.grouping import groups
from flowhub_assets.ir.pipeline import Edge, Node, Pipeline, Task
from flowhub_assets.to_airflow.operators import OUTCOME, Operator, operators
from flowhub_assets_tests.ir.pipelines_as_data import item_task, loop_of, pipeline_of, task_of

JOIN = "none_failed_min_one_success"


def made(pipeline: Pipeline) -> dict[str, Operator]:
    """The operators by id; each stands after what it waits for."""
    found: dict[str, Operator] = {}
    for one in operators(pipeline, groups(pipeline)):
        assert set(one.upstream) <= found.keys(), one.id
        assert one.id not in found
        found[one.id] = one
    return found


def edges(pipeline: Pipeline) -> dict[str, tuple[str, ...]]:
    """What each operator waits for."""
    return {name: one.upstream for name, one in made(pipeline).items()}


def decider(name: str, *needs: str, ports: tuple[str, ...] = ("true", "false")) -> Task:
    """A task that chooses one of its ports."""
    return task_of(name, *needs, ports=ports)


def behind(name: str, *after: tuple[str, str | None], needs: tuple[str, ...] = ()) -> Task:
    """A task that comes after ports of others."""
    return task_of(name, *needs, after=tuple(Edge(task, port) for task, port in after))


def test_tasks_wait_for_what_they_need_and_nothing_else() -> None:
    pipeline = pipeline_of(task_of("a"), task_of("b", "a"), task_of("c", "a"), task_of("d", "b", "c", "$args"))
    assert edges(pipeline) == {"a": (), "b": ("a",), "c": ("a",), "d": ("b", "c")}
    assert {one.rule for one in made(pipeline).values()} == {"all_success"}
    assert made(pipeline)["d"].step["inputs"] == {"b": "b", "c": "c"}


def test_a_decision_is_a_branch_with_an_empty_task_for_each_port() -> None:
    pipeline = pipeline_of(
        task_of("a"), decider("choose", "a"), behind("left", ("choose", "true"), needs=("a",)), task_of("end", "left")
    )
    found = made(pipeline)
    assert edges(pipeline) == {
        "a": (),
        "choose": ("a",),
        "choose.choice": ("choose",),
        "choose.choice.true": ("choose.choice",),
        "choose.choice.false": ("choose.choice",),
        "left": ("choose.choice.true",),
        "end": ("left",),
    }
    assert [found[name].kind for name in found] == ["pod", "pod", "choice", "port", "port", "pod", "pod"]
    assert found["choose.choice"].arguments["ports"] == {"true": "choose.choice.true", "false": "choose.choice.false"}
    assert (found["left"].rule, found["end"].rule) == (JOIN, JOIN)
    assert found["left"].step["inputs"] == {"a": "a", "choose": "choose"}
    assert found["left"].step["after"] == [["choose", "true"]]


def test_a_join_of_both_sides_waits_for_both() -> None:
    pipeline = pipeline_of(decider("choose"), behind("end", ("choose", "true"), ("choose", "false")))
    assert edges(pipeline)["end"] == ("choose.choice.true", "choose.choice.false")
    assert made(pipeline)["end"].rule == JOIN


def test_what_is_needed_beside_an_edge_keeps_an_edge_of_its_own() -> None:
    pipeline = pipeline_of(task_of("a"), decider("choose"), behind("end", ("choose", "true"), needs=("a",)))
    assert edges(pipeline)["end"] == ("choose.choice.true", "a")


def test_a_loop_is_a_list_a_mapped_pod_and_what_gathers() -> None:
    inner = item_task("work", placement=task_of("x").placement)
    pipeline = pipeline_of(task_of("a"), loop_of("each", inner, needs=("a",), max_concurrent=3), task_of("end", "each"))
    found = made(pipeline)
    assert edges(pipeline) == {
        "a": (),
        "each.list": ("a",),
        "each.each": ("each.list",),
        "each": ("each.list", "each.each"),
        "end": ("each",),
    }
    assert (found["each.each"].over, found["each.each"].most_at_a_time) == ("each.list", 3)
    assert found["each.each"].step["inputs"] == {"a": "a", "each/items": {"task": "each.list", "key": "list"}}
    assert (found["each"].rule, found["each.list"].over) == ("none_failed", None)


def test_the_ends_of_a_run_and_what_keeps_it_red() -> None:
    last = task_of("clean")
    pipeline = pipeline_of(
        task_of("a"), task_of("b", "a"), task_of("c"), failure_task=task_of("alarm"), finally_tasks=(last,)
    )
    found = made(pipeline)
    assert (found["alarm"].upstream, found["alarm"].rule) == (("b", "c"), "one_failed")
    assert (found["clean"].upstream, found["clean"].rule) == (("a", "b", "c", "alarm"), "all_done")
    assert (found[OUTCOME].upstream, found[OUTCOME].rule) == (("b", "c"), "one_failed")
    assert found["alarm"].step["failures"] == found[OUTCOME].arguments["places"] == ["a", "b", "c"]
    assert OUTCOME not in made(pipeline_of(task_of("a")))


def test_tasks_that_share_a_pod_are_one_operator() -> None:
    light: dict[str, Any] = {"function": "", "run_on": "engine", "node": Node("log")}
    decides = task_of("c", "b", **light, ports=("true", "false"))
    pipeline = pipeline_of(task_of("a"), task_of("b", "a", **light), decides, behind("d", ("c", "true")), fuse=True)
    found = made(pipeline)
    assert edges(pipeline) == {
        "a": (),
        "b.and_1_more": ("a",),
        "c.choice": ("b.and_1_more",),
        "c.choice.true": ("c.choice",),
        "c.choice.false": ("c.choice",),
        "d": ("c.choice.true",),
    }
    assert found["b.and_1_more"].step["tasks"] == ["b", "c"]
    assert found["c.choice"].arguments["decides"] == {"task": "b.and_1_more", "name": "c"}
    assert found["d"].step["inputs"] == {"c": {"task": "b.and_1_more", "name": "c"}}


def test_behind_a_shared_pod_the_rule_is_that_of_what_may_be_skipped() -> None:
    light: dict[str, Any] = {"function": "", "run_on": "engine", "node": Node("log")}
    maybe = task_of("b", "a", **light, when="no")
    found = made(pipeline_of(task_of("a", **light), maybe, task_of("c", "b"), task_of("d", "c", "a"), fuse=True))
    assert (found["c"].upstream, found["c"].rule) == (("a.and_1_more",), JOIN)
    assert (found["d"].upstream, found["d"].rule) == (("c", "a.and_1_more"), JOIN)


@pytest.mark.parametrize(
    ("pipeline", "name"),
    [
        (pipeline_of(task_of("a b"), task_of("a_b")), "a_b"),
        (pipeline_of(decider("a"), task_of("a.choice")), "a.choice"),
        (pipeline_of(decider("a", ports=("x y", "x_y"))), "a.choice.x_y"),
        (pipeline_of(decider("a"), task_of("a.choice.true")), "a.choice.true"),
        (pipeline_of(loop_of("a", item_task("b")), task_of("a.list")), "a.list"),
        (pipeline_of(task_of("a"), failure_task=task_of("flowhub.outcome")), "flowhub.outcome"),
        (pipeline_of(task_of("flowhub.arrival")), "flowhub.arrival"),
        (pipeline_of(task_of("x"), finally_tasks=(task_of("a_b"), task_of("a b"))), "a_b"),
    ],
)
def test_names_that_become_one_are_refused(pipeline: Pipeline, name: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        made(pipeline)
    assert f"have one name in Airflow: {name!r}" in refused.value.what
    assert "rename" in refused.value.remedy


@given(st.lists(st.text(min_size=1, max_size=300), min_size=1, max_size=6, unique=True))
def test_whatever_the_names_are_the_ids_are_legal_or_refused(names: list[str]) -> None:
    with contextlib.suppress(DefinitionError):
        found = made(pipeline_of(*map(task_of, names)))
        assert len(found) == len(names)
        for name in found:
            assert re.fullmatch(r"[A-Za-z0-9_.-]{1,250}", name)
