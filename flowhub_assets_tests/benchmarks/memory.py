"""What a light node costs in memory: the most that a process had which ran a chain of them in Dagster."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from flowhub_assets_tests.benchmarks.dagster_home import SQLITE
from flowhub_assets_tests.benchmarks.node_runs import shape_file, write_shapes
from flowhub_assets_tests.benchmarks.row import Row

_ROOT = Path(__file__).resolve().parents[2]
_RUN = """
import logging, re, sys, dagster as dg
from pathlib import Path
from flowhub_assets_tests.benchmarks.node_runs import in_dagster
logging.disable(logging.WARNING)
with dg.DagsterInstance.get() as instance:
    in_dagster(Path(sys.argv[1]), instance)()
print(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
"""


def measure(quick: bool = False) -> list[Row]:
    """KiB for each node, from the difference of two runs; and whether it stays the same for more nodes."""
    few, more, most = (50, 150, 300) if quick else (100, 1000, 2000)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        (folder / "dagster.yaml").write_text(SQLITE, encoding="utf-8")
        peaks = {nodes: _peak(folder, nodes) for nodes in (few, more, most)}
    each = _growth(peaks, few, more)
    then = _growth(peaks, more, most)
    return [
        Row(f"memory of a light node, {few} to {more:,} of them", each, 50.0, "50 KiB", unit="KiB", at_most=1.0),
        Row(f"memory of a light node, {more:,} to {most:,} of them", then, 50.0, "50 KiB", unit="KiB", at_most=1.0),
    ]


def _growth(peaks: dict[int, float], fewer: int, more: int) -> float:
    # A run of few nodes may not need more than the process had already.
    return max(0.01, (peaks[more] - peaks[fewer]) / (more - fewer))


def _peak(folder: Path, nodes: int) -> float:
    """The process's most KiB; other processes than its own are not in it."""
    write_shapes(folder / "pipelines", nodes)
    done = subprocess.run(
        [sys.executable, "-c", _RUN, str(shape_file(folder / "pipelines", "chain", nodes))],
        env={**os.environ, "DAGSTER_HOME": str(folder)},
        cwd=_ROOT,
        capture_output=True,
        timeout=300,
        check=True,
    )
    return float(done.stdout.split()[-1])
