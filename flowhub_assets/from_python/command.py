"""What the arguments of a command line ask of a pipeline: a run of the whole, of one task, or an export."""

from __future__ import annotations

import argparse
import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Optional

from flowhub_assets.errors import InputError
from flowhub_assets.from_python import summary
from flowhub_assets.from_python.arguments import own_arguments
from flowhub_assets.from_python.exporting import export
from flowhub_assets.from_python.progress import PlainLines, progress_for
from flowhub_assets.from_python.script_input import (
    choose_task_inputs,
    params_of_texts,
    read_flow_input,
    read_task_inputs,
    saved_flow_input,
)
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.runtime.given_params import require_params
from flowhub_assets.runtime.local import new_run_id, run_pipeline
from flowhub_assets.runtime.matrix import file_name
from flowhub_assets.runtime.outcome import Outcome
from flowhub_assets.runtime.partitions import PARTITION
from flowhub_assets.runtime.profiles import choose_profile
from flowhub_assets.runtime.run_log import RunLog, kept_outputs, read_run_log
from flowhub_assets.runtime.step import Runnable

#: Exit codes, as shells know them: a run that failed; wrong arguments, input or workflow; a signal.
FAILED, WRONG, SIGNALLED = 1, 2, 128


@dataclass(frozen=True)
class _Asked:
    """What a run is made of: ``job_input`` is the path of the job's input.json, ``params`` lie over every input."""

    runnable: Runnable
    arguments: argparse.Namespace
    profile: dict[str, object]
    job_input: Optional[str]
    log: RunLog
    params: Mapping[str, Any]

    def finish(self, outcome: Outcome) -> int:
        """Writes the output, tells how the run ended, and returns the exit code."""
        if outcome.ok and self.arguments.output:
            summary.write_output(self.arguments.output, outcome.value)
        print(summary.told(self.runnable.pipeline, self.arguments, outcome, self.log), file=sys.stderr)
        return 0 if outcome.ok else FAILED


def run_command(runnable: Runnable, arguments: argparse.Namespace, texts: Mapping[str, str]) -> int:
    """Does what ``arguments`` ask of the pipeline; the params in ``texts`` lie over its input. Returns the exit code.

    0: it succeeded; 1: a task failed. Raises InputError, ProfileError and DefinitionError for what is wrong
    before anything runs, ValueMissing for a --task whose upstream outputs are not saved.
    """
    profile = choose_profile(runnable.pipeline, arguments.env)
    if arguments.export:
        runnable = replace(runnable, script_arguments=own_arguments())
        return export(runnable, arguments.env, arguments.export, arguments.output)
    if arguments.output and os.path.isdir(arguments.output):
        raise InputError(
            "--output names a folder", where=arguments.output, effect="Nothing was run.", remedy="Name a file in it."
        )
    windows = _windows(runnable.pipeline, arguments.partition)
    params = params_of_texts(runnable.pipeline, texts)
    job_input, log_path = _job_files(arguments)
    asked = _Asked(runnable, arguments, profile, job_input, read_run_log(log_path), params)
    if len(windows) > 1:
        return _run_each(asked, windows)
    if windows:
        asked.profile[PARTITION] = windows[0]
    return _run_task(asked) if arguments.task else asked.finish(_run_flow(asked))


def _windows(pipeline: Pipeline, text: Optional[str]) -> Sequence[Mapping[str, str]]:
    if pipeline.partitions is None and text is None:
        return ()
    from flowhub_assets.from_python.about import partitions_named  # needs the zones' data

    return partitions_named(pipeline, text)


def _run_each(asked: _Asked, windows: Sequence[Mapping[str, str]]) -> int:
    """One run for each of several partitions, one after another; a failure ends none of the others."""
    arguments = asked.arguments
    results: dict[str, Any] = {}
    failed: list[str] = []
    for given, word in ((arguments.id, "--id"), (arguments.task, "--task")):
        if given:
            raise InputError(
                f"{word} and several partitions exclude each other",
                where=f"--partition {arguments.partition}",
                effect="Nothing was run.",
                remedy=f"Name one: --partition {shlex.quote(windows[0]['key'])}.",
            )
    source = arguments.input or asked.job_input
    params = {**(read_flow_input(source) if source else {}), **asked.params}  # standard input is read once
    stem, ending = os.path.splitext(asked.log.path)
    for window in windows:
        key = window["key"]
        path = f"{stem}-{file_name(key)}{ending}"
        own = {**vars(arguments), "input": None, "output": None, "partition": key, "run_log": path}
        log = read_run_log(path)
        own["resume"] = arguments.resume and bool(log.entries)  # one that had not begun begins now
        profile = {**asked.profile, PARTITION: window}
        one = _Asked(asked.runnable, argparse.Namespace(**own), profile, None, log, params)
        print(f"flowhub: {asked.runnable.pipeline.name}, partition {key}", file=sys.stderr)
        outcome = _run_flow(one)
        results[key] = outcome.value
        if one.finish(outcome):
            failed.append(key)
    told = f"; failed: {', '.join(failed)}" if failed else ""
    print(f"flowhub: {len(windows) - len(failed)} of {len(windows)} partitions succeeded{told}", file=sys.stderr)
    if arguments.output and not failed:
        summary.write_output(arguments.output, results)
    return FAILED if failed else 0


