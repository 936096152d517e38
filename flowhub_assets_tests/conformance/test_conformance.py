"""Graph shapes × runners: equal values for every task and for the flow; the local runtime says who is right."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest

from flowhub_assets_tests.conformance.dagster_runners import DagsterCommand, DagsterHybrid, DagsterInProcess
from flowhub_assets_tests.conformance.failing_shapes import FAILING, KILLED, FailingShape
from flowhub_assets_tests.conformance.runners import Local, Ran, Runner, require_same
from flowhub_assets_tests.conformance.setting_shapes import MUCH_IN_ONE, SETTINGS
from flowhub_assets_tests.conformance.shapes import SHAPES, Shape
from flowhub_assets_tests.conformance.typed_shapes import TYPED

RunShape = Callable[[Shape, Runner], Ran]
Oracle = Callable[[Shape], Ran]

HERE: Runner = Local(in_process=True)
RUNNERS: list[Runner] = [HERE, DagsterInProcess()]
HYBRID: Runner = DagsterHybrid()
COMMAND: Runner = DagsterCommand()

EVERY = pytest.mark.parametrize("shape", [*SHAPES, *SETTINGS, *TYPED], ids=lambda shape: shape.name)
EVERY_FAILING = pytest.mark.parametrize("shape", FAILING, ids=lambda shape: shape.name)
EVERY_RUNNER = pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.name)


@EVERY
def test_the_oracle_gives_what_is_known_by_hand(shape: Shape, oracle: Oracle) -> None:
    ran = oracle(shape)
    values = {name: json.loads(text) for name, text in ran.values.items()}
    found = {name: _last_writers(value) for name, value in values.items()}
    assert {name: found[name] for name in shape.last_writers} == shape.last_writers
    parts = [dict(shape.given) if name == "$args" else values[name] for name in shape.result]
    assert ran.result is not None
    assert json.loads(ran.result) == {key: item for part in parts for key, item in part.items()}
    assert ran.attempts == {**dict.fromkeys(values, 1), **shape.attempts}
    assert ran.told == []


@EVERY_RUNNER
@EVERY
def test_values_are_equal(shape: Shape, runner: Runner, run_shape: RunShape, oracle: Oracle) -> None:
    require_same(runner.name, run_shape(shape, runner), oracle(shape))


@pytest.mark.parametrize("shape", [shape for shape in SHAPES if shape.name != "deep"], ids=lambda shape: shape.name)
def test_the_hybrid_executor_gives_the_same_values(shape: Shape, run_shape: RunShape, oracle: Oracle) -> None:
    require_same(HYBRID.name, run_shape(shape, HYBRID), oracle(shape))


@EVERY_FAILING
def test_the_hybrid_executor_fails_alike(shape: FailingShape, run_shape: RunShape, oracle: Oracle) -> None:
    require_same(HYBRID.name, run_shape(shape, HYBRID), oracle(shape))


@EVERY_FAILING
def test_the_oracle_fails_as_is_known_by_hand(shape: FailingShape, oracle: Oracle) -> None:
    ran = oracle(shape)
    assert set(ran.values) == set(shape.done)
    assert ran.result is None
    assert ran.attempts == shape.attempts or not shape.attempts
    assert len(ran.told) == (1 if shape.noted else 0)
    for told in ran.told:
        _check_told(shape, told["args"])


@EVERY_RUNNER
@EVERY_FAILING
def test_failures_are_equal(shape: FailingShape, runner: Runner, run_shape: RunShape, oracle: Oracle) -> None:
    if shape.crash and runner is HERE:
        runner = Local(in_process=False)
    require_same(runner.name, run_shape(shape, runner), oracle(shape))


def test_a_run_worker_of_its_own_changes_nothing(run_shape: RunShape, oracle: Oracle) -> None:
    require_same(COMMAND.name, run_shape(MUCH_IN_ONE, COMMAND), oracle(MUCH_IN_ONE))


def test_on_failure_is_called_once_when_the_process_of_a_step_was_killed(run_shape: RunShape, oracle: Oracle) -> None:
    ours, theirs = oracle(KILLED), run_shape(KILLED, COMMAND)
    assert (theirs.values, theirs.result) == (ours.values, ours.result)
    assert [told["args"]["failed_task"] for told in ours.told] == ["b"]
    # What Dagster itself says of a dead process is in its own words.
    assert [told["args"]["failed_task"] for told in theirs.told] == ["b"]
    assert theirs.told[0]["args"]["error"]


def _last_writers(value: dict[str, Any]) -> list[str | None] | None:
    given = value.get("given")
    return [one.get("shared") for one in given] if isinstance(given, list) else None


def _check_told(shape: FailingShape, args: dict[str, Any]) -> None:
    assert args["failed_task"] == shape.fails
    assert args["error_type"] == shape.error_type
    assert shape.error is None or args["error"] == shape.error
    assert args["traceback"]
    assert {name: args[name] for name in shape.given} == shape.given
    assert "tell-nobody" not in json.dumps(args)
