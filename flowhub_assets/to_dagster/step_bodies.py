"""Calls a task's body for a Dagster step: a light one in this thread, a function in a child that can be killed."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from dagster import OpExecutionContext

from flowhub_assets.ir.pipeline import Task
from flowhub_assets.runtime.child import run_in_child
from flowhub_assets.runtime.imports import importable
from flowhub_assets.runtime.step import Runnable, StepResult, run_step, step_env
from flowhub_assets.runtime.step_context import StepContext, current_step, step_context
from flowhub_assets.runtime.step_log import line_logger


def call_body(
    context: OpExecutionContext,
    runnable: Runnable,
    task: Task,
    inputs: Sequence[Mapping[str, Any]],
    profile: Mapping[str, Any],
    *,
    ends_run: bool = False,
) -> StepResult:
    """What the task's body gives for ``inputs``. Its prints and log lines go to the step's logs. Raises a RunError."""
    env = step_env(runnable.pipeline, profile, context.run_id, task)
    body = runnable.bodies[task.name]
    mine = StepContext(context.retry_number + 1, context.log, current_step().cancellation)

    def call_in_child() -> StepResult:
        # The child must not write to Dagster's storage: what it logs, it prints, and its parent keeps that. The stream
        # is the one of now: code that sends its prints to the logger meanwhile would be printing to itself.
        stdout = sys.stdout
        log = line_logger(lambda line: print(line, file=stdout, flush=True))
        with importable(os.path.dirname(runnable.pipeline.source.file)), step_context(replace(mine, log=log)):
            return run_step(task, body, inputs, env, ends_run=ends_run)

    with step_context(mine):
        if task.run_on == "engine":
            return run_step(task, body, inputs, env, ends_run=ends_run)
        result: StepResult = run_in_child(call_in_child, timeout=task.timeout, name=task.name, on_line=_print)
        return result


def _print(stream: int, line: str) -> None:
    print(line, file=sys.stdout if stream == 1 else sys.stderr, flush=True)
