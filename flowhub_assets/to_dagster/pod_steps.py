"""A step in a pod of the task's own image: what it is to do goes there, its result and what it tells come back."""

from __future__ import annotations

import dataclasses
import json
import sys
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from dagster import AssetCheckResult, Failure, MaterializeResult, OpExecutionContext

from flowhub_assets.errors import TaskCancelled, TaskFailed, TaskKilled
from flowhub_assets.executor.own_images import PodStep, own_images
from flowhub_assets.executor.pipes_session import PipesInLog
from flowhub_assets.ir.gpu_presets import with_gpu_presets
from flowhub_assets.ir.kubernetes_spec import restricted
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.names import kubernetes_name
from flowhub_assets.pods.pod_manifest import pod_manifest, runs_in_bare_image
from flowhub_assets.pods.travelling import Travelling, travelling
from flowhub_assets.runtime.pipes import result_in, shown_from_json
from flowhub_assets.runtime.pod_order import VARIABLE
from flowhub_assets.runtime.pod_values import PodValues
from flowhub_assets.runtime.step import Runnable, StepResult
from flowhub_assets.runtime.step_context import current_step

#: The most bytes of one variable: Linux takes 128 KiB.
_LONGEST_VARIABLE = 96 * 1024
#: The most bytes, as JSON, of a value that goes into the order itself; a larger one is read from the bucket.
_LARGEST_INLINE = 16 * 1024

#: The runs whose code is kept packed; a run worker has one.
_MOST_RUNS = 4
_runs: dict[tuple[str, str, str], PodRun] = {}
_lock = threading.Lock()


def runs_in_own_image(asks: Task) -> bool:
    """Whether a step that is as ``asks`` wants it runs in a pod of that task's image, in this run."""
    return asks.placement.image is not None and own_images() is not None


def pod_run(run_id: str, runnable: Runnable, profile_name: str, profile: Mapping[str, Any]) -> PodRun:
    """The one of this run for ``runnable``: its code is packed once, for all of its steps."""
    key = run_id, runnable.pipeline.name, profile_name
    with _lock:
        if key not in _runs:
            _runs[key] = PodRun(runnable, profile_name, profile, run_id)
            for old in list(_runs)[:-_MOST_RUNS]:
                del _runs[old]
        return _runs[key]


class PodRun:
    """One run of ``runnable`` whose steps may have pods of their own: ``profile`` is the run's, by its name."""

    def __init__(self, runnable: Runnable, profile_name: str, profile: Mapping[str, Any], run_id: str) -> None:
        self.runnable = runnable
        self._profile_name = profile_name
        self._profile = profile
        self._run_id = run_id
        self._lock = threading.Lock()
        self._travelling: Travelling | None = None
        self._values = PodValues(profile, runnable.pipeline.name, run_id)

    def step(
        self,
        context: OpExecutionContext,
        task: Task,
        order: Mapping[str, Any],
        outputs: Mapping[str, Mapping[str, Any]],
        asks: Task,
    ) -> StepResult:
        """What a pod gives that is as ``asks`` wants it. ``order`` says which part of ``task`` is to be done there.

        Its words are those of runtime.pod_order; ``outputs`` are the values upstream, by the names of their tasks.
        Raises Failure for a task that failed there, TaskKilled for a pod that did not end by itself, TaskCancelled,
        and ProfileError, DefinitionError for what cannot travel.
        """
        images = own_images()
        assert images is not None, "asked only where runs_in_own_image"
        travels = self._what_travels()
        asked = {
            **order,
            "tasks": [task.name],
            "run_id": self._run_id,
            "outputs": {name: self._document(name, value) for name, value in outputs.items()},
            "attempt": context.retry_number + 1,
            "last": context.retry_number >= task.retry.times,
            "reports": True,
        }
        pipes = PipesInLog(context, sys.stdout)
        # As it travels: with the GPUs that the profile's presets mean.
        asks = next(one for one in all_tasks(travels.credentials.pipeline) if one.name == asks.name)
        pod = _pod(travels, asks, _code_of(task, order["part"]), {**pipes.environment, **_order_variables(asked)})
        step_key = context.get_step_execution_context().step.key
        step = PodStep(step_key, context.retry_number + 1, pod, travels.code.documents)
        why = images.run(step, pipes.take_line, context.log.info, current_step().cancellation)
        document = next((found for one in reversed(pipes.custom_messages) if (found := result_in(one))), None)
        _add_reported(context, pipes.reported)
        return self._result(task, document, why)

    def _what_travels(self) -> Travelling:
        with self._lock:
            if self._travelling is None:
                pipeline = self.runnable.pipeline
                own = dataclasses.replace(pipeline, profiles={self._profile_name: self._profile})
                own = with_gpu_presets(own, self._profile_name, self._profile)
                name = f"{kubernetes_name(pipeline.name, 40)}-{self._run_id[:8]}"
                self._travelling = travelling(
                    own, self._profile_name, kubernetes_name(pipeline.name, 50), objects=name,
                    argv=self.runnable.script_arguments,
                )  # fmt: skip
            return self._travelling

    def _document(self, name: str, value: Mapping[str, Any]) -> dict[str, Any]:
        if len(json.dumps(value)) <= _LARGEST_INLINE:
            return {"value": dict(value)}
        return self._values.document(name, value)

    def _result(self, task: Task, document: Mapping[str, Any] | None, why: str) -> StepResult:
        if document is None or (why and not _failed_by_itself(document)):
            raise TaskKilled(
                f"task {task.name!r} did not end by itself: {why or 'its log has no result'}",
                where=task.source,
                effect="Its value is lost.",
            )
        if "failure" in document:
            raise _failure(task, document["failure"], why)
        if "skipped" in document:
            return StepResult({}, skipped=document["skipped"])
        return StepResult(self._values.load(task.name, document), shown_from_json(document.get("shown", ())))


