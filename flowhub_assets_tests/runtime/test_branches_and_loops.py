"""Branches, joins, loops, light tasks, failures that are tolerated, and what comes last, in the local runtime."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from flowhub_assets.errors import TaskFailed
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Edge, Loop, Pipeline, Retry, Source, Task
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.outcome import Event, Outcome
from flowhub_assets.runtime.step import Runnable, Skip
from flowhub_assets.runtime.step_context import current_step

HERE = Source(__file__, 1)
ANY_WAY = pytest.mark.parametrize("in_process", [False, True])


def task(name: str, *needs: str, **more: Any) -> Task:
    return Task(name, needs or (FLOW_INPUT,), HERE, name, **{"merge": False, "run_on": "engine", **more})


def run(
    tasks: list[Task], bodies: Mapping[str, Any], given: dict[str, Any] | None = None, **more: Any
) -> tuple[Outcome, list[Event]]:
    events: list[Event] = []
    settings = {key: more.pop(key) for key in ("failure_task", "finally_tasks", "result") if key in more}
    settings.setdefault("result", (tasks[-1].name,))
    pipeline = Pipeline("p", tuple(tasks), HERE, **settings)
    everything = {**{one.name: _named(one.name) for one in tasks}, **bodies}
    return run_pipeline(Runnable(pipeline, everything), given, on_event=events.append, **more), events


def _named(name: str) -> Any:
    return lambda *args: {"ran": [*(one for arg in args for one in arg.get("ran", ())), name]}


def states(outcome: Outcome) -> dict[str, str]:
    return {name: one.state for name, one in outcome.tasks.items()}


def decide(port: str) -> Any:
    return lambda *_: {"port": port}


@ANY_WAY
@pytest.mark.parametrize(("port", "taken", "left"), [("true", "yes", "no"), ("false", "no", "yes")])
def test_only_the_chosen_branch_runs_and_the_join_takes_it(port: str, taken: str, left: str, in_process: bool) -> None:
    tasks = [
        task("if", ports=("true", "false")),
        task("yes", after=(Edge("if", "true"),)),
        task("no", after=(Edge("if", "false"),)),
        task("join", "yes", "no"),
    ]
    outcome, _ = run(tasks, {"if": decide(port)}, in_process=in_process)
    assert outcome.ok
    assert outcome.value == {"ran": [taken, "join"]}
    assert outcome.tasks[left].state == told.SKIPPED
    assert outcome.tasks[left].reason == f"not chosen: if did not take {'true' if left == 'yes' else 'false'}"


def test_what_is_downstream_of_skipped_tasks_only_is_skipped() -> None:
    tasks = [
        task("if", ports=("true", "false")),
        task("yes", after=(Edge("if", "true"),)),
        task("more", "yes"),
        task("end", "more", "if"),
    ]
    outcome, events = run(tasks, {"if": decide("false")})
    assert states(outcome) == {"if": "succeeded", "yes": "skipped", "more": "skipped", "end": "succeeded"}
    assert outcome.tasks["more"].reason == "all that it needs was skipped: yes"
    assert [event.line for event in events if event.kind == told.SKIPPED and event.task == "more"]


def test_explicit_edges_decide_over_what_is_only_read() -> None:
    tasks = [
        task("root"),
        task("if", "root", ports=("true", "false")),
        task("yes", "root", after=(Edge("if", "true"),)),
    ]
    outcome, _ = run(tasks, {"if": decide("false")}, result=("root",))
    assert states(outcome) == {"root": "succeeded", "if": "succeeded", "yes": "skipped"}


def test_a_port_that_is_none_is_refused() -> None:
    outcome, _ = run([task("if", ports=("true", "false"))], {"if": decide("maybe")})
    assert "chose the port 'maybe'" in str(outcome.error)


def test_a_body_may_skip_its_own_task() -> None:
    outcome, _ = run([task("a"), task("b", "a")], {"a": lambda _: Skip("when is false")}, result=("b",))
    assert states(outcome) == {"a": "skipped", "b": "skipped"}
    assert outcome.ok
    assert outcome.value == {}


def loop(**more: Any) -> list[Task]:
    inner = (task("double", LOOP_ITEM, "base"), task("add", "double", FLOW_INPUT))
    return [task("base"), task("each", "base", loop=Loop("items", inner, "add", **more)), task("end", "each")]


LOOP_BODIES = {
    "base": lambda args: {"factor": 2, "list": [3, 1, 2]},
    "each": lambda args: {"items": [{"item": one, "index": at} for at, one in enumerate(args["list"])]},
    "double": lambda item, base: {"n": item["item"] * base["factor"]},
    "add": lambda doubled, given: {"n": doubled["n"] + given["plus"]},
    "end": lambda args: {"got": args["results"]},
}


@ANY_WAY
@pytest.mark.parametrize("run_on", ["engine", None])
def test_a_loop_gives_its_results_in_order(run_on: str | None, in_process: bool) -> None:
    tasks = loop()
    body = tasks[1].loop
    assert body is not None
    tasks[1] = replace(
        tasks[1], run_on=run_on, loop=replace(body, tasks=tuple(replace(one, run_on=run_on) for one in body.tasks))
    )
    outcome, _ = run(tasks, LOOP_BODIES, {"plus": 1}, in_process=in_process)
    assert outcome.error is None
    assert outcome.value == {"got": [{"n": 7}, {"n": 3}, {"n": 5}]}


def test_a_loop_over_too_many_items_is_an_error() -> None:
    outcome, _ = run(loop(most=2), LOOP_BODIES, {"plus": 1})
    assert "loops over 3 items, more than its bound of 2" in str(outcome.error)
    assert states(outcome)["end"] == "skipped"


def test_a_failing_item_is_named() -> None:
    def add(doubled: dict[str, Any], _given: dict[str, Any]) -> dict[str, Any]:
        if doubled["n"] == 2:
            raise ValueError("no twos")
        return doubled

    outcome, _ = run(loop(), {**LOOP_BODIES, "add": add})
    assert isinstance(outcome.error, TaskFailed)
    assert "item 1: task 'add' failed: ValueError: no twos" in str(outcome.error)


def test_an_item_that_fails_is_tried_again_and_no_other(tmp_path: Any) -> None:
    def add(doubled: dict[str, Any], _given: dict[str, Any]) -> dict[str, Any]:
        with (tmp_path / "calls").open("a") as calls:
            calls.write(f"{doubled['n']} ")
        if doubled["n"] == 2 and (tmp_path / "calls").read_text().split().count("2") < 3:
            raise ValueError("not yet")
        return doubled

    tasks = loop()
    for times, ends_well in ((1, False), (2, True)):
        tasks[1] = replace(tasks[1], retry=Retry(times))
        outcome, events = run(tasks, {**LOOP_BODIES, "add": add}, {"plus": 0})
        assert outcome.ok is ends_well
        assert outcome.tasks["each"].attempts == 1
        assert [event.task for event in events if event.kind == told.RETRYING] == ["each[1]"] * times
        calls = (tmp_path / "calls").read_text().split()
        assert (calls.count("2"), calls.count("6")) == (times + 1, 1)
        (tmp_path / "calls").unlink()


def test_no_more_items_at_a_time_than_asked_for() -> None:
    now, most, lock = [0], [0], threading.Lock()

    def double(*_: object) -> dict[str, Any]:
        with lock:
            now[0] += 1
            most[0] = max(most[0], now[0])
        time.sleep(0.02)
        with lock:
            now[0] -= 1
        return {"n": 1}

    bodies = {**LOOP_BODIES, "base": lambda _: {"factor": 1, "list": list(range(12))}, "double": double}
    assert run(loop(max_concurrent=3), bodies, {"plus": 0})[0].ok
    assert 1 < most[0] <= 3


def test_light_tasks_run_side_by_side() -> None:
    together = threading.Barrier(40, timeout=20)

    def meet(_: object) -> dict[str, Any]:
        together.wait()
        return {}

    names = [f"t{number}" for number in range(40)]
    assert run([task(name) for name in names], dict.fromkeys(names, meet), workers=2)[0].ok


def test_a_light_task_logs_and_knows_its_attempt() -> None:
    def body(_: object) -> dict[str, Any]:
        current_step().log.info("try %d", current_step().attempt)
        current_step().log.warning("careful")
        if current_step().attempt == 1:
            raise OSError("not yet")
        return {"attempt": current_step().attempt}

    for run_on in ("engine", None):
        outcome, events = run([task("a", retry=Retry(1), run_on=run_on)], {"a": body})
        assert outcome.value == {"attempt": 2}
        lines = [event.line for event in events if event.kind == told.OUTPUT]
        assert lines == ["try 1", "WARNING: careful", "try 2", "WARNING: careful"]


def test_only_errors_that_are_named_are_tried_again() -> None:
    def body(_: object) -> dict[str, Any]:
        raise ConnectionResetError("gone")

    tries = {
        on: run([task("a", retry=Retry(2, on=on))], {"a": body})[0].tasks["a"].attempts
        for on in [(), ("OSError",), ("ConnectionResetError", "X"), ("ValueError",), ("TaskTimedOut",)]
    }
    assert list(tries.values()) == [3, 3, 3, 1, 1]


def test_the_delay_grows_as_dagsters_does() -> None:
    def body(_: object) -> dict[str, Any]:
        raise OSError

    for backoff, delays in [
        ("constant", [0.01, 0.01, 0.01]),
        ("linear", [0.01, 0.02, 0.03]),
        ("exponential", [0.01, 0.03, 0.07]),
    ]:
        _, events = run([task("a", retry=Retry(3, 0.01, backoff))], {"a": body})
        assert [round(event.seconds, 3) for event in events if event.kind == told.RETRYING] == delays


def test_a_tolerated_failure_is_a_value() -> None:
    def body(_: object) -> dict[str, Any]:
        raise ValueError("bad")

    outcome, _ = run([task("a", continue_on_error=True), task("b", "a")], {"a": body, "b": lambda a: a["error"]})
    assert outcome.ok
    assert outcome.value == {"message": "bad", "type": "ValueError"}
    assert outcome.tasks["a"].error is not None


@ANY_WAY
@pytest.mark.parametrize("fails", [False, True])
def test_finally_comes_last_whether_the_run_failed_or_not(fails: bool, in_process: bool) -> None:
    order: list[str] = []

    def body(_: object) -> dict[str, Any]:
        order.append("a")
        if fails:
            raise ValueError("bad")
        return {}

    def note(name: str) -> Any:
        return lambda args: order.append(f"{name} {args.get('failed_task')}")

    outcome, _ = run(
        [task("a")],
        {"a": body, "alarm": note("alarm"), "sweep": note("sweep"), "leave": note("leave")},
        failure_task=task("alarm"),
        finally_tasks=(task("sweep"), task("leave")),
        in_process=in_process,
    )
    assert outcome.ok is not fails
    assert order == (["a", "alarm a", "sweep a", "leave a"] if fails else ["a", "sweep None", "leave None"])
    assert [one.state for one in outcome.finals] == ["succeeded", "succeeded"]


def test_a_finally_that_fails_fails_the_run() -> None:
    def sweep(_: object) -> dict[str, Any]:
        raise ValueError("no broom")

    outcome, _ = run([task("a")], {"sweep": sweep}, finally_tasks=(task("sweep"),))
    assert (outcome.ok, outcome.failed_task) == (False, "sweep")


def test_light_tasks_are_asked_to_stop_when_the_run_is() -> None:
    stopped = threading.Event()

    def body(_: object) -> dict[str, Any]:
        if current_step().cancellation.wait(20):
            stopped.set()
        return {}

    def listener(event: Event) -> None:
        if event.kind == told.WAITING:
            raise KeyboardInterrupt

    pipeline = Pipeline("p", (task("a"),), HERE)
    with pytest.raises(KeyboardInterrupt):
        run_pipeline(Runnable(pipeline, {"a": body}), on_event=listener)
    assert stopped.wait(5)
