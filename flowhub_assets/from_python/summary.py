"""The last words of a script: how the run ended, where its log and output are, how to go on."""

from __future__ import annotations

import argparse
import json
import os
import shlex
import sys
from collections import Counter
from typing import Any, Optional

from flowhub_assets.errors import RunError, TaskFailed
from flowhub_assets.from_python.arguments import command
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.runtime import outcome as states
from flowhub_assets.runtime.outcome import Outcome
from flowhub_assets.runtime.run_log import RunLog, write_whole

_LONGEST_PREVIEW = 300


def task_names(pipeline: Pipeline) -> list[str]:
    """The names of the pipeline's tasks, in its order."""
    return [task.name for task in pipeline.tasks]


def write_output(path: str, value: Any) -> None:
    """Writes the result as JSON, whole or not at all; '-' is standard output. Raises InputError."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    if path == "-":
        sys.stdout.write(text)
    else:
        write_whole(path, text.encode(), "the output")


def told(pipeline: Pipeline, arguments: argparse.Namespace, outcome: Outcome, log: RunLog) -> str:
    """The summary, several lines."""
    lines = [*_error_lines(outcome), _result_line(pipeline, arguments, outcome), f"  run log: {log.path}"]
    if outcome.ok:
        lines.append(f"  output: {_output(arguments, outcome)}")
    elif not arguments.task:
        lines.append(f"  to go on from there: {_resume_command(arguments)}")
    return "\n".join(lines)


def stopped(arguments: argparse.Namespace, log: RunLog) -> str:
    """What is said after Ctrl-C or SIGTERM."""
    return "\n".join(
        [
            "flowhub: stopped; its tasks are ended and what was finished is kept",
            f"  run log: {log.path}",
            f"  to go on from there: {_resume_command(arguments)}",
        ]
    )


def _result_line(pipeline: Pipeline, arguments: argparse.Namespace, outcome: Outcome) -> str:
    what = f"task {arguments.task}" if arguments.task else pipeline.name
    if not outcome.ok:
        return f"flowhub: {what} failed after {outcome.seconds:.1f} s at task {outcome.failed_task}"
    counted = ""
    if not arguments.task:
        ends = Counter(task.state for task in outcome.tasks.values())
        kept, skipped = ends[states.KEPT], ends[states.SKIPPED]
        ran = len(outcome.tasks) - kept - skipped
        counted = f": {ran} task{'' if ran == 1 else 's'}" + (f", {skipped} skipped" if skipped else "")
        counted += f", {kept} kept from the run log" if kept else ""
    return f"flowhub: {what} succeeded in {outcome.seconds:.1f} s{counted}"


def _error_lines(outcome: Outcome) -> list[str]:
    lines = []
    lines += _traceback(outcome.error)
    if outcome.error is not None:
        lines.append(str(outcome.error))
    failure = outcome.failure
    if failure is not None and failure.error is not None:
        lines += _traceback(failure.error)
        lines.append(f"on_failure itself failed, too:\n{failure.error}")
    return lines


def _traceback(error: Optional[RunError]) -> list[str]:
    """The frames of the user's code; what a node says of itself has none, and is told by the error's own text."""
    if isinstance(error, TaskFailed) and '  File "' in error.traceback:
        return [error.traceback]
    return []


def _output(arguments: argparse.Namespace, outcome: Outcome) -> str:
    if arguments.output and arguments.output != "-":
        return os.path.abspath(str(arguments.output))
    text = json.dumps(outcome.value, ensure_ascii=False)
    return text if len(text) <= _LONGEST_PREVIEW else f"{text[:_LONGEST_PREVIEW]}... (--output FILE keeps all of it)"


def _resume_command(arguments: argparse.Namespace) -> str:
    """The command that goes on; a script's own arguments are left out, for one may be a password."""
    words = [*command(), "--resume"]
    for option in ("env", "flow", "input", "output", "job", "run_log", "partition"):
        value = getattr(arguments, option, None)
        if value and (option, value) not in (("env", "default"), ("input", "-")):
            words += [f"--{option.replace('_', '-')}", value]
    return shlex.join(words)
