"""A pipeline with decisions, loops or typed nodes → one Dagster graph. A task is a node of it; a loop is three.

Ops are made once for each shape (which inputs and outputs) and called by many names: a thousand pipelines cost a
tenth of what an op for each of their tasks would. Values do not pass through Dagster: its edges only say what waits
for what and what was chosen, and the values lie in the run's storage.
"""

# No "from __future__ import annotations" here: Dagster reads the annotation of ``context`` as a type.
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

from dagster import (
    Backoff,
    DependencyDefinition,
    DynamicOut,
    GraphDefinition,
    In,
    InputMapping,
    MultiDependencyDefinition,
    NodeInvocation,
    Nothing,
    OpDefinition,
    OpExecutionContext,
    Out,
    OutputMapping,
    RetryPolicy,
)

from flowhub_assets.executor.dagster_private import DynamicCollectDependencyDefinition, MappedInputPlaceholder
from flowhub_assets.executor.placement import CHILD, HEAVY, LIGHT, MAX_CONCURRENT_TAG, PLACEMENT_TAG
from flowhub_assets.ir.grouping import groups, step_name
from flowhub_assets.ir.pipeline import Pipeline, Retry, Task
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.names import dagster_name
from flowhub_assets.to_dagster.flow_run import FlowRun
from flowhub_assets.to_dagster.graph_tasks import (
    ITEM,
    RAN,
    Outputs,
    fused_step,
    items_step,
    iteration_step,
    results_step,
    task_step,
)
from flowhub_assets.to_dagster.tags import asks_most, op_tags, placement

#: The input of every op that waits for others. It is of type Nothing and takes any number of edges.
AFTER = "after"

_BACKOFF = {"linear": Backoff.LINEAR, "exponential": Backoff.EXPONENTIAL}
#: The placements, the most demanding one last: an iteration runs where the most demanding of its tasks wants to.
_TYPE_TAG = "dagster/compute_kind"

After = list[DependencyDefinition] | DependencyDefinition | DynamicCollectDependencyDefinition
Inputs = Mapping[str, DependencyDefinition | MultiDependencyDefinition | DynamicCollectDependencyDefinition]


def is_graph(pipeline: Pipeline) -> bool:
    """Whether the pipeline decides, loops or has typed nodes; without these, each of its tasks is an asset."""
    return bool(pipeline.finally_tasks) or any(
        task.node or task.loop or task.ports or task.after or task.when or task.asset for task in pipeline.tasks
    )


def pipeline_graph(
    pipeline: Pipeline,
    params_key: str,
    prefix: str = "",
    outputs: tuple[str, ...] = (),
    inputs: tuple[str, ...] = (),
) -> GraphDefinition:
    """The graph of ``pipeline``, whose ops ask for the resource ``params_key``.

    Ops whose resource is one pipeline's own have a ``prefix`` of it in their names. ``outputs`` are tasks whose
    output the graph gives as its own, for assets; ``inputs`` are the graph's own, which its first ops wait for.
    """
    nodes = _Nodes(pipeline, params_key, prefix, inputs)
    for group in groups(pipeline):
        nodes.add(group)
    for task in pipeline.finally_tasks:
        nodes.add_last(task)
    return GraphDefinition(
        inner_graph_name(pipeline) if outputs else dagster_name(pipeline.name),
        node_defs=list({op.name: op for op in nodes.ops}.values()),
        dependencies=nodes.dependencies,
        input_mappings=nodes.input_mappings,
        output_mappings=[
            OutputMapping(
                graph_output_name=dagster_name(name), mapped_node_name=dagster_name(name), mapped_node_output_name=RAN
            )
            for name in outputs
        ],
        description=pipeline.description or None,
    )


def inner_graph_name(pipeline: Pipeline) -> str:
    """The name of the graph behind a pipeline's assets: not that of their job, which is a graph for Dagster, too."""
    return f"{dagster_name(pipeline.name)}__graph"


def step_names(pipeline: Pipeline) -> dict[str, str]:
    """The last part of each step's key → the task that it is about; for several tasks in one step, the first."""
    found: dict[str, str] = {}
    for group in groups(pipeline):
        found[step_name(group)] = group[0].name
        if group[0].loop is not None:
            found |= dict.fromkeys(_loop_names(group[0]), group[0].name)
    return found | {dagster_name(task.name): task.name for task in pipeline.finally_tasks}


