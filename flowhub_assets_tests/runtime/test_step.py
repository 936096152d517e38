"""One step: env in and out, inputs apart or merged, errors with the user's frames and no secret."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest

from flowhub_assets.errors import StorageError, TaskFailed, TaskTimedOut, ValueMissing, ValueRefused
from flowhub_assets.ir.pipeline import FLOW_INPUT, Node, Pipeline, Source
from flowhub_assets.runtime.show import Shown, show
from flowhub_assets.runtime.step import failure_args, run_step, step_env, step_inputs
from flowhub_assets_tests.runtime.pipelines_by_hand import task_of


def echo(args: dict[str, Any]) -> dict[str, Any]:
    return args


def two(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    return {}


def test_env_layers() -> None:
    pipeline = Pipeline("flow", (), Source("f.py", 1))
    env = step_env(pipeline, {"A": 1, "B": 1, "task": "no"}, "r1", task_of(echo, env={"B": 2, "project": "no"}))
    assert env == {"A": 1, "B": 2, "project": "flow", "run_id": "r1", "task": "echo"}


def test_inputs_merge_left_to_right_or_stay_apart_and_are_copies() -> None:
    outputs: dict[str, dict[str, Any]] = {"a": {"x": 1, "list": [1]}, "b": {"x": 2}}
    flow_input = {"x": 0, "y": 0}
    assert step_inputs(task_of(echo, FLOW_INPUT, "b", "a"), outputs, flow_input) == [{"x": 1, "y": 0, "list": [1]}]
    apart = step_inputs(task_of(two, "a", "b"), outputs, flow_input)
    assert apart == [outputs["a"], outputs["b"]]
    apart[0]["list"].append(2)
    assert outputs["a"]["list"] == [1]


def test_every_missing_output_is_named() -> None:
    with pytest.raises(ValueMissing, match="'two' needs the output of 'a', 'b'"):
        step_inputs(task_of(two, "a", "b"), {}, {})


def test_env_cannot_be_changed_for_others_and_is_not_in_the_value() -> None:
    env = {"A": [1], "project": "p", "run_id": "r", "task": "echo"}

    def spoil(args: dict[str, Any]) -> dict[str, Any]:
        args["env"]["A"].append(2)
        return {**args, "inner": {"env": args["env"]}, "n": 1}

    assert run_step(task_of(spoil), spoil, [{}], env).value == {"inner": {}, "n": 1}
    assert env["A"] == [1]


def test_what_is_shown_stands_beside_the_value() -> None:
    def plot(args: dict[str, Any]) -> dict[str, Any]:
        show("rows", 3)
        show("text", "**bold**")
        return {}

    result = run_step(task_of(plot), plot, [{}], {})
    assert result.shown == (Shown("rows", "number", 3), Shown("text", "markdown", "**bold**"))
    assert run_step(task_of(echo), echo, [{}], {}).shown == ()


def test_chained_errors_have_no_frame_of_ours_and_no_secret() -> None:
    env = {"SECRET_KEY": "s3cr3t-value", "nested": {"API_TOKEN": "tok-en"}, "URL": "x"}

    def deep(args: dict[str, Any]) -> dict[str, Any]:
        try:
            show("x", object())
        except ValueRefused as error:
            raise KeyError(f"{args['env']['SECRET_KEY']} tok-en postgres://me:pw@host/db") from error
        return {}

    with pytest.raises(TaskFailed) as failed:
        run_step(task_of(deep), deep, [{}], env)
    error = failed.value
    assert error.error_type == "KeyError"
    assert error.error == "'*** *** postgres://me:***@host/db'"
    assert error.where == f"{__file__}:{deep.__code__.co_firstlineno + 4}"
    assert "The above exception was the direct cause" in error.traceback
    assert "flowhub_assets/runtime" not in error.traceback
    for text in (str(error), error.traceback, repr(error)):
        assert "s3cr3t-value" not in text
        assert "tok-en" not in text
        assert ":pw@" not in text


def test_an_error_whose_text_raises_is_told() -> None:
    class Odd(Exception):
        def __str__(self) -> str:
            raise RuntimeError("no text")

    def fail(args: dict[str, Any]) -> dict[str, Any]:
        raise Odd

    with pytest.raises(TaskFailed, match="Odd"):
        run_step(task_of(fail), fail, [{}], {})


@pytest.mark.parametrize("interrupt", [KeyboardInterrupt, GeneratorExit])
def test_an_interrupt_passes_through(interrupt: type[BaseException]) -> None:
    def stop(args: dict[str, Any]) -> dict[str, Any]:
        raise interrupt

    with pytest.raises(interrupt):
        run_step(task_of(stop), stop, [{}], {})


def test_failure_args_of_any_error() -> None:
    timed_out = TaskTimedOut("too long", where="f.py:1")
    assert failure_args({"n": 1, "error": "old"}, "load", timed_out) == {
        "n": 1,
        "failed_task": "load",
        "error": "too long",
        "error_type": "TaskTimedOut",
        "traceback": "f.py:1: too long",
    }


def test_an_error_of_ours_says_its_effect_and_remedy_once() -> None:
    def upload(args: dict[str, Any]) -> dict[str, Any]:
        raise StorageError("it is full", where="s3://bucket", effect="nothing of tok-en was kept", remedy="make room")

    with pytest.raises(TaskFailed) as failed:
        run_step(task_of(upload), upload, [{}], {"API_TOKEN": "tok-en"})
    assert str(failed.value).splitlines()[0].endswith("task 'upload' failed: StorageError: s3://bucket: it is full")
    assert str(failed.value).splitlines()[1:] == ["  Nothing of *** was kept.", "  Make room."]
    assert failed.value.error == "s3://bucket: it is full\n  Nothing of *** was kept.\n  Make room."


@pytest.mark.parametrize(("node", "told"), [(None, "If args is meant: it has n and env."), (Node("own"), "")])
def test_a_missing_key_is_looked_for_in_args_where_there_are_any(node: Node | None, told: str) -> None:
    def look(args: dict[str, Any]) -> dict[str, Any]:
        return {"found": args["nope"]}

    with pytest.raises(TaskFailed) as failed:
        run_step(dataclasses.replace(task_of(look), node=node), look, [{"n": 1}], {})
    assert failed.value.remedy == told
