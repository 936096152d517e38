"""Chains of ops that do nothing, for the light engine's figures; other processes make them by name."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.executor.placement import LIGHT, PLACEMENT_TAG

_ROOT = str(Path(__file__).resolve().parents[2])
_EXECUTORS = {
    "hybrid": hybrid_executor,
    "in_process": dg.in_process_executor,
    "multiprocess": dg.multiprocess_executor,
}


@cache
def job(executor: str, shape: str, nodes: int) -> dg.JobDefinition:
    """``shape``: chain (of light ops that wait for each other) or plain (a chain of ops that hand on a value).

    It is made once, as that of a pipeline in a file is: a run worker has it when its run starts.
    """
    build = {"chain": _chain, "plain": _plain}[shape]
    graph = build(nodes)
    return graph.to_job(name=f"{executor}_{shape}_{nodes}", executor_def=_EXECUTORS[executor])


def named(executor: str, shape: str, nodes: int) -> dg.ReconstructableJob:
    """The job, as execute_job takes it."""
    arguments: Any = (executor, shape, nodes)
    # The processes of the multiprocess executor look for the module from there.
    return dg.build_reconstructable_job("flowhub_assets_tests.benchmarks.light_jobs", "job", arguments, {}, _ROOT)


def _node(name: str, *, follows: bool = True) -> dg.OpDefinition:
    @dg.op(
        name=name,
        ins={"after": dg.In(dg.Nothing)} if follows else {},
        out=dg.Out(dg.Nothing),
        tags={PLACEMENT_TAG: LIGHT},
    )
    def node() -> None:
        pass

    return node


def _chain(nodes: int) -> dg.GraphDefinition:
    first, following = _node("first", follows=False), _node("following")

    @dg.graph
    def chain() -> None:
        value = first()
        for _ in range(nodes - 1):
            value = following(value)

    return chain


def _plain(nodes: int) -> dg.GraphDefinition:
    @dg.op
    def first() -> int:
        return 0

    @dg.op
    def following(number: int) -> int:
        return number

    @dg.graph
    def plain() -> None:
        value = first()
        for _ in range(nodes - 1):
            value = following(value)

    return plain