@dataclass(frozen=True)
class _Shape:
    """What makes two ops one definition."""

    step: str
    type: str
    placement: str
    waits: bool
    ports: tuple[str, ...] = ()
    pool: str | None = None
    params_key: str = "params"
    prefix: str = ""

    @property
    def name(self) -> str:
        parts = [self.type, *([self.step] if self.step != "task" else []), *([self.pool] if self.pool else [])]
        parts += [
            *self.ports,
            *([self.placement] if self.placement != LIGHT else []),
            *(["after"] if self.waits else []),
        ]
        return self.prefix + "__".join(map(dagster_name, parts))


_Step = Callable[[OpExecutionContext, FlowRun], Outputs]


@cache
def _shared_op(shape: _Shape) -> OpDefinition:
    """The op of a shape; which task it is about it learns from the name it is called by."""

    def compute(context: OpExecutionContext, _inputs: Mapping[str, Any]) -> Outputs:
        run: FlowRun = getattr(context.resources, shape.params_key)
        step = _steps(run)[context.op_handle.name]
        yield from step(context, run)

    ports = {dagster_name(port): Out(Nothing, is_required=False) for port in shape.ports}
    outs = {ITEM: DynamicOut(Nothing)} if shape.step == "items" else {RAN: Out(Nothing, is_required=False), **ports}
    return OpDefinition(
        compute,
        name=shape.name,
        ins={AFTER: In(Nothing)} if shape.waits else {},
        outs=outs,
        required_resource_keys={shape.params_key},
        tags={PLACEMENT_TAG: shape.placement, _TYPE_TAG: shape.type},
        pool=shape.pool,
    )


def _steps(run: FlowRun) -> dict[str, _Step]:
    """What each step of the run's pipeline does, by the name of its op."""
    if run.steps is None:
        run.steps = _steps_of(run.pipeline)
    return run.steps


def _steps_of(pipeline: Pipeline) -> dict[str, _Step]:
    steps: dict[str, _Step] = {}
    for group in [*groups(pipeline), *((task,) for task in pipeline.finally_tasks)]:
        task, loop = group[0], group[0].loop
        name = step_name(group)
        if len(group) > 1:
            steps[name] = partial(fused_step, tasks=group)
        elif loop is None:
            steps[name] = partial(task_step, task=task)
        else:
            items, iteration = _loop_names(task)
            steps[items] = partial(items_step, task=task)
            steps[iteration] = partial(iteration_step, task=task, loop=loop)
            steps[name] = partial(results_step, task=task, loop=loop)
    return steps


