"""One step in a pod: an order and a pipeline that runs → a result document. Nothing here knows who asked for it.

A result document is ``{"value": {...}}`` or ``{"url": ...}`` (runtime.pod_values), beside it "port" of a deciding task
and "items", the length of a loop's list; or ``{"skipped": reason}``, ``{"tasks": {name: document}}`` of a group, and
``{"failure": {"failed_task", "error", "error_type", "traceback", "retry", "at"}}``, "at" in seconds since 1970.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any, Optional

from flowhub_assets.errors import InputError, RunError, TransferFailed
from flowhub_assets.ir.pipeline import LOOP_ITEM, Pipeline, Retry, Task
from flowhub_assets.ir.spelling import listed
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.runtime import outcome as told
from flowhub_assets.runtime.check import require_blocking
from flowhub_assets.runtime.child import run_in_child
from flowhub_assets.runtime.given_params import require_params
from flowhub_assets.runtime.json_form import input_in_json_form
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.loops import body_of, items_name, iteration_name, loop_items, of_item
from flowhub_assets.runtime.outcome import Event, Outcome, event_text
from flowhub_assets.runtime.partitions import PARTITION, window_of
from flowhub_assets.runtime.pipes import pipes_logger, shown_as_json
from flowhub_assets.runtime.pod_order import Order
from flowhub_assets.runtime.pod_values import PodValues
from flowhub_assets.runtime.retrying import is_tolerated, worth_retry
from flowhub_assets.runtime.run_state import Run
from flowhub_assets.runtime.secret_values import mask_secrets
from flowhub_assets.runtime.show import CHECK, DESCRIBED, Shown
from flowhub_assets.runtime.step import Runnable, StepResult, error_value, failure_args
from flowhub_assets.runtime.step_context import Cancellation

#: What on_failure is told beside the flow's input.
_TOLD_OF_FAILURE = ("failed_task", "error", "error_type", "traceback")
#: The most characters of an error's text or its traceback that travel; the log has all of it.
_LONGEST_TOLD = 8_000

Document = dict[str, Any]


def do_order(runnable: Runnable, profile: Mapping[str, Any], order: Order) -> Document:
    """Does what ``order`` asks and returns the result document; a group's may hold a failure beside its tasks.

    What goes on meanwhile is printed. Raises FlowhubError for a step that failed and whose task does not tolerate it.
    """
    return _PodStep(runnable, *_about(runnable.pipeline, profile, order)).document()


def _about(pipeline: Pipeline, profile: Mapping[str, Any], order: Order) -> tuple[Mapping[str, Any], Order]:
    """Profile and order of a step that is about a cell: in Airflow a param of the DAG names it, else the profile."""
    partitions, own = pipeline.partitions, {*pipeline.params, *pipeline.param_schemas}
    by_param = partitions is not None and partitions.dimensions and PARTITION not in {*profile, *own}
    if partitions is None or not by_param or PARTITION not in order.given:
        return profile, order
    given = {name: value for name, value in order.given.items() if name != PARTITION}
    cell = window_of(partitions, str(order.given[PARTITION]))
    return {**profile, PARTITION: cell}, replace(order, given=given)


def failure_document(
    failed_task: str, error: BaseException, profile: Mapping[str, Any], retry: Optional[Retry] = None
) -> Document:
    """The document of a step that failed, without the secrets of ``profile``; ``retry`` is the task's own."""
    args = failure_args({}, failed_task, error)
    texts = {name: _shortened(mask_secrets(str(args[name]), profile)) for name in _TOLD_OF_FAILURE}
    # A network that broke down may be there again; values that never leave a process know no such error.
    again = isinstance(error, (RunError, TransferFailed)) and (
        isinstance(error, TransferFailed) or worth_retry(retry or Retry(), error)
    )
    return {"failure": {**texts, "retry": again, "at": time.time()}}


