"""Branches, joins, loops and retries × runners: what is skipped, what a join takes, what a loop gives."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flowhub_assets_tests.conformance.branch_shapes import BRANCHES, FAILING_BRANCHES, LOOPS, TakenShape
from flowhub_assets_tests.conformance.dagster_runners import DagsterHybrid, DagsterInProcess
from flowhub_assets_tests.conformance.failing_shapes import FailingShape
from flowhub_assets_tests.conformance.runners import Local, Ran, Runner, require_same
from flowhub_assets_tests.conformance.shapes import Shape
from flowhub_assets_tests.conformance.taken_checks import require_taken
from flowhub_assets_tests.conformance.yaml_shapes import FAILING_FILES, FILES

RunShape = Callable[[Shape, Runner], Ran]
Oracle = Callable[[Shape], Ran]

RUNNERS: list[Runner] = [Local(in_process=True), DagsterInProcess(), DagsterHybrid()]

EVERY = pytest.mark.parametrize("shape", [*BRANCHES, *LOOPS, *FILES], ids=lambda shape: shape.name)
EVERY_FAILING = pytest.mark.parametrize("shape", [*FAILING_BRANCHES, *FAILING_FILES], ids=lambda shape: shape.name)
EVERY_RUNNER = pytest.mark.parametrize("runner", RUNNERS, ids=lambda runner: runner.name)


@EVERY
def test_the_oracle_gives_what_is_known_by_hand(shape: TakenShape, oracle: Oracle) -> None:
    ran = oracle(shape)
    require_taken(shape, ran)
    assert ran.told == shape.told


@EVERY_RUNNER
@EVERY
def test_values_are_equal(shape: TakenShape, runner: Runner, run_shape: RunShape, oracle: Oracle) -> None:
    require_same(runner.name, run_shape(shape, runner), oracle(shape))


@EVERY_FAILING
def test_the_oracle_fails_as_is_known_by_hand(shape: FailingShape, oracle: Oracle) -> None:
    ran = oracle(shape)
    assert set(ran.values) == set(shape.done)
    assert ran.result is None
    assert ran.attempts == shape.attempts or not shape.attempts
    assert ran.told
    for told in ran.told:
        args = told["args"]
        assert (args["failed_task"], args["error_type"]) == (shape.fails, shape.error_type)
        assert shape.error is None or args["error"] == shape.error


@EVERY_RUNNER
@EVERY_FAILING
def test_failures_are_equal(shape: FailingShape, runner: Runner, run_shape: RunShape, oracle: Oracle) -> None:
    require_same(runner.name, run_shape(shape, runner), oracle(shape))
