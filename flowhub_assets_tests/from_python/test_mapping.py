"""task.map: a task for each item of a list, in a flow and in a unit test."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from flowhub import flow, task
from flowhub_assets.errors import DefinitionError, ValueRefused
from flowhub_assets.from_python.flow import Flow
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Edge, Loop, Retry
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.outcome import Outcome

Args = dict[str, Any]


@task
def split(args: Args) -> Args:
    return {"items": args["text"].split(), "unit": "m", "text": args["text"]}


@task(retries=2, timeout=30, pool="few", cpu="1", priority=3)
def measure(args: Args) -> Args:
    """Measures one word."""
    return {"word": args["item"], "at": args["index"], "length": len(args["item"]), "unit": args["unit"]}


@task
def double(args: Args) -> Args:
    return {"twice": 2 * args["item"]["length"], "keys": sorted(key for key in args if key != "env")}


@task
def total(args: Args) -> Args:
    return {"total": sum(item["twice"] for item in args["items"]), "keys": args["items"][0]["keys"]}


@task
def two(left: Args, right: Args) -> Args:
    return {**left, **right}


@task
def is_long(args: Args) -> bool:
    return len(args["text"]) > 3


any_words: Any = measure.map


@flow(params={"text": "one three"})
def words(args: Any) -> Any:
    parts = split(args)
    measured = measure.map(parts, over="items", max_concurrent=2, most=5)
    return total(double.map(parts, measured, over="items"))


def run(main: Flow, given: Args | None = None) -> Outcome:
    return run_pipeline(main.runnable, given or {}, in_process=True, on_event=lambda _: None)


def test_the_graph_of_a_map() -> None:
    looping = words.pipeline.task("measure")
    assert looping.loop is not None
    (inner,) = looping.loop.tasks
    assert looping.loop == Loop("items", (inner,), "measure.each", into="items", max_concurrent=2, most=5)
    assert (looping.needs, looping.retry, looping.timeout, looping.pool) == (("split",), Retry(), None, None)
    assert (looping.description, looping.priority) == ("Measures one word.", 3)
    assert (inner.name, inner.needs, inner.merge, inner.function) == ("measure.each", (LOOP_ITEM,), True, "measure")
    assert (inner.retry, inner.timeout, inner.pool, inner.placement.cpu) == (Retry(2), 30.0, "few", "1")
    assert set(words.runnable.bodies) == {"split", "measure", "measure.each", "double", "double.each", "total"}


def test_each_item_is_given_with_its_number_and_the_other_args() -> None:
    expected = {"total": 16, "keys": ["index", "item", "text", "unit"]}
    assert run(words).value == expected
    assert run(words).tasks["measure"].value == {
        "items": [
            {"word": "one", "at": 0, "length": 3, "unit": "m"},
            {"word": "three", "at": 1, "length": 5, "unit": "m"},
        ]
    }
    assert words({"text": "one three"}) == expected


def test_no_items_give_no_results() -> None:
    @flow
    def main(args: Any) -> Any:
        return measure.map(args, over="items")

    assert run(main, {"items": []}).value == {"items": []}


def test_the_env_is_the_items_own_and_travels_in_no_value() -> None:
    @task(env={"DEBUG": True})
    def who(args: Args) -> Args:
        return {"task": args["env"]["task"], "debug": args["env"]["DEBUG"], "args": args}

    @flow(env={"default": {"API_TOKEN": "tell-nobody"}})
    def main(args: Any) -> Any:
        return who.map(args, over="items")

    value = run(main, {"items": [1]}).value
    assert value == {"items": [{"task": "who.each", "debug": True, "args": {"item": 1, "index": 0}}]}


def test_a_mapped_task_has_its_retries() -> None:
    tries: list[int] = []

    @task(retries=1)
    def sometimes(args: Args) -> Args:
        tries.append(args["item"])
        if tries.count(args["item"]) == 1:
            raise OSError("not yet")
        return {"n": args["item"]}

    @flow
    def main(args: Any) -> Any:
        return sometimes.map(args, over="items")

    assert run(main, {"items": [7, 8]}).value == {"items": [{"n": 7}, {"n": 8}]}
    assert tries == [7, 7, 8, 8]


def test_a_map_in_a_branch_is_skipped_with_it() -> None:
    @flow
    def main(args: Any) -> Any:
        parts = split(args)
        choice = is_long.branch(parts)
        return measure.map(choice.true, over="items")

    assert main.pipeline.task("measure").after == (Edge("is_long", "true"),)
    outcome = run(main, {"text": "a"})
    assert outcome.tasks["measure"].state == "skipped"
    assert outcome.value == main({"text": "a"}) == {}
    value = run(main, {"text": "long"}).value
    assert value is not None
    assert value == main({"text": "long"})
    assert value["items"][0]["word"] == "long"


@pytest.mark.parametrize(
    ("given", "what", "more"),
    [
        ({"itms": []}, "task 'measure' maps over 'items', which its args do not have", "Did you mean 'itms'?"),
        ({"a": 1, "b": 2}, "which its args do not have", "They have a and b."),
        ({}, "which its args do not have", "They have none."),
        ({"items": {"a": 1}}, "task 'measure' maps over 'items', which is a dict, not a list", "return {**args"),
        ({"items": "text"}, "which is a str, not a list", "Let the task before it give a list"),
        ({"items": [1, 2, 3, 4]}, "items", "most="),
    ],
)
def test_what_is_no_list_is_told(given: Args, what: str, more: str) -> None:
    @flow
    def main(args: Any) -> Any:
        return measure.map(args, over="items", most=3)

    error = run(main, given).error
    assert error is not None
    assert what in str(error)
    assert more in str(error)
    assert error.where.startswith(f"{__file__}:")
    with pytest.raises(ValueRefused) as refused:
        main(given)
    assert what in str(refused.value)


@pytest.mark.parametrize(
    ("body", "what", "remedy"),
    [
        (lambda args: measure.map(over="items"), "map of task 'measure' is called without", "measure.map(args"),
        (lambda args: any_words(args, over=1), "over=1 is of type int", "measure.map(args, over='items')"),
        (lambda args: measure.map(args, over=""), "over='' is of type str", "measure.map(args, over='items')"),
        (lambda args: any_words(args, over="x", most="9"), "most='9' is of type str", "most=1000"),
        (lambda args: measure.map(args, over="x", most=0), "loop 'measure' takes at most 0 items", "1000"),
        (lambda args: measure.map(args, over="x", max_concurrent=-1), "runs -1 items at a time", "0 for no limit"),
        (lambda args: measure.map([args], over="x"), "a list of values", "*values"),
        (lambda args: measure.map(measure(args), over="x"), "'measure' is called twice", ".named("),
        (lambda args: two.map(args, over="x"), "task 'two' is mapped and has 2 parameters", "args['item']"),
    ],
)
def test_wrong_words(body: Callable[[Any], Any], what: str, remedy: str) -> None:
    with pytest.raises(DefinitionError) as refused:
        _ = flow(_named(body)).pipeline
    assert what in refused.value.what
    assert remedy in refused.value.remedy
    assert refused.value.where.startswith(f"{__file__}:{body.__code__.co_firstlineno}")


def _named(body: Callable[[Any], Any]) -> Callable[[Any], Any]:
    def main(args: Any) -> Any:
        return body(args)

    return main


def test_a_map_takes_the_flows_input() -> None:
    @flow
    def main(args: Any) -> Any:
        return measure.named("sizes").map(args, over="items")

    (one,) = main.pipeline.tasks
    assert (one.name, one.needs) == ("sizes", (FLOW_INPUT,))
    assert one.loop is not None
    assert one.loop.result == "sizes.each"
    assert one.source.file == __file__
