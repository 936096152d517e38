"""Chains and fan-outs of ops that do nothing, for the light engine's figures; other processes make them by name."""

from __future__ import annotations

import time
from typing import Any

import dagster as dg

from flowhub_assets.executor.hybrid import hybrid_executor
from flowhub_assets.executor.placement import LIGHT, PLACEMENT_TAG

_EXECUTORS = {
    "hybrid": hybrid_executor,
    "in_process": dg.in_process_executor,
    "multiprocess": dg.multiprocess_executor,
}


def job(executor: str, shape: str, nodes: int) -> dg.JobDefinition:
    """``shape``: chain, fan_out, waiting (a fan-out of nodes that wait 100 ms) or plain (a chain of ops)."""
    build = {"chain": _chain, "fan_out": _fan_out, "waiting": _waiting, "plain": _plain}[shape]
    graph = build(nodes)
    return graph.to_job(name=f"{executor}_{shape}_{nodes}", executor_def=_EXECUTORS[executor])


def named(executor: str, shape: str, nodes: int) -> dg.ReconstructableJob:
    """The job, as execute_job takes it."""
    arguments: Any = (executor, shape, nodes)
    return dg.build_reconstructable_job("flowhub_assets_tests.benchmarks.light_jobs", "job", arguments, {})


def _node(name: str, *, waits: float = 0.0, follows: bool = True) -> dg.OpDefinition:
    @dg.op(
        name=name,
        ins={"after": dg.In(dg.Nothing)} if follows else {},
        out=dg.Out(dg.Nothing),
        tags={PLACEMENT_TAG: LIGHT},
    )
    def node() -> None:
        if waits:
            time.sleep(waits)

    return node


def _chain(nodes: int) -> dg.GraphDefinition:
    first, following = _node("first", follows=False), _node("following")

    @dg.graph
    def chain() -> None:
        value = first()
        for _ in range(nodes - 1):
            value = following(value)

    return chain


def _fan(nodes: int, waits: float) -> dg.GraphDefinition:
    first, following = _node("first", follows=False), _node("following", waits=waits)

    @dg.graph
    def fan() -> None:
        value = first()
        for _ in range(nodes):
            following(value)

    return fan


def _fan_out(nodes: int) -> dg.GraphDefinition:
    return _fan(nodes, 0.0)


def _waiting(nodes: int) -> dg.GraphDefinition:
    return _fan(nodes, 0.1)


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
