"""The local runtime: order, values, parallelism, retries, timeouts, failures, resumption."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import (
    CheckFailed,
    InputError,
    TaskFailed,
    TaskKilled,
    TaskTimedOut,
    ValueMissing,
    ValueRefused,
)
from flowhub_assets.ir.pipeline import FLOW_INPUT, Check, Retry
from flowhub_assets.runtime.check import check
from flowhub_assets.runtime.local import new_run_id, run_pipeline
from flowhub_assets.runtime.outcome import Event
from flowhub_assets.runtime.run_log import RunLog, read_run_log
from flowhub_assets_tests.runtime.pipelines_by_hand import runnable, task_of

MODES = pytest.mark.parametrize("in_process", [True, False], ids=["here", "children"])


def load(args: dict[str, Any]) -> dict[str, Any]:
    return {**args, "loaded": True}


def left(args: dict[str, Any]) -> dict[str, Any]:
    args["loaded"] = "changed in place"
    return {"side": "left", "left": args["n"] + 1}


def right(args: dict[str, Any]) -> dict[str, Any]:
    return {"side": "right", "right": args["n"] + 2, "saw": args["loaded"]}


def merged(args: dict[str, Any]) -> dict[str, Any]:
    return args


def apart(one: dict[str, Any], two: dict[str, Any]) -> dict[str, Any]:
    return {"sides": [one["side"], two["side"]], "same_env": one["env"] == two["env"]}


def fail(args: dict[str, Any]) -> dict[str, Any]:
    raise ValueError(f"bad {args['n']}")


def checked(args: dict[str, Any]) -> dict[str, Any]:
    check("positive", args["n"] > 0, f"n is {args['n']}")
    return {**args, "checked": True}


@MODES
def test_a_check_that_blocks_stops_what_comes_after(in_process: bool) -> None:
    task = task_of(checked, checks=(Check("positive", "blocking"),), retry=Retry(2))
    pipeline = runnable((task, checked), (task_of(left, "checked"), left))
    assert run_pipeline(pipeline, {"n": 1}, in_process=in_process).tasks["left"].value == {"side": "left", "left": 2}
    outcome = run_pipeline(pipeline, {"n": -1}, in_process=in_process)
    assert isinstance(outcome.error, CheckFailed)
    assert outcome.error.what == "task 'checked' did not pass its check 'positive': n is -1"
    assert (outcome.tasks["checked"].attempts, outcome.tasks["left"].attempts) == (1, 0)


@MODES
def test_a_check_that_only_tells_stops_nothing(in_process: bool) -> None:
    task = task_of(checked, checks=(Check("positive", "warn"),))
    outcome = run_pipeline(runnable((task, checked)), {"n": -1}, in_process=in_process)
    assert outcome.value == {"n": -1, "checked": True}


@MODES
def test_a_diamond_merges_left_to_right(in_process: bool) -> None:
    diamond = runnable(
        (task_of(load), load),
        (task_of(left, "load"), left),
        (task_of(right, "load"), right),
        (task_of(merged, "left", "right"), merged),
    )
    outcome = run_pipeline(diamond, {"n": 1}, in_process=in_process)
    assert outcome.value == {"side": "right", "left": 2, "right": 3, "saw": True}
    assert list(outcome.value) == ["side", "left", "right", "saw"]
    assert {name: one.state for name, one in outcome.tasks.items()} == dict.fromkeys(outcome.tasks, "succeeded")


@MODES
def test_two_parameters_get_two_dicts_each_with_env(in_process: bool) -> None:
    flow = runnable((task_of(left), left), (task_of(right), right), (task_of(apart, "right", "left"), apart))
    outcome = run_pipeline(flow, {"n": 1, "loaded": 0}, in_process=in_process)
    assert outcome.value == {"sides": ["right", "left"], "same_env": True}


@MODES
def test_env_holds_profile_task_env_and_the_run_and_is_in_no_value(in_process: bool, tmp_path: Path) -> None:
    def seen(args: dict[str, Any]) -> dict[str, Any]:
        return {**args, "seen": [args["env"][key] for key in ("A", "B", "project", "run_id", "task")]}

    log = RunLog(str(tmp_path / "run.json"))
    flow = runnable((task_of(seen, env={"B": 2}), seen), (task_of(merged, "seen"), merged))
    outcome = run_pipeline(
        flow, profile={"A": 1, "B": 1, "SECRET_KEY": "s3cr3t"}, run_id="r1", run_log=log, in_process=in_process
    )
    assert outcome.value == {"seen": [1, 2, "by-hand", "r1", "seen"]}
    assert "s3cr3t" not in Path(log.path).read_text()


def test_params_stand_under_the_input() -> None:
    flow = runnable((task_of(merged), merged), params={"n": 1, "m": 1}, result=(FLOW_INPUT, "merged"))
    assert run_pipeline(flow, {"n": 2}, in_process=True).value == {"n": 2, "m": 1}


def test_tasks_that_do_not_depend_on_each_other_overlap(tmp_path: Path) -> None:
    def meet(mine: str, other: str) -> dict[str, Any]:
        (tmp_path / mine).touch()
        until = time.monotonic() + 60
        while not (tmp_path / other).exists():
            assert time.monotonic() < until, f"{other} never started beside {mine}"
            time.sleep(0.01)
        return {mine: os.getpid()}

    def one(args: dict[str, Any]) -> dict[str, Any]:
        return meet("one", "two")

    def two(args: dict[str, Any]) -> dict[str, Any]:
        return meet("two", "one")

    both = runnable((task_of(one), one), (task_of(two), two), result=("one", "two"))
    outcome = run_pipeline(both, workers=2)
    assert outcome.error is None
    assert outcome.value is not None
    assert len({outcome.value["one"], outcome.value["two"], os.getpid()}) == 3


@MODES
def test_the_higher_priority_starts_first(in_process: bool) -> None:
    started: list[str] = []
    steps = [(task_of(merged, name=name, priority=priority), merged) for name, priority in (("a", 0), ("b", 5))]
    run_pipeline(
        runnable(*steps),
        workers=1,
        in_process=in_process,
        on_event=lambda event: started.append(event.task) if event.kind == "started" else None,
    )
    assert started == ["b", "a"]


@MODES
def test_retries_until_it_succeeds(in_process: bool, tmp_path: Path) -> None:
    def flaky(args: dict[str, Any]) -> dict[str, Any]:
        with open(tmp_path / "calls", "a") as calls:
            calls.write("x")
        if (tmp_path / "calls").stat().st_size < 3:
            raise OSError("not yet")
        return {"ok": True}

    events: list[Event] = []
    flow = runnable((task_of(flaky, retry=Retry(times=3, delay=0.01)), flaky))
    outcome = run_pipeline(flow, in_process=in_process, on_event=events.append)
    assert outcome.value == {"ok": True}
    assert outcome.tasks["flaky"].attempts == 3
    assert [event.kind for event in events if event.kind != "waiting"] == [
        *("started", "retrying") * 2,
        "started",
        "succeeded",
    ]


@MODES
def test_a_failure_is_told_with_the_users_frames_and_calls_on_failure_once(in_process: bool, tmp_path: Path) -> None:
    def tell(args: dict[str, Any]) -> dict[str, Any]:
        with open(tmp_path / "told", "a") as told:
            told.write(f"{sorted(args)} {args['failed_task']} {args['error_type']} {args['error']} {args['n']}\n")
        assert "flowhub_assets/runtime" not in args["traceback"]
        assert "raise ValueError" in args["traceback"]
        return args

    flow = runnable((task_of(fail, retry=Retry(times=1)), fail), (task_of(merged, "fail"), merged), failure=tell)
    outcome = run_pipeline(flow, {"n": 3}, in_process=in_process)
    assert isinstance(outcome.error, TaskFailed)
    assert outcome.failed_task == "fail"
    assert outcome.value is None
    assert outcome.error.where.startswith(__file__)
    assert "flowhub_assets/runtime" not in outcome.error.traceback
    assert (tmp_path / "told").read_text() == (
        "['env', 'error', 'error_type', 'failed_task', 'n', 'traceback'] fail ValueError bad 3 3\n"
    )
    assert outcome.tasks["merged"].state == "skipped"
    assert outcome.failure is not None
    assert outcome.failure.state == "succeeded"


@MODES
def test_on_failure_that_fails_leaves_both_errors(in_process: bool) -> None:
    def tell(args: dict[str, Any]) -> dict[str, Any]:
        raise KeyError("webhook")

    outcome = run_pipeline(runnable((task_of(fail), fail), failure=tell), {"n": 1}, in_process=in_process)
    assert "bad 1" in str(outcome.error)
    assert outcome.failure is not None
    assert "webhook" in str(outcome.failure.error)


@MODES
def test_after_a_failure_only_what_needs_it_is_left_out(in_process: bool) -> None:
    flow = runnable(
        (task_of(fail), fail),
        (task_of(load), load),
        (task_of(right, "fail"), right),
        (task_of(left, "load"), left),
    )
    outcome = run_pipeline(flow, {"n": 1}, in_process=in_process, workers=1)
    assert {name: one.state for name, one in outcome.tasks.items()} == {
        "fail": "failed",
        "load": "succeeded",
        "right": "skipped",
        "left": "succeeded",
    }
    assert outcome.failed_task == "fail"


@pytest.mark.parametrize(
    ("body", "kind", "message"),
    [
        (lambda args: time.sleep(60), TaskTimedOut, "timeout of 0.3 s"),
        (lambda args: os._exit(9), TaskKilled, "exit status 9"),
        (lambda args: os.kill(os.getpid(), 9), TaskKilled, "SIGKILL"),
        (lambda args: exit(3), TaskFailed, "sys.exit(3)"),
        (lambda args: exit(0), TaskFailed, "sys.exit(0)"),
        (lambda args: None, ValueRefused, "returned nothing"),
        (lambda args: {"x": b""}, ValueRefused, "result['x']"),
    ],
)
def test_every_bad_end_is_told_with_its_place(body: Any, kind: type[Exception], message: str, tmp_path: Path) -> None:
    def tell(args: dict[str, Any]) -> dict[str, Any]:
        (tmp_path / "told").write_text(args["error_type"] + args["traceback"])
        return {}

    # The others have time enough on a busy machine.
    timeout = 0.3 if kind is TaskTimedOut else 60
    flow = runnable((task_of(body, name="odd", timeout=timeout), body), failure=tell)
    outcome = run_pipeline(flow)
    assert type(outcome.error) is kind
    assert message in str(outcome.error)
    assert str(outcome.error).startswith(f"{__file__}:")
    assert (tmp_path / "told").read_text()


@MODES
def test_what_is_finished_is_kept(in_process: bool) -> None:
    flow = runnable((task_of(fail), fail), (task_of(right, "fail"), right))
    outcome = run_pipeline(flow, finished={"fail": {"n": 5, "loaded": 1}}, in_process=in_process)
    assert outcome.value == {"side": "right", "right": 7, "saw": 1}
    assert outcome.tasks["fail"].state == "kept"


@MODES
def test_one_task_alone(in_process: bool) -> None:
    flow = runnable((task_of(load), load), (task_of(right, "load"), right), failure=fail)
    assert run_pipeline(flow, only="right", inputs=[{"n": 1, "loaded": 2}], in_process=in_process).value == {
        "side": "right",
        "right": 3,
        "saw": 2,
    }
    with pytest.raises(ValueMissing, match="needs the output of 'load'"):
        run_pipeline(flow, only="right", in_process=in_process)


def test_an_input_that_is_not_json_is_refused() -> None:
    with pytest.raises(InputError, match=r"the flow's input holds a bytes at args\['x'\]"):
        run_pipeline(runnable((task_of(merged), merged)), {"x": b""})


def test_the_run_log_has_inputs_and_outputs(tmp_path: Path) -> None:
    path = str(tmp_path / "new" / "run.json")
    flow = runnable((task_of(left), left), (task_of(right), right), (task_of(apart, "right", "left"), apart))
    run_pipeline(flow, {"n": 1, "loaded": 0}, run_log=RunLog(path))
    entries = read_run_log(path).entries
    assert entries["left"] == {"input": {"n": 1, "loaded": 0}, "output": {"side": "left", "left": 2}}
    assert [one["side"] for one in entries["apart"]["input"]] == ["right", "left"]


def test_lines_are_told_by_task() -> None:
    def speak(args: dict[str, Any]) -> dict[str, Any]:
        print("안녕")
        return {}

    lines: list[tuple[str, int, str]] = []
    run_pipeline(
        runnable((task_of(speak), speak)),
        on_event=lambda event: lines.append((event.task, event.stream, event.line)) if event.kind == "output" else None,
    )
    assert lines == [("speak", 1, "안녕")]


def test_run_ids_differ() -> None:
    assert len({new_run_id() for _ in range(100)}) == 100


@MODES
def test_a_task_may_also_be_the_one_for_failures(in_process: bool) -> None:
    flow = runnable((task_of(load), load), (task_of(fail, "load"), fail), failure=load)
    outcome = run_pipeline(flow, {"n": 1}, in_process=in_process)
    assert outcome.tasks["load"].value == {"n": 1, "loaded": True}
    assert outcome.failure is not None
    assert outcome.failure.value is not None
    assert outcome.failure.value["failed_task"] == "fail"


@MODES
def test_the_run_log_holds_what_is_finished_before_the_next_task_runs(in_process: bool, tmp_path: Path) -> None:
    class SlowLog(RunLog):
        def flush(self) -> None:
            time.sleep(0.1)  # a busy disk: a child would win the race if there were one
            super().flush()

    path = tmp_path / "run.json"

    def second(args: dict[str, Any]) -> dict[str, Any]:
        return {"seen": read_run_log(str(path)).entries}

    flow = runnable((task_of(load), load), (task_of(second, "load"), second))
    seen = run_pipeline(flow, {"n": 1}, in_process=in_process, run_log=SlowLog(str(path))).value
    assert seen == {
        "seen": {
            "load": {"input": {"n": 1}, "output": {"n": 1, "loaded": True}},
            "second": {"input": {"n": 1, "loaded": True}},
        }
    }