def _job_files(arguments: argparse.Namespace) -> tuple[str | None, str]:
    """The job's input.json, if there is one, and the path of the run log."""
    if arguments.job is None:
        return None, arguments.run_log or "run.json"
    try:
        if not os.path.isdir(arguments.job):
            os.makedirs(arguments.job)
            print(f"flowhub: made the job's folder {arguments.job}", file=sys.stderr)
    except OSError as error:
        raise InputError(
            f"the job's folder cannot be made: {error.strerror}",
            where=arguments.job,
            effect="Nothing was run.",
            remedy="Give --job a folder that can be written to.",
        ) from None
    job_input = os.path.join(arguments.job, "input.json")
    return (
        job_input if os.path.exists(job_input) else None,
        arguments.run_log or os.path.join(arguments.job, "run.json"),
    )


def _run_flow(asked: _Asked) -> Outcome:
    runnable, arguments, log = asked.runnable, asked.arguments, asked.log
    pipeline = runnable.pipeline
    source = arguments.input or asked.job_input
    flow_input = {**(read_flow_input(source) if source else {}), **asked.params}
    finished: Mapping[str, Mapping[str, object]] = {}
    if arguments.resume:
        _require_own_log(pipeline, log)
        flow_input = flow_input if source else {**(saved_flow_input(pipeline, log) or {}), **asked.params}
        finished = kept_outputs(pipeline, log, flow_input)
    else:
        log = RunLog(log.path)
    require_params(
        runnable, flow_input, effect="Nothing was run.", how="by --param NAME=VALUE, or in the file of --input"
    )
    run_id = arguments.id or new_run_id()
    print(f"flowhub: {pipeline.name}, run {run_id}, profile {arguments.env}", file=sys.stderr)
    progress = progress_for(pipeline, finished)
    try:
        return run_pipeline(
            runnable,
            flow_input,
            profile=asked.profile,
            run_id=run_id,
            finished=finished,
            on_event=progress.on_event,
            run_log=log,
        )
    except KeyboardInterrupt:
        progress.close()
        print(summary.stopped(arguments, log), file=sys.stderr)
        raise
    finally:
        progress.close()


def _require_own_log(pipeline: Pipeline, log: RunLog) -> None:
    if not log.entries:
        what = "there is no run to go on with: the run log is not there or empty"
    elif not set(log.entries) & set(summary.task_names(pipeline)):
        what = f"the run log is of another flow: none of its tasks ({listed(log.entries)}) is one of {pipeline.name!r}"
    else:
        return
    raise InputError(
        what,
        where=log.path,
        effect="Nothing was run.",
        remedy="Leave --resume out, or name the log with --run-log or --job.",
    )


def _run_task(asked: _Asked) -> int:
    arguments, log = asked.arguments, asked.log
    pipeline = asked.runnable.pipeline
    names = summary.task_names(pipeline)
    if arguments.task not in names:
        near = did_you_mean(arguments.task, names)
        raise InputError(
            f"flow {pipeline.name!r} has no task {arguments.task!r}" + (f": {near}" if near else ""),
            where=pipeline.source,
            effect="Nothing was run.",
            remedy=f"Its tasks: {listed(names)}.",
        )
    if arguments.resume:
        raise InputError(
            "--resume and --task exclude each other",
            effect="Nothing was run.",
            remedy="--task runs that task whatever the run log says; --resume goes on with the whole flow.",
        )
    task = pipeline.task(arguments.task)
    if arguments.input:
        inputs, source = read_task_inputs(arguments.input, task), arguments.input
    else:
        given = {**(read_flow_input(asked.job_input) if asked.job_input else {}), **asked.params}
        inputs, source = choose_task_inputs(task, pipeline, log, given)
    print(f"flowhub: {pipeline.name}, task {task.name} on {source}, profile {arguments.env}", file=sys.stderr)
    outcome = run_pipeline(
        asked.runnable,
        profile=asked.profile,
        run_id=arguments.id,
        only=task.name,
        inputs=inputs,
        in_process=True,
        on_event=PlainLines().on_event,
        run_log=log,
    )
    return asked.finish(outcome)
