"""What the steps of one run of a graph share: its input, its profile, and the values that its tasks have made."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cached_property
from typing import Any

from dagster import DagsterRun, InitResourceContext, OpExecutionContext, ResourceDefinition

from flowhub_assets.errors import ValueMissing
from flowhub_assets.ir.grouping import steps_of_tasks
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.runtime.given_params import require_params
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values, decode_value, encode_value
from flowhub_assets.to_dagster.params import flow_input, params_config
from flowhub_assets.to_dagster.partitions import partition_values
from flowhub_assets.to_dagster.pod_steps import PodRun, pod_run

#: The most bytes, as JSON, that a process keeps of values which are in the storage anyway: of one, and of all.
_LARGEST_KEPT = 1 << 18
_MOST_KEPT = 1 << 26

#: The most runs that a re-execution looks back through for a value.
_MOST_PARENTS = 50


class KeptValues:
    """The values that were saved or read last, for the steps of one process; large ones are read again."""

    def __init__(self, largest: int = _LARGEST_KEPT, most: int = _MOST_KEPT) -> None:
        self._largest = largest
        self._most = most
        self._bytes = 0
        self._values: dict[tuple[str, str], tuple[dict[str, Any], int]] = {}
        self._lock = threading.Lock()

    def get(self, key: tuple[str, str]) -> dict[str, Any] | None:
        """The value of a run and a name, None if it is not kept."""
        found = self._values.get(key)
        return found[0] if found is not None else None

    def put(self, key: tuple[str, str], value: dict[str, Any], size: int) -> None:
        """Keeps a value whose document has ``size`` bytes, in the place of the oldest ones if need be."""
        with self._lock:
            self._bytes -= self._values.pop(key, ({}, 0))[1]
            if size > self._largest:
                return
            self._values[key] = value, size
            self._bytes += size
            while self._bytes > self._most:
                self._bytes -= self._values.pop(next(iter(self._values)))[1]


class FlowRun:
    """One run of ``runnable`` in this process. Values are kept in storage, and here for the steps of this process."""

    def __init__(
        self, runnable: Runnable, given: Mapping[str, Any], resources: Any, run: DagsterRun | None = None
    ) -> None:
        self.runnable = runnable
        self._run = run
        self._given = given
        self._resources = resources
        #: What each of the graph's steps does, by the name of its op: filled when the first step asks.
        self.steps: dict[str, Callable[[OpExecutionContext, FlowRun], Any]] | None = None
        self._kept = KeptValues()

    @property
    def pipeline(self) -> Pipeline:
        """The pipeline that runs."""
        return self.runnable.pipeline

    @cached_property
    def given(self) -> dict[str, Any]:
        """The run's params, over their defaults. Raises InputError for what their schemas do not take."""
        require_params(
            self.runnable,
            self._given,
            effect="Nothing of this run was started.",
            how="when you launch it again, in the launchpad or by run config",
        )
        return flow_input(self.pipeline, self._given)

    @cached_property
    def profile(self) -> dict[str, Any]:
        """The values of the run's profile. Raises ProfileError."""
        # Asked for by each step: an error at the resource's start would end the run before a step could tell it.
        profile: dict[str, Any] = self._resources.storage.over(self._resources.profile.of(self.pipeline))
        return {**profile, **partition_values(self.pipeline, self._run)}

    def pods(self, run_id: str) -> PodRun:
        """What runs this run's tasks in pods of their own images. Raises ProfileError."""
        return pod_run(run_id, self.runnable, self._resources.profile.name, self.profile)

    @cached_property
    def values(self) -> Values:
        """Where the run's values are kept. Raises ProfileError."""
        return Values(get_storage(self.profile), self.pipeline.name)

    def keep(self, run_id: str, name: str, value: dict[str, Any], *, latest: bool = False) -> str:
        """Saves a value durably, under the task's name; also as its latest if asked. Returns its URL."""
        document = encode_value(value, name)
        url = self.values.write(run_id, name, document, latest=latest)
        self._kept.put((run_id, name), value, len(document))
        return url

    def load(self, context: OpExecutionContext, name: str) -> dict[str, Any] | None:
        """A value of this run, or, where this run goes on with another, of that one; None if there is none.

        What this run was to make itself and did not, it has skipped.
        """
        run = context.run
        for _ in range(_MOST_PARENTS):
            value = self._load(run.run_id, name)
            if value is not None or run.parent_run_id is None or self._has_step(run.step_keys_to_execute, name):
                return value
            parent = context.instance.get_run_by_id(run.parent_run_id)
            if parent is None:
                return None
            run = parent
        return None

    def upstream(
        self, context: OpExecutionContext, tasks: Iterable[Task]
    ) -> tuple[dict[str, dict[str, Any]], set[str]]:
        """What ``tasks`` wait for: outputs by task name, and the names of those that were skipped."""
        tasks = list(tasks)
        own = {task.name for task in tasks}
        names = [name for task in tasks for name in waits_for(task) if name not in own]
        found = {name: self.load(context, name) for name in dict.fromkeys(names)}
        outputs = {name: value for name, value in found.items() if value is not None}
        return outputs, found.keys() - outputs.keys()

    def made_before(self, context: OpExecutionContext, tasks: Sequence[Task]) -> dict[str, dict[str, Any]]:
        """What an earlier try of a step has made of its ``tasks``: in this run, or in the one that it takes up again.

        A step that had ended well there and is run again all the same is to be done anew.
        """
        parent, before = context.run.parent_run_id, {}
        if parent is not None and context.run.step_keys_to_execute is not None:
            before = self._made(parent, tasks)
        return {**(before if len(before) < len(tasks) else {}), **self._made(context.run_id, tasks)}

    def _made(self, run_id: str, tasks: Sequence[Task]) -> dict[str, dict[str, Any]]:
        found = {task.name: self._load(run_id, task.name) for task in tasks}
        return {name: value for name, value in found.items() if value is not None}

    def _load(self, run_id: str, name: str) -> dict[str, Any] | None:
        step = self._fused_in.get(name)
        if step is None:
            return self._document(run_id, name)
        together = self._document(run_id, step) or {}
        return together.get(name)

    def _document(self, run_id: str, name: str) -> dict[str, Any] | None:
        value = self._kept.get((run_id, name))
        if value is None:
            try:
                document = self.values.read(run_id, name)
            except ValueMissing:
                return None
            value = decode_value(document)
            self._kept.put((run_id, name), value, len(document))
        return value

    @cached_property
    def _fused_in(self) -> dict[str, str]:
        """The step of each task that shares its step, and its document, with others."""
        shared = Counter(self._step_of.values())
        return {task: step for task, step in self._step_of.items() if shared[step] > 1}

    @cached_property
    def _step_of(self) -> dict[str, str]:
        return steps_of_tasks(self.pipeline)

    def _has_step(self, step_keys: Iterable[str] | None, name: str) -> bool:
        """Whether a run that executes ``step_keys`` (None: all) has the step that saves ``name``."""
        if step_keys is None:
            return True
        task, _, part = name.partition("/")
        step = self._step_of.get(task, task)
        if part:
            step = f"{step}__items" if part == "items" else f"{step}__each[{part}]"
        return any(key.rpartition(".")[2] == step for key in step_keys)


def flow_run_resource(runnable: Runnable) -> ResourceDefinition:
    """The resource that a graph's ops share; its config is the run's params, as the launchpad offers them."""

    def create(context: InitResourceContext) -> FlowRun:
        return FlowRun(runnable, context.resource_config or {}, context.resources, context.run)

    return ResourceDefinition(
        create,
        config_schema=params_config(runnable.pipeline),
        required_resource_keys={"profile", "storage"},
        description=f"What {runnable.pipeline.name} is given.",
    )
