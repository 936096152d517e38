"""What a pod's process does from its start to its end, whichever way the pipeline is loaded."""

from __future__ import annotations

import argparse
import json
import os
import signal
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from types import FrameType
from typing import Any, NoReturn

from flowhub_assets.errors import FlowhubError, TaskCancelled, TaskFailed
from flowhub_assets.ir.pipeline import Retry, Task
from flowhub_assets.ir.task_tree import all_tasks, with_env, with_nested
from flowhub_assets.runtime.pipes import tell_result
from flowhub_assets.runtime.pod_files import PodFiles, read_pod_files
from flowhub_assets.runtime.pod_order import Order, take_order
from flowhub_assets.runtime.pod_step import do_order, failure_document
from flowhub_assets.runtime.profile_references import resolved
from flowhub_assets.runtime.profiles import with_a_place
from flowhub_assets.runtime.run_log import write_whole
from flowhub_assets.runtime.secret_values import mask_secrets
from flowhub_assets.runtime.step import Runnable

FAILED, SIGNALLED = 1, 128

#: Loads the pipeline of which the files tell. Raises FlowhubError.
Load = Callable[[PodFiles], Runnable]


class _Terminated(KeyboardInterrupt):
    """SIGTERM: the pod is to end; whatever the step has started is stopped first."""


def main(argv: Sequence[str], load: Load) -> int:
    """Does the order of FLOWHUB_STEP and writes its result document; returns the exit code.

    ``argv``: --pipeline and --code say where pipeline.json and the code are, --result where the document goes, - for
    the log, as a message of Dagster Pipes.
    """
    options = _options(argv)
    signal.signal(signal.SIGTERM, _terminate)
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    try:
        document, code = _PodProcess(load).work(options)
        if options.result == "-":
            tell_result(document)
        else:
            # ASCII: whoever reads it over a stream may cut it between the bytes of a letter.
            write_whole(options.result, json.dumps(document).encode("ascii"), "the step's result")
    except FlowhubError as error:
        print(error, file=sys.stderr, flush=True)
        return FAILED
    return code


class _PodProcess:
    """What is known so far of the step that this process does, for the words of whatever ends it."""

    def __init__(self, load: Load) -> None:
        self._load = load
        self._task = ""
        self._retry = Retry()
        self._profile: Mapping[str, Any] = {}

    def work(self, options: argparse.Namespace) -> tuple[dict[str, Any], int]:
        """The result document and the exit code, whatever happens."""
        try:
            document = self._done(options)
        except _Terminated:
            error = TaskCancelled("the pod was told to end (SIGTERM) while the step ran")
            failure = self._told(error)["failure"]
            # The machine may have gone, or the pod had to make room.
            return {"failure": {**failure, "retry": True}}, SIGNALLED + signal.SIGTERM
        except FlowhubError as error:
            return self._told(error), FAILED
        except Exception as error:  # noqa: BLE001 - a mistake of ours: the log shows where, the operator is told
            traceback.print_exc()
            return failure_document(self._task, error, self._profile, self._retry), FAILED
        return document, FAILED if "failure" in document else 0

    def _done(self, options: argparse.Namespace) -> dict[str, Any]:
        order = take_order(os.environ)
        self._task = order.task
        files = read_pod_files(options.pipeline, os.path.abspath(options.code))
        profile = with_a_place(files.profile, files.profile_name, files.flow, files.file)
        self._profile = resolved(profile, os.environ, name=files.profile_name, secret=files.secret)
        print(_beginning(files, order), flush=True)
        runnable = _with_variables(self._load(files), order, files)
        self._retry = next((one.retry for one in all_tasks(runnable.pipeline) if one.name == order.task), Retry())
        document = do_order(runnable, self._profile, order)
        if "failure" in document:
            print(document["failure"]["traceback"], file=sys.stderr, flush=True)
        return document

    def _told(self, error: FlowhubError) -> dict[str, Any]:
        """The document of a failure, which is told in the log, too."""
        texts = [error.traceback] if isinstance(error, TaskFailed) and error.traceback else []
        print(mask_secrets("\n".join([*texts, str(error)]), self._profile), file=sys.stderr, flush=True)
        return failure_document(self._task, error, self._profile, self._retry)


def _with_variables(runnable: Runnable, order: Order, files: PodFiles) -> Runnable:
    """``runnable`` with the values of variables in the env of the tasks that are to run."""
    pipeline = runnable.pipeline
    ordered = tuple(task for task in all_tasks(pipeline) if task.name in order.tasks)
    names = {task.name for task in with_nested(ordered)}

    def env_of(task: Task) -> Mapping[str, Any]:
        if task.name not in names:
            return task.env
        env = files.env.get(task.name, task.env)
        return resolved(env, os.environ, name=f"of {task.name}", secret=files.secret)

    return replace(runnable, pipeline=with_env(pipeline, env_of))


def _options(argv: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="flowhub pod", allow_abbrev=False)
    for name in ("--pipeline", "--code", "--result"):
        parser.add_argument(name, required=True)
    return parser.parse_args(argv)


def _beginning(files: PodFiles, order: Order) -> str:
    what = ", ".join(order.tasks)
    if order.part == "iteration":
        what += f", item {order.index}"
    elif order.part == "items":
        what += ", its list"
    attempt = f", attempt {order.attempt}" if order.attempt > 1 else ""
    return f"flowhub: {files.flow}, run {order.run_id}, {what}{attempt}, profile {files.profile_name}"


def _terminate(_number: int, _frame: FrameType | None) -> NoReturn:
    # Once is enough: a second one would break off the clean-up that the first began.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise _Terminated
