"""What it takes to make Dagster's jobs of many pipelines: ours share their ops, ops of their own are the usual way."""

# No "from __future__ import annotations" here: Dagster reads the annotation of ``context`` as a type.
import gc
import statistics
import time
from collections.abc import Callable, Sequence

import dagster as dg

from flowhub_assets.definitions import location
from flowhub_assets.executor.placement import LIGHT, PLACEMENT_TAG
from flowhub_assets.from_yaml.loading import pipelines_in, runnable
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.names import dagster_name
from flowhub_assets.runtime.step import Runnable
from flowhub_assets.to_dagster.flow_run import flow_run_resource
from flowhub_assets.to_dagster.repository import no_garbage_collection
from flowhub_assets_tests.benchmarks.row import Row
from flowhub_assets_tests.benchmarks.yaml_files import TEN, ten_nodes


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds for each pipeline, read from its text already; both sides have the same tags, retries and params."""
    count = 3 if quick else 1000
    names = (f"pipeline_{number:04d}" for number in range(count))
    runnables = [runnable(pipeline) for name in names for pipeline in pipelines_in(ten_nodes(name), f"{name}.yaml")]
    turns = [[_milliseconds(build, runnables) for build in (_ours, _distinct_ops)] for _ in range(1 if quick else 3)]
    ours, theirs = (statistics.median(side) / count for side in zip(*turns, strict=True))
    what = f"build a pipeline of {TEN} nodes, {count:,} of them"
    return [Row(what, ours, theirs, "distinct ops, the same features", at_most=0.25)]


def _milliseconds(build: Callable[[Sequence[Runnable]], object], runnables: Sequence[Runnable]) -> float:
    gc.collect()  # what the other has left behind
    begun = time.perf_counter()
    build(runnables)
    return (time.perf_counter() - begun) * 1000


def _ours(runnables: Sequence[Runnable]) -> list[dg.JobDefinition]:
    """As our code location makes them."""
    with no_garbage_collection():
        return [location.flow(one).job for one in runnables]


def _distinct_ops(runnables: Sequence[Runnable]) -> list[dg.JobDefinition]:
    return [job_of_distinct_ops(one) for one in runnables]


def job_of_distinct_ops(one: Runnable) -> dg.JobDefinition:
    """The job as the decorators make it: a chain, as the pipeline is."""
    pipeline = one.pipeline
    ops = [_op(pipeline, task, follows=number > 0) for number, task in enumerate(pipeline.tasks)]

    @dg.job(
        name=dagster_name(pipeline.name),
        resource_defs={**location.resources, "params": flow_run_resource(one)},
        executor_def=location.executor,
    )
    def chain() -> None:
        value = None
        for op in ops:
            value = op() if value is None else op(value)

    return chain


def _op(pipeline: Pipeline, task: Task, *, follows: bool) -> dg.OpDefinition:
    @dg.op(
        name=f"{dagster_name(pipeline.name)}__{dagster_name(task.name)}",
        ins={"after": dg.In(dg.Nothing)} if follows else {},
        out=dg.Out(dg.Nothing, is_required=False),
        required_resource_keys={"params"},
        tags={PLACEMENT_TAG: LIGHT, "dagster/compute_kind": "template"},
        retry_policy=dg.RetryPolicy(max_retries=task.retry.times, delay=task.retry.delay),
    )
    def node(context: dg.OpExecutionContext) -> None:
        del context

    return node
