"""What a node that does nothing costs: pipelines in YAML, every event stored and durable, their values kept."""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Callable
from pathlib import Path

import dagster as dg

from flowhub_assets_tests.benchmarks.dagster_home import POSTGRES, SQLITE, instance_in
from flowhub_assets_tests.benchmarks.light_jobs import named
from flowhub_assets_tests.benchmarks.node_runs import (
    by_execute_run,
    in_dagster,
    in_local_runtime,
    shape_file,
    write_shapes,
)
from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.postgres_server import running_postgres

_AT_MOST = {"chain": 0.3, "fan-out": 0.3, "fused": 0.05}
_CALLED = {
    "chain": "a light node in a chain of",
    "fan-out": "a light node in a fan-out of",
    "fused": "a light node in a fused chain of",
}
_MULTIPROCESS_OPS = 10


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds for each node, and the seconds of a fan-out that waits."""
    few, many = (3, 5) if quick else (100, 1000)
    times = 1 if quick else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        files = folder / "pipelines"
        write_shapes(files, few)
        write_shapes(files, many)
        with instance_in(folder / "sqlite", SQLITE) as instance:
            rows = _beside_in_process("SQLite", instance, files, few, many, times)
            rows += _beside_multiprocess(instance, files, few, 1 if quick else _MULTIPROCESS_OPS)
            rows += _engine_alone(instance, few, times)
            rows += _waiting(instance, files, few, times)
        with (
            running_postgres(durable=True) as server,
            instance_in(folder / "postgres", POSTGRES % server.new_database()) as instance,
        ):
            rows += _beside_in_process("PostgreSQL", instance, files, few, many, times)
        return rows + _without_dagster(files, few, many, times)


def _beside_in_process(
    storage: str, instance: dg.DagsterInstance, files: Path, few: int, many: int, times: int
) -> list[Row]:
    """Each shape at both sizes; the other side is a chain of plain ops, whose cost for each does not fall with more."""
    calls = {
        (shape, nodes): in_dagster(shape_file(files, shape, nodes), instance)
        for nodes in (few, many)
        for shape in _CALLED
    }
    calls["chain", few]()  # what is paid once in a process is no node's
    plain = by_execute_run(named("in_process", "plain", few), instance)
    # A thousand steps take their time, and are a median of their own.
    once = [case for case in calls if case[1] == many and case[0] != "fused"]
    often = [case for case in calls if case not in once]
    theirs, *took = alternating([plain, *(calls[case] for case in often)], times)
    milliseconds = dict(zip(often, took, strict=True))
    milliseconds |= zip(once, alternating([calls[case] for case in once], 1), strict=True)
    return [
        Row(
            f"{_CALLED[shape]} {nodes:,}, {storage}",
            milliseconds[shape, nodes] / nodes,
            theirs / few,
            f"Dagster in_process, {few} plain ops",
            at_most=_AT_MOST[shape],
        )
        for shape, nodes in calls
    ]


def _beside_multiprocess(instance: dg.DagsterInstance, files: Path, nodes: int, ops: int) -> list[Row]:
    calls = [
        in_dagster(shape_file(files, "chain", nodes), instance),
        by_execute_run(named("multiprocess", "plain", ops), instance),
    ]
    ours, theirs = alternating(calls, 1)
    what, other = f"{_CALLED['chain']} {nodes}, SQLite", f"Dagster multiprocess, {ops} plain ops"
    return [Row(what, ours / nodes, theirs / ops, other, at_most=0.01)]


def _engine_alone(instance: dg.DagsterInstance, ops: int, times: int) -> list[Row]:
    """The same ops, without nodes, by both executors."""
    calls = [by_execute_run(named(executor, "chain", ops), instance) for executor in ("hybrid", "in_process")]
    ours, theirs = (took / ops for took in alternating(calls, times))
    return [Row(f"a light op in a chain of {ops}, SQLite", ours, theirs, "Dagster in_process, the same ops")]


def _waiting(instance: dg.DagsterInstance, files: Path, nodes: int, times: int) -> list[Row]:
    """Under 2 s is expected, where one after the other takes 10."""
    (took,) = alternating([in_dagster(shape_file(files, "waiting", nodes), instance)], times)
    what = f"a fan-out of {nodes} nodes that each wait 100 ms"
    return [Row(what, took / 1000, nodes * 0.1, "one after the other", unit="s", at_most=0.2)]


def _without_dagster(files: Path, few: int, many: int, times: int) -> list[Row]:
    rows = []
    for nodes in (few, many):
        for shape, plain in (("chain", _asyncio_chain), ("fan-out", _asyncio_fan_out)):
            calls = [in_local_runtime(shape_file(files, shape, nodes)), plain(nodes)]
            ours, theirs = (took / nodes for took in alternating(calls, times))
            rows.append(Row(f"{_CALLED[shape]} {nodes:,}, local runtime", ours, theirs, "plain asyncio, nothing kept"))
    return rows


def _asyncio_chain(nodes: int) -> Callable[[], object]:
    async def chain() -> None:
        for _ in range(nodes):
            await asyncio.create_task(asyncio.sleep(0))

    return lambda: asyncio.run(chain())


def _asyncio_fan_out(nodes: int) -> Callable[[], object]:
    async def fan_out() -> None:
        await asyncio.gather(*(asyncio.sleep(0) for _ in range(nodes)))

    return lambda: asyncio.run(fan_out())