class _PodStep:
    def __init__(self, runnable: Runnable, profile: Mapping[str, Any], order: Order) -> None:
        self.runnable = runnable
        self.pipeline: Pipeline = runnable.pipeline
        self.profile = profile
        self.order = order
        self.values = PodValues(profile, self.pipeline.name, order.run_id)

    def document(self) -> Document:
        parts: dict[str, Callable[[], Document]] = {
            "task": self._task,
            "items": self._items,
            "iteration": self._iteration,
            "group": self._group,
            "failure": self._failure,
            "finally": self._task,
        }
        require_params(
            self.runnable, self.order.given, effect="Nothing of this run was started.", how="when you trigger the DAG"
        )
        return parts[self.order.part]()

    def _task(self) -> Document:
        task = self._named(self.order.task)
        return self._settled(task, task.name, lambda result: result.value)

    def _failure(self) -> Document:
        task = self.pipeline.failure_task
        if task is None:
            raise InputError(
                f"pipeline {self.pipeline.name!r} has no on_failure",
                where=self.pipeline.source,
                effect="Nothing was run.",
                remedy="Export the pipeline again.",
            )
        return self._settled(task, task.name, lambda result: result.value)

    def _items(self) -> Document:
        task = self._looping()
        document = self._settled(
            task, items_name(task.name), lambda result: {"items": loop_items(task, result.value)}, count=True
        )
        return document if "skipped" in document else {"items": 0, **document}

    def _iteration(self) -> Document:
        task, index = self._looping(), self.order.index
        assert task.loop is not None
        name = items_name(task.name)
        if name not in self.order.outputs:
            raise InputError(f"the order has no document of {name!r}, the loop's list", where=task.source)
        items = self.values.load(name, self.order.outputs[name]).get("items", ())
        outputs = {**self._outputs(task), **{one: {} for one in self.order.skipped}, LOOP_ITEM: items[index]}
        outcome = self._run_here(Runnable(body_of(self.pipeline, task), self.runnable.bodies), outputs, ())
        value: Mapping[str, Any]
        if outcome.error is None:
            value = {"result": outcome.tasks[task.loop.result].value}
        else:
            error = of_item(index, outcome.error)
            if not self._is_tolerated(task, error):
                raise error
            value = error_value(error)
        return self.values.document(iteration_name(task.name, index), value)

    def _group(self) -> Document:
        tasks = tuple(self._named(name) for name in self.order.tasks)
        part = replace(self.pipeline, tasks=tasks, result=(), failure_task=None, finally_tasks=())
        outcome = self._run_here(Runnable(part, self.runnable.bodies), self._outputs(*tasks), self.order.skipped)
        documents = {}
        for task in tasks:
            ended = outcome.tasks[task.name]
            if ended.value is not None:
                documents[task.name] = self._saved(task, task.name, ended.value)
            elif ended.reason:
                documents[task.name] = {"skipped": ended.reason}
        if outcome.error is None:
            return {"tasks": documents}
        # Each task has had its tries in here: another one of the whole group would be one too many.
        failure = failure_document(outcome.failed_task, outcome.error, self.profile)["failure"]
        return {"tasks": documents, "failure": {**failure, "retry": False}}

    def _settled(
        self, task: Task, name: str, value_of: Callable[[StepResult], dict[str, Any]], *, count: bool = False
    ) -> Document:
        """Runs the task's own body, keeps its value under ``name``; a failure that it tolerates becomes its value."""
        shown: tuple[Shown, ...] = ()
        try:
            result = self._call(task)
            if result.skipped:
                print(f"flowhub: {task.name} is skipped: {result.skipped}", flush=True)
                return {"skipped": result.skipped}
            if not self.order.reports:
                _print_shown(result.shown)
                require_blocking(task, result.shown)
            shown = result.shown if self.order.reports else ()
            value = value_of(result)
        except RunError as error:
            error.where = error.where or str(task.source)
            if not self._is_tolerated(task, error):
                raise
            value = error_value(error)
        document = {**self._saved(task, name, value), **({"shown": shown_as_json(shown)} if shown else {})}
        return {**document, "items": len(value.get("items", ()))} if count else document

    def _call(self, task: Task) -> StepResult:
        order = self.order
        run = Run(self.runnable, self._flow_input(task), self.profile, order.run_id, self._outputs(task), None, None)
        run.skipped.update(order.skipped)
        context = run.context(task, order.attempt, Cancellation(), prints=True)
        if order.reports:
            context = replace(context, log=pipes_logger())
        call = partial(run.call, task, run.inputs(task), context)
        if task.run_on == "engine":
            return call()
        result: StepResult = run_in_child(call, task.timeout, name=task.name)
        return result

    def _saved(self, task: Task, name: str, value: Mapping[str, Any]) -> Document:
        document = self.values.document(name, value, latest=task.asset is not None and name == task.name)
        return {**document, "port": value["port"]} if task.ports and "port" in value else document

    def _run_here(
        self, runnable: Runnable, outputs: Mapping[str, Mapping[str, Any]], skipped: Iterable[str]
    ) -> Outcome:
        """Runs a part of the pipeline inside this step; a loop's body takes what was skipped outside as empty."""
        return run_pipeline(
            runnable,
            {**self.pipeline.params, **self.order.given},
            profile=self.profile,
            run_id=self.order.run_id,
            finished=outputs,
            skipped=skipped,
            on_event=partial(_print_event, self.profile),
        )

    def _flow_input(self, task: Task) -> dict[str, Any]:
        """What the run was given; on_failure and the finally tasks are told of its failure, too."""
        given = input_in_json_form({**self.pipeline.params, **self.order.given})
        is_told = task is self.pipeline.failure_task or (self.order.failure and task in self.pipeline.finally_tasks)
        failure = {name: self.order.failure.get(name, "") for name in _TOLD_OF_FAILURE} if is_told else {}
        return {**given, **failure}

    def _outputs(self, *tasks: Task) -> dict[str, dict[str, Any]]:
        """What ``tasks`` need, loaded; of what they only come after, no more than the port is asked for."""
        own = {task.name for task in tasks}
        needed = {name for task in tasks for name in task.needs}
        found: dict[str, dict[str, Any]] = {}
        for name in dict.fromkeys(name for task in tasks for name in waits_for(task)):
            document = self.order.outputs.get(name)
            if name in own or document is None:
                continue
            if name in needed:
                found[name] = self.values.load(name, document)
            else:
                found[name] = {"port": document["port"]} if "port" in document else {}
        return found

    def _is_tolerated(self, task: Task, error: BaseException) -> bool:
        if not is_tolerated(task, error, last=self.order.last):
            return False
        text = mask_secrets(str(error), self.profile)
        print(f"{text}\n  The run goes on: the task has continueOnError.", flush=True)
        return True

    def _named(self, name: str) -> Task:
        for task in (*self.pipeline.tasks, *self.pipeline.finally_tasks):
            if task.name == name:
                return task
        raise InputError(
            f"pipeline {self.pipeline.name!r} has no task {name!r}",
            where=self.pipeline.source,
            effect="The DAG is of another version of it than the code that came along.",
            remedy=f"Export the pipeline again. Its tasks: {listed(task.name for task in self.pipeline.tasks)}.",
        )

    def _looping(self) -> Task:
        task = self._named(self.order.task)
        if task.loop is None:
            what = f"task {task.name!r} has no loop"
            raise InputError(what, where=task.source, effect="Nothing was run.", remedy="Export the pipeline again.")
        return task


