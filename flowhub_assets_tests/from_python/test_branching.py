"""Branches of a flow: which task runs, what a join takes, and what is said where a choice is used wrongly."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from flowhub import flow, task
from flowhub_assets.errors import DefinitionError, TracingError
from flowhub_assets.from_python.flow import Flow
from flowhub_assets.ir.pipeline import Edge
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.outcome import Outcome

Args = dict[str, Any]


@task
def load(args: Args) -> Args:
    return {**_own(args), "load": True, "by": "load"}


@task
def is_big(args: Args) -> Any:
    return args["n"]


@task
def kind(args: Args) -> Any:
    return args["n"]


any_cases: Any = kind.branch


@task
def many(args: Args) -> Args:
    return {**_own(args), "many": True, "by": "many"}


@task
def few(args: Args) -> Args:
    return {**_own(args), "few": True, "by": "few"}


@task
def merge(args: Args) -> Args:
    return {**_own(args), "merged": True}


@task
def pair(left: Args, right: Args) -> Args:
    return {"left": _own(left), "right": _own(right)}


def _own(args: Args) -> Args:
    return {key: value for key, value in args.items() if key != "env"}


def run(main: Flow, given: Args) -> Outcome:
    return run_pipeline(main.runnable, given, in_process=True, on_event=lambda _: None)


def states(outcome: Outcome) -> dict[str, str]:
    return {name: one.state for name, one in outcome.tasks.items()}


@flow
def diamond(args: Any) -> Any:
    loaded = load(args)
    choice = is_big.branch(loaded)
    return merge(many(choice.true), few(choice.false))


@flow
def one_sided(args: Any) -> Any:
    """What is not big goes on as it is."""
    loaded = load(args)
    choice = is_big.branch(loaded)
    return merge(many(choice.true), choice.false)


@flow
def by_kind(args: Any) -> Any:
    choice = kind.branch(args, cases=("pdf", "two words"))
    return merge(many(choice["pdf"]), few(choice["two words"]), load(choice.default))


@flow
def nested(args: Any) -> Any:
    outer = is_big.branch(args)
    inner = kind.named("inner").branch(outer.true, cases=("a", "b"))
    return pair(merge(many(inner["a"]), load(inner.b)), few(outer.false))


@flow
def sub(args: Any) -> Any:
    return few(many(args))


@flow
def with_a_flow_inside(args: Any) -> Any:
    choice = is_big.branch(args)
    return merge(sub(choice.true), choice.false)


def test_the_graph_of_a_branch() -> None:
    tasks = {one.name: one for one in diamond.pipeline.tasks}
    assert list(tasks) == ["load", "is_big", "many", "few", "merge"]
    assert (tasks["is_big"].ports, tasks["is_big"].needs) == (("true", "false"), ("load",))
    assert (tasks["many"].needs, tasks["many"].after) == (("load",), (Edge("is_big", "true"),))
    assert (tasks["few"].needs, tasks["few"].after) == (("load",), (Edge("is_big", "false"),))
    assert (tasks["merge"].needs, tasks["merge"].after) == (("many", "few"), ())


def test_a_branch_beside_another_branchs_output_becomes_a_task() -> None:
    """Otherwise what was decided on would win over the output that was chosen."""
    tasks = {one.name: one for one in one_sided.pipeline.tasks}
    assert tasks["is_big.false"].after == (Edge("is_big", "false"),)
    assert tasks["merge"].needs == ("many", "is_big.false")
    assert tasks["merge"].after == (Edge("many"), Edge("is_big.false"))


@pytest.mark.parametrize(
    ("main", "n", "expected"),
    [
        (diamond, True, {"n": True, "load": True, "by": "many", "many": True, "merged": True}),
        (diamond, False, {"n": False, "load": True, "by": "few", "few": True, "merged": True}),
        (diamond, "true", {"n": "true", "load": True, "by": "many", "many": True, "merged": True}),
        (one_sided, True, {"n": True, "load": True, "by": "many", "many": True, "merged": True}),
        (one_sided, False, {"n": False, "load": True, "by": "load", "merged": True}),
        (by_kind, "pdf", {"n": "pdf", "by": "many", "many": True, "merged": True}),
        (by_kind, "two words", {"n": "two words", "by": "few", "few": True, "merged": True}),
        (by_kind, "another", {"n": "another", "load": True, "by": "load", "merged": True}),
        (by_kind, None, {"n": None, "load": True, "by": "load", "merged": True}),
        (with_a_flow_inside, True, {"n": True, "by": "few", "many": True, "few": True, "merged": True}),
        (with_a_flow_inside, False, {"n": False, "merged": True}),
        (nested, False, {"left": {}, "right": {"n": False, "by": "few", "few": True}}),
    ],
)
def test_what_a_join_takes_and_the_same_in_a_unit_test(main: Flow, n: Any, expected: Args) -> None:
    outcome = run(main, {"n": n})
    assert outcome.error is None
    assert outcome.value == expected
    assert main({"n": n}) == expected


def test_what_is_not_chosen_is_skipped() -> None:
    assert states(run(nested, {"n": False})) == {
        "is_big": "succeeded",
        "inner": "skipped",
        "many": "skipped",
        "load": "skipped",
        "merge": "skipped",
        "few": "succeeded",
        "pair": "succeeded",
    }


def test_the_value_of_the_decider_is_its_port() -> None:
    assert run(diamond, {"n": True}).tasks["is_big"].value == {"port": "true"}
    assert run(by_kind, {"n": "x"}).tasks["kind"].value == {"port": "default"}


def test_a_flow_may_give_back_a_branch_as_it_is() -> None:
    @flow
    def main(args: Any) -> Any:
        choice = is_big.branch(args)
        return many(choice.true), choice.false

    assert run(main, {"n": True}).value == {"n": True, "many": True, "by": "many"}
    assert run(main, {"n": False}).value == {"n": False}


def test_a_flow_that_returns_nothing_gives_back_no_decision() -> None:
    @flow
    def main(args: Any) -> None:
        many(is_big.branch(args).true)

    assert main.pipeline.result == ("many",)


def test_both_branches_in_one_task_is_always() -> None:
    @flow
    def main(args: Any) -> Any:
        choice = is_big.branch(args)
        return merge(choice.true, choice.false)

    assert [run(main, {"n": n}).value for n in (True, False)] == [{"n": n, "merged": True} for n in (True, False)]


def test_a_function_of_two_parameters_decides_on_both() -> None:
    @task
    def differ(left: Args, right: Args) -> bool:
        return bool(left["by"] != right["by"])

    @flow
    def main(args: Any) -> Any:
        choice = differ.branch(many(args), right=few(args))
        return merge(choice.true)

    pipeline = main.pipeline
    assert pipeline.task("differ").needs == ("many", "few")
    assert pipeline.task("merge").needs == ("many", "few")
    assert run(main, {"n": 1}).value == {"n": 1, "many": True, "few": True, "by": "few", "merged": True}


def test_a_numpy_bool_is_a_bool() -> None:
    @task
    def decide(args: Args) -> Any:
        return np.float64(args["n"]) > 1

    @flow
    def main(args: Any) -> Any:
        return merge(decide.branch(args).true)

    assert states(run(main, {"n": 2}))["merge"] == "succeeded"
    assert states(run(main, {"n": 1}))["merge"] == "skipped"


@pytest.mark.parametrize(
    ("main", "n", "what", "remedy"),
    [
        (diamond, 1, "task 'is_big' decides, and returned 1, not True or False", "Return True or False"),
        (diamond, None, "returned None, not True or False", "Return True or False"),
        (diamond, "yes", "returned 'yes', not True or False", "cases=(...)"),
        (diamond, {"port": "true"}, "returned a dict, not True or False", "Return True"),
        (by_kind, True, "returned True, not the name of a case", "Return one of 'pdf' and 'two words'"),
    ],
)
def test_an_answer_that_is_no_branch_is_told(main: Flow, n: Any, what: str, remedy: str) -> None:
    error = run(main, {"n": n}).error
    assert error is not None
    assert what in str(error)
    assert remedy in str(error)
    assert error.where.startswith(__file__)


def test_an_answer_that_is_no_branch_tells_no_secret() -> None:
    @task
    def decide(args: Args) -> Any:
        return "it was " + args["env"]["API_TOKEN"]

    @flow(env={"default": {"API_TOKEN": "tell-nobody"}})
    def main(args: Any) -> Any:
        return merge(decide.branch(args).true)

    error = run(main, {}).error
    assert "it was ***" in str(error)
    assert "tell-nobody" not in repr(error)


def _in_body(body: Callable[[Any], Any]) -> DefinitionError:
    with pytest.raises(DefinitionError) as refused:
        _ = flow(body).pipeline
    assert refused.value.where.startswith(f"{__file__}:{body.__code__.co_firstlineno}")
    return refused.value


@pytest.mark.parametrize(
    ("body", "what", "remedy"),
    [
        (lambda choice, args: choice.ture, "the choice of task 'is_big' has no branch .ture", "did you mean 'true'?"),
        (lambda choice, args: choice["maybe"], "has no branch ['maybe']", "it has choice.true and choice.false"),
        (lambda choice, args: choice[0], "has no branch [0]", "it has choice.true and choice.false"),
        (lambda choice, args: many(choice), "given the choice of task 'is_big'", "many(choice.true)"),
        (lambda choice, args: 1 if choice else 2, "used as a condition", "my_task(choice.true)"),
        (lambda choice, args: list(choice), "looped over", "my_task(choice.true)"),
        (lambda choice, args: f"{choice}", "put into a text", "my_task(choice.true)"),
        (lambda choice, args: choice == 1, "compared", "my_task(choice.true)"),
        (lambda choice, args: 1 if choice.true else 2, "is used as a condition", ".branch(value)"),
        (lambda choice, args: is_big.branch(args), "task 'is_big' is called twice", "is_big.named('is_big-2')"),
        (lambda choice, args: kind.branch(), "branch of task 'kind' is called without a value", "kind.branch(args"),
        (lambda choice, args: kind.branch(args, cases=()), "task 'kind' branches over no case", "cases=('pdf'"),
        (lambda choice, args: kind.branch(args, cases=("a", "a")), "the case 'a' is named twice", "once"),
        (lambda choice, args: any_cases(args, cases=(1,)), "cases[0]=1 is of type int", "a string"),
        (lambda choice, args: kind.branch(args, cases="pdf"), "cases='pdf' is of type str", "a list"),
        (lambda choice, args: kind.branch({"n": 1}), "'kind' is given a dict instead of", "@flow(params={...})"),
    ],
)
def test_wrong_uses(body: Callable[[Any, Any], Any], what: str, remedy: str) -> None:
    def main(args: Any) -> Any:
        return body(is_big.branch(args), args)

    with pytest.raises(DefinitionError) as refused:
        _ = flow(main).pipeline
    assert what in refused.value.what
    assert remedy in refused.value.remedy
    assert refused.value.where.startswith(f"{__file__}:{body.__code__.co_firstlineno}")


def test_a_flow_does_not_give_back_the_choice_itself() -> None:
    def main(args: Any) -> Any:
        return is_big.branch(args)

    assert "returns the choice of task 'is_big'" in _in_body(main).what


def test_a_branch_of_a_finished_flow_is_refused() -> None:
    kept: list[Any] = []

    @flow
    def main(args: Any) -> Any:
        kept.append(is_big.branch(args))
        return many(kept[0].true)

    _ = main.pipeline
    with pytest.raises(TracingError, match="outside its body"):
        kind.branch(kept[0].true)


@given(n=st.booleans(), m=st.booleans())
def test_two_choices_and_an_ordinary_value(n: bool, m: bool) -> None:
    """A task that takes branches of two choices runs where one was chosen; an ordinary value decides nothing."""

    @flow
    def main(args: Any) -> Any:
        one = is_big.branch(many(args))
        other = is_big.named("other").branch(few(args))
        return merge(load(args), one.true, other.true)

    @task
    def copy_m(args: Args) -> bool:
        return bool(args["m"])

    @flow
    def by_m(args: Any) -> Any:
        one = is_big.branch(many(args))
        other = copy_m.branch(few(args))
        return merge(load(args), one.true, other.true)

    for chosen, given_ in ((main, {"n": n, "m": n}), (by_m, {"n": n, "m": m})):
        outcome = run(chosen, given_)
        taken = {"n": given_["n"], "m": given_["m"]}
        expected = {**taken, "load": True, "by": "load", "merged": True}
        if given_["n"]:
            expected |= {"many": True, "by": "many"}
        if given_["m"]:
            expected |= {"few": True, "by": "few"}
        ran = given_["n"] or given_["m"]
        assert states(outcome)["merge"] == ("succeeded" if ran else "skipped")
        assert outcome.value == (expected if ran else {})
        assert chosen(given_) == (expected if ran else {})


def test_a_value_between_the_two_sides_of_a_choice_keeps_its_place() -> None:
    @flow
    def main(args: Any) -> Any:
        choice = is_big.branch(args)
        return merge(choice.true, load(args), choice.false)

    for n, by in ((True, "load"), (False, "first")):
        given_ = {"n": n, "by": "first"}
        value = run(main, given_).value
        assert value is not None
        assert value["by"] == by
        assert main(given_) == value
