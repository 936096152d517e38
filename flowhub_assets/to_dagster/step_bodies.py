"""Calls a task's body for a Dagster step: a light one in this thread, a function in a child that can be killed."""

from __future__ import annotations

import json
import logging
import os
import sys
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any, TextIO

from dagster import OpExecutionContext
from typing_extensions import override

from flowhub_assets.ir.pipeline import Task
from flowhub_assets.runtime.child import run_in_child
from flowhub_assets.runtime.imports import importable
from flowhub_assets.runtime.preload import preload
from flowhub_assets.runtime.step import Runnable, StepResult, run_step, step_env
from flowhub_assets.runtime.step_context import StepContext, current_step, step_context
from flowhub_assets.to_dagster.failures import FAILED_RUN_TAG

#: Begins a line of a child that is a record of its log; text that people print does not hold it.
_RECORD = "\x1eflowhub-log "
#: The most characters of a record in one line: run_in_child cuts lines of 64 KiB, and JSON takes up to 12 for one.
_LONGEST_TOLD = 5_000


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
    if ends_run:  # on_failure has a run of its own here
        env["failed_run_id"] = context.run.tags.get(FAILED_RUN_TAG, context.run_id)
    body = runnable.bodies[task.name]
    mine = StepContext(context.retry_number + 1, context.log, current_step().cancellation)

    def call_in_child() -> StepResult:
        with (
            importable(os.path.dirname(runnable.pipeline.source.file)),
            step_context(replace(mine, log=_told_logger(context.log.getEffectiveLevel()))),
        ):
            return run_step(task, body, inputs, env, ends_run=ends_run)

    with step_context(mine):
        if task.run_on == "engine":
            return run_step(task, body, inputs, env, ends_run=ends_run)
        preload(runnable.pipeline.imports)
        take_line = partial(_take_line, context.log)
        result: StepResult = run_in_child(call_in_child, timeout=task.timeout, name=task.name, on_line=take_line)
        return result


class _ToldRecords(logging.Handler):
    """Prints each record so that ``_take_line`` knows it again: a child must not write to Dagster's storage."""

    def __init__(self, stream: TextIO) -> None:
        super().__init__()
        self._stream = stream

    @override
    def emit(self, record: logging.LogRecord) -> None:
        text = self.format(record)
        for start in range(0, len(text) or 1, _LONGEST_TOLD):
            told = json.dumps([record.levelno, text[start : start + _LONGEST_TOLD]])
            print(f"{_RECORD}{told}", file=self._stream, flush=True)


def _told_logger(level: int) -> logging.Logger:
    logger = logging.Logger("flowhub.step", level)  # noqa: LOG001 - of this step only
    # The stream of now: code that sends its prints to the logger meanwhile would be printing to itself.
    logger.addHandler(_ToldRecords(sys.stdout))
    return logger


def _take_line(log: logging.Logger, stream: int, line: str) -> None:
    """A line of the child: a record goes to the step's log, anything else is printed here, too."""
    before, mark, told = line.partition(_RECORD)
    if mark:
        try:
            level, text = json.loads(told)
            log.log(level, "%s", text)
        except (ValueError, TypeError):
            before = line
    if before or not mark:
        print(before, file=sys.stdout if stream == 1 else sys.stderr, flush=True)