def _print_event(profile: Mapping[str, Any], event: Event) -> None:
    """A line of the log for what happens to a task inside this step."""
    if event.kind == told.OUTPUT:
        print(f"{event.task}: {event.line}", flush=True)
    elif event.kind != told.WAITING:
        print(mask_secrets(f"flowhub: {event_text(event)}", profile), flush=True)


def _print_shown(shown: Iterable[Shown]) -> None:
    """What the task shows beside its value: no page of the run is known here, but its log."""
    for one in shown:
        if one.kind == CHECK:
            _print_shown(one.data["shown"])
            continue
        if one.kind == "png":
            text = f"a picture of {len(one.data):,} bytes; upload it to keep it"
        elif one.kind == DESCRIBED:
            text = json.dumps(one.data, ensure_ascii=False)
        elif one.kind == "table":
            text = "\n".join(["", *(json.dumps(row, ensure_ascii=False) for row in one.data)])
        else:
            text = str(one.data)
        print(f"flowhub: {one.name}: {text}", flush=True)


def _shortened(text: str) -> str:
    """A text that is too long without its middle: a traceback begins with the user's line and ends with the error."""
    if len(text) <= _LONGEST_TOLD:
        return text
    half = _LONGEST_TOLD // 2
    return f"{text[:half]}\n... {len(text) - 2 * half:,} characters are left out ...\n{text[-half:]}"
