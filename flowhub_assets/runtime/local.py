"""Runs a whole pipeline on this machine: the reference for what any other runner must give."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.json_form import input_in_json_form
from flowhub_assets.runtime.open_files import allow_open_files
from flowhub_assets.runtime.outcome import Outcome
from flowhub_assets.runtime.processes import Workers
from flowhub_assets.runtime.run_log import RunLog
from flowhub_assets.runtime.run_state import OnEvent, Run
from flowhub_assets.runtime.step import Runnable, failure_args
from flowhub_assets.runtime.step_context import Cancellation
from flowhub_assets.runtime.task_queue import TaskQueue


def new_run_id() -> str:
    """A run id that no other run has; ids sort by the time they were made (UTC)."""
    now = time.time()
    return f"{time.strftime('%Y%m%d-%H%M%S', time.gmtime(now))}-{int(now % 1 * 1000):03d}-{os.urandom(3).hex()}"


def run_pipeline(
    runnable: Runnable,
    flow_input: Mapping[str, Any] | None = None,
    *,
    profile: Mapping[str, Any] | None = None,
    run_id: str | None = None,
    finished: Mapping[str, Mapping[str, Any]] | None = None,
    only: str | None = None,
    inputs: Sequence[Mapping[str, Any]] | None = None,
    workers: int | None = None,
    in_process: bool = False,
    on_event: OnEvent | None = None,
    run_log: RunLog | None = None,
    skipped: Iterable[str] = (),
    inside: Cancellation | None = None,
) -> Outcome:
    """Runs the pipeline's tasks, those that do not depend on each other side by side, each in its own process.

    ``flow_input`` is what the flow itself is given, over the defaults of its params. ``profile`` holds the
    values of the chosen profile (the default one if None). ``finished`` maps tasks that are not to be run
    again to their outputs, ``skipped`` names those that were skipped before. ``only`` names the one task to run,
    on ``inputs`` (one dict per parameter) or on the outputs in ``finished``; on_failure is not called for it.

    At most ``workers`` tasks run at a time (the number of cores, at least 4), light ones in threads beside them.
    ``in_process`` runs all in this process instead, one after the other: a debugger works, a timeout does not.
    ``on_event`` hears of everything, also of each line that a task prints; without it that goes to this process's
    own output. ``run_log`` is kept up to date. ``inside`` is the cancellation of a step that this run is
    a part of: it ends the run early, and a light task with nothing beside it runs in this thread.

    Once a task has failed for good, what needs it is not run, all else is, as in Dagster and Airflow; then
    on_failure is called once. The finally tasks come last, however the run went. A failed task is told in the
    Outcome, not raised. Raises ValueMissing, InputError, ProfileError. KeyboardInterrupt, or whatever else
    interrupts, stops all processes first.
    """
    allow_open_files()
    given = input_in_json_form({**runnable.pipeline.params, **(flow_input or {})})
    run = Run(runnable, given, profile, run_id or new_run_id(), finished or {}, on_event, run_log)
    run.skipped.update(skipped)
    here = in_process or not hasattr(os, "fork")
    workers_of_run = Workers(run, workers or max(4, _cores()), here=here, inside=inside)
    if only is None:
        workers_of_run.work_off(TaskQueue(runnable.pipeline, run.outputs))
        _call_on_failure(run, workers_of_run)
        _call_finally(run, workers_of_run)
    else:
        task = runnable.pipeline.task(only)
        workers_of_run.run_one(task, inputs if inputs is not None else run.inputs(task))
    run.save()
    return run.outcome(only)


def _call_on_failure(run: Run, workers: Workers) -> None:
    failed, task = run.first_failure, run.pipeline.failure_task
    if failed is None or failed.error is None:
        return
    for one in run.outcome(None).tasks.values():
        if one.state == told.SKIPPED and one.task not in run.ended:
            run.tell(told.SKIPPED, one.task)
    if task is not None:
        run.save()
        workers.run_one(task, [failure_args(run.flow_input, failed.task, failed.error)], tries=1)


def _call_finally(run: Run, workers: Workers) -> None:
    failed = run.first_failure
    for task in run.pipeline.finally_tasks:
        run.save()
        given = run.flow_input
        if failed is not None and failed.error is not None:
            given = failure_args(given, failed.task, failed.error)
        workers.run_one(task, [given])


def _cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:
        return os.cpu_count() or 1