def _failed_by_itself(document: Mapping[str, Any]) -> bool:
    """A pod that was told to end knows only that: why it was, the cluster has said."""
    failure = document.get("failure")
    return failure is not None and bool(failure["error_type"] != TaskCancelled.__name__)


def _code_of(task: Task, part: str) -> Task:
    """What of ``task`` runs in the pod: a loop's list needs nothing of its body."""
    return dataclasses.replace(task, loop=None) if part == "items" else task


def _pod(travels: Travelling, asks: Task, runs: Task, environment: Mapping[str, str]) -> dict[str, Any]:
    pipeline: Pipeline = travels.credentials.pipeline
    bare = runs_in_bare_image([runs])
    pod = pod_manifest(pipeline, asks, bare, dataclasses.replace(travels.settings, result="-"))
    spec = restricted(pod["spec"])
    container = spec["containers"][0]
    entries = [{"name": name, "value": value} for name, value in environment.items()]
    container["env"] = [
        *container.get("env", []),
        *entries,
    ]
    return {"metadata": pod["metadata"], "spec": spec}


def _order_variables(order: Mapping[str, Any]) -> dict[str, str]:
    """The order in as many variables as it takes. Kubernetes would put another variable's value for $(NAME)."""
    text = json.dumps(order).replace("$", "\\u0024")
    parts = [text[start : start + _LONGEST_VARIABLE] for start in range(0, len(text), _LONGEST_VARIABLE)]
    return {VARIABLE if number == 1 else f"{VARIABLE}_{number}": part for number, part in enumerate(parts, 1)}


def _failure(task: Task, told: Mapping[str, Any], why: str) -> Failure:
    """The failure that the pod told, in its own words; whether another try is worth it was decided there."""
    what = f"task {task.name!r} failed: {told['error_type']}: {told['error']}"
    if why and told["error_type"] == TaskKilled.__name__:
        what = f"{what}; its pod: {why}"  # of a child of that the kernel has killed, the cluster knows the limit
    description = str(TaskFailed(what, where=task.source))
    metadata = {name: str(told.get(name, "")) for name in ("error", "error_type", "traceback")}
    return Failure(description=description, metadata=metadata, allow_retries=bool(told.get("retry")))


def _add_reported(context: OpExecutionContext, reported: Iterable[object]) -> None:
    """What the task itself has told by dagster_pipes appears where the value does."""
    for one in reported:
        if isinstance(one, MaterializeResult) and one.metadata:
            context.add_output_metadata(dict(one.metadata), output_name="result")
        elif isinstance(one, AssetCheckResult):
            log: Callable[..., None] = context.log.info if one.passed else context.log.warning
            log(f"check {one.check_name}: {'passed' if one.passed else 'failed'}")