class _Nodes:
    """The graph as it grows: each group of tasks adds its ops, after those it waits for."""

    def __init__(self, pipeline: Pipeline, params_key: str, prefix: str, inputs: tuple[str, ...]) -> None:
        self.ops: list[OpDefinition] = []
        self.input_mappings: list[InputMapping] = []
        self._inputs = inputs
        self.dependencies: dict[NodeInvocation, Inputs] = {}
        self._pipeline = pipeline
        self._params_key = params_key
        self._prefix = prefix
        #: Task name → the op that says it has run; and whether its ports are outputs of that op.
        self._at: dict[str, tuple[str, bool]] = {}

    def add(self, group: tuple[Task, ...]) -> None:
        """The ops of one group."""
        task, name = group[0], step_name(group)
        after = self._edges(group)
        if len(group) > 1:
            self._invoke("fused", name, after, group[0], type="several")
        elif task.loop is not None:
            self._add_loop(task, name, after)
        else:
            self._invoke("task", name, after, task, ports=task.ports)
        self._at |= {one.name: (name, len(group) == 1) for one in group}

    def add_last(self, task: Task) -> None:
        """A finally task: after everything else, whatever of that was skipped."""
        edges = [DependencyDefinition(name, RAN) for name in dict.fromkeys(name for name, _ in self._at.values())]
        last = {dagster_name(one.name) for one in self._pipeline.finally_tasks}
        self._invoke("task", dagster_name(task.name), [edge for edge in edges if edge.node not in last], task)

    def _add_loop(self, task: Task, name: str, after: list[DependencyDefinition]) -> None:
        assert task.loop is not None
        items, iteration = _loop_names(task)
        self._invoke("items", items, after, task)
        limit = {MAX_CONCURRENT_TAG: str(task.loop.max_concurrent)} if task.loop.max_concurrent else {}
        runs = asks_most(task.loop)
        self._invoke("iteration", iteration, DependencyDefinition(items, ITEM), task, runs=runs, tags=limit)
        self._invoke("results", name, DynamicCollectDependencyDefinition(iteration, RAN), task)

    def _edges(self, group: tuple[Task, ...]) -> list[DependencyDefinition]:
        own = {task.name for task in group}
        edges: dict[tuple[str, str], None] = {}
        for task in group:
            for name in waits_for(task):
                if name in own:
                    continue
                step, has_ports = self._at[name]
                edges |= {(step, output): None for output in self._outputs_to_wait_for(task, name, has_ports)}
        return [DependencyDefinition(step, output) for step, output in edges]

    @staticmethod
    def _outputs_to_wait_for(task: Task, upstream: str, has_ports: bool) -> list[str]:
        """Of the op of ``upstream``: each of the ports that ``task`` names, or that it has run, whatever it chose."""
        ports = [edge.port for edge in task.after if edge.task == upstream]
        return [dagster_name(port) for port in ports if port] if has_ports and ports and all(ports) else [RAN]

    def _invoke(
        self,
        step: str,
        name: str,
        after: After,
        task: Task,
        *,
        ports: tuple[str, ...] = (),
        type: str = "",  # noqa: A002 - the word of the format
        runs: Task | None = None,
        tags: Mapping[str, str] | None = None,
    ) -> None:
        runs = runs or task
        kind = type or (task.node.type if task.node else "python")
        placed = LIGHT if step == "results" else placement(runs)
        if step == "items" and placed == HEAVY:
            placed = CHILD
        waits = bool(after or self._inputs)
        op = _shared_op(_Shape(step, kind, placed, waits, ports, task.pool, self._params_key, self._prefix))
        self.ops.append(op)
        # The tags that all tasks of a shape have are its op's: each tag of a call costs time.
        asked = {key: _text(value) for key, value in op_tags(self._pipeline, runs).items() if key != PLACEMENT_TAG}
        # The tasks inside a fused step are tried again there, each as it says itself.
        retry = None if step == "fused" else retry_policy(task.retry)
        invocation = _Invocation(op.name, alias=name, tags={**asked, **(tags or {})}, retry_policy=retry)
        self.dependencies[invocation] = {AFTER: _joined(after) if after else self._all_inputs(name)} if waits else {}

    def _all_inputs(self, name: str) -> MultiDependencyDefinition:
        """What the first ops wait for: all inputs of the graph."""
        self.input_mappings += [
            InputMapping(graph_input_name=one, mapped_node_name=name, mapped_node_input_name=AFTER, fan_in_index=number)
            for number, one in enumerate(self._inputs)
        ]
        return MultiDependencyDefinition([MappedInputPlaceholder] * len(self._inputs))


class _Invocation(NodeInvocation):
    """Hashed by the name it is called by, which no other of its graph has: Dagster hashes all that it holds."""

    def __hash__(self) -> int:
        return hash(self.alias)


def _joined(after: After) -> DependencyDefinition | MultiDependencyDefinition | DynamicCollectDependencyDefinition:
    if not isinstance(after, list):
        return after
    return after[0] if len(after) == 1 else MultiDependencyDefinition(list(after))


def _text(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def retry_policy(retry: Retry) -> RetryPolicy | None:
    """Dagster's policy for a task's retries, None for none; which errors are worth one, the step itself says."""
    if not retry.times:
        return None
    return RetryPolicy(max_retries=retry.times, delay=retry.delay, backoff=_BACKOFF.get(retry.backoff))


def _loop_names(task: Task) -> tuple[str, str]:
    """The names of the ops that make a loop's list and run one iteration; its end has the task's own name."""
    name = dagster_name(task.name)
    return f"{name}__items", f"{name}__each"
