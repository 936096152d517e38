"""A flow with branches gives the same when its body is called with a plain dict as when the runtime runs its graph."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from flowhub import flow, task
from flowhub_assets.runtime.local import run_pipeline

Args = dict[str, Any]

#: A task: those it takes (-1 is the input; of one that decides, its true or false side), and what it decides.
Step = tuple[list[tuple[int, bool]], "bool | None"]


@st.composite
def flows(draw: st.DrawFn) -> list[Step]:
    """Up to eight tasks, each taking one to three values that are there before it."""
    steps: list[Step] = []
    for index in range(draw(st.integers(1, 8))):
        taken = draw(st.lists(st.tuples(st.integers(-1, index - 1), st.booleans()), min_size=1, max_size=3))
        steps.append((taken, draw(st.none() | st.booleans())))
    return steps


def _task(index: int, decides: bool | None) -> Any:
    def work(args: Args) -> Any:
        """Says that it ran, and who wrote last into what it was given."""
        if decides is not None:
            return decides
        own = {key: value for key, value in args.items() if key != "env"}
        return {**own, f"ran {index}": args.get("last"), "last": index}

    return task(name=f"t{index}")(work)


@given(steps=flows())
def test_both_ways_give_the_same(steps: list[Step]) -> None:
    functions = [_task(index, decides) for index, (_, decides) in enumerate(steps)]

    @flow
    def main(args: Any) -> Any:
        made: list[Any] = []

        def value(number: int, side: bool) -> Any:
            if number < 0:
                return args
            decides = steps[number][1] is not None
            return (made[number].true if side else made[number].false) if decides else made[number]

        for (taken, decides), function in zip(steps, functions, strict=True):
            call = function if decides is None else function.branch
            made.append(call(*(value(number, side) for number, side in taken)))
        last = len(steps) - 1
        return collect(value(last, True), value(last, False))

    outcome = run_pipeline(main.runnable, {"last": "input"}, in_process=True, on_event=lambda _: None)
    assert outcome.error is None
    assert main({"last": "input"}) == outcome.value


@task
def collect(args: Args) -> Args:
    return {key: value for key, value in args.items() if key != "env"}
