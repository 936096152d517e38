"""Light nodes in Dagster: what is paid for a node that does nothing, every event stored and durable.

``python -m flowhub_assets_tests.benchmarks.light --thousand`` measures 1,000 nodes beside the 100.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg

from flowhub_assets_tests.benchmarks.light_jobs import named
from flowhub_assets_tests.benchmarks.row import Row, alternating
from flowhub_assets_tests.benchmarks.table import as_markdown
from flowhub_assets_tests.postgres_server import running_postgres

_SQLITE = "telemetry: {enabled: false}\n"
_POSTGRES = _SQLITE + "storage: {postgres: {postgres_url: %s}}\n"
_THEIRS = "Dagster in_process, plain ops"


def measure(quick: bool = False, sizes: tuple[int, ...] = (100,)) -> list[Row]:
    """Milliseconds for each node of a chain and a fan-out; the wait of a fan-out; the memory of a node."""
    rows: list[Row] = []
    times = 1 if quick else 3
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with running_postgres(durable=True) as server:
            for nodes in (5,) if quick else sizes:
                with _instance(folder / f"sqlite_{nodes}", _SQLITE) as instance:
                    rows += _on_storage("SQLite", instance, nodes, times)
                with _instance(folder / f"postgres_{nodes}", _POSTGRES % server.new_database()) as instance:
                    rows += _on_storage("PostgreSQL", instance, nodes, times)
        with _instance(folder / "others", _SQLITE) as instance:
            rows += [_beside_processes(instance, quick), _beside_asyncio(instance, quick), _waiting(instance, quick)]
        if not quick:  # the memory of a few nodes is lost in that of the process
            rows.append(_memory(folder))
    return rows


def _on_storage(storage: str, instance: dg.DagsterInstance, nodes: int, times: int) -> list[Row]:
    calls = [
        _run("hybrid", "chain", nodes, instance),
        _run("hybrid", "fan_out", nodes, instance),
        _run("in_process", "plain", nodes, instance),
        _run("in_process", "chain", nodes, instance),
    ]
    _run("hybrid", "chain", 1, instance)()  # what is paid once in a process is no node's
    chain, fan, plain, same = (took / nodes for took in alternating(calls, times))
    return [
        Row(f"a light node in a chain of {nodes}, {storage}", chain, plain, _THEIRS, at_most=0.3),
        Row(f"a light node in a chain of {nodes}, {storage}", chain, same, "Dagster in_process, the same ops"),
        Row(f"a light node in a fan-out of {nodes}, {storage}", fan, plain, _THEIRS, at_most=0.3),
    ]


def _beside_processes(instance: dg.DagsterInstance, quick: bool) -> Row:
    nodes, few = (5, 1) if quick else (100, 10)
    ours, theirs = alternating(
        [_run("hybrid", "chain", nodes, instance), _run("multiprocess", "plain", few, instance)], 1
    )
    return Row(
        f"a light node in a chain of {nodes}", ours / nodes, theirs / few, f"Dagster multiprocess, {few} ops",
        at_most=0.01,
    )  # fmt: skip


def _beside_asyncio(instance: dg.DagsterInstance, quick: bool) -> Row:
    nodes = 5 if quick else 100

    async def chain() -> None:
        for _ in range(nodes):
            await asyncio.create_task(asyncio.sleep(0))

    calls = [_run("hybrid", "chain", nodes, instance), lambda: asyncio.run(chain())]
    ours, theirs = alternating(calls, 1 if quick else 3)
    return Row(f"a light node in a chain of {nodes}", ours / nodes, theirs / nodes, "plain asyncio, nothing kept")


def _waiting(instance: dg.DagsterInstance, quick: bool) -> Row:
    nodes = 5 if quick else 100
    (took,) = alternating([_run("hybrid", "waiting", nodes, instance)], 1 if quick else 3)
    return Row(f"a fan-out of {nodes} nodes that each wait 100 ms", took / 1000, 2.0, "2 s", unit="s", at_most=1.0)


def _memory(folder: Path) -> Row:
    few, many = 200, 1000
    home = folder / "memory"
    home.mkdir()
    (home / "dagster.yaml").write_text(_SQLITE)
    peaks = [_peak_kib(home, nodes) for nodes in (few, many)]
    return Row(
        "memory of a light node", (peaks[1] - peaks[0]) / (many - few), 50.0, "50 KiB", unit="KiB",
        at_most=1.0,
    )  # fmt: skip


def _peak_kib(home: Path, nodes: int) -> float:
    code = (
        "import logging, threading, time, dagster as dg; logging.disable(logging.WARNING)\n"
        "from flowhub_assets_tests.benchmarks.light_jobs import named\n"
        "seen = [0]\n"
        "def look():\n"
        "    while True:\n"
        "        seen.append(int(open('/proc/self/statm').read().split()[1]) * 4); time.sleep(0.02)\n"
        "threading.Thread(target=look, daemon=True).start()\n"
        "with dg.DagsterInstance.get() as instance:\n"
        f"    assert dg.execute_job(named('hybrid', 'chain', {nodes}), instance=instance).success\n"
        "print(max(seen))\n"
    )
    environment = {**os.environ, "DAGSTER_HOME": str(home)}
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, cwd=root, capture_output=True, timeout=600, check=True
    )
    return float(done.stdout.split()[-1])


def _run(executor: str, shape: str, nodes: int, instance: dg.DagsterInstance) -> Callable[[], object]:
    job = named(executor, shape, nodes)

    def run() -> None:
        with open(os.devnull, "w") as nowhere, contextlib.redirect_stderr(nowhere):
            assert dg.execute_job(job, instance=instance).success

    return run


@contextlib.contextmanager
def _instance(home: Path, settings: str) -> Iterator[dg.DagsterInstance]:
    home.mkdir()
    (home / "dagster.yaml").write_text(settings)
    before = os.environ.get("DAGSTER_HOME")
    os.environ["DAGSTER_HOME"] = str(home)
    try:
        with dg.DagsterInstance.get() as instance:
            yield instance
    finally:
        os.environ.pop("DAGSTER_HOME")
        if before is not None:
            os.environ["DAGSTER_HOME"] = before


if __name__ == "__main__":
    print(as_markdown(measure(quick="--quick" in sys.argv, sizes=(100, 1000) if "--thousand" in sys.argv else (100,))))
