"""How long a new process takes to get one flow's job out of a location with many flows: what every step pays."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path

from flowhub_assets_tests.benchmarks.generated import chain_file
from flowhub_assets_tests.benchmarks.row import Row, alternating, interpreter

_GET = "from flowhub_assets.definitions import defs; assert defs.get_job({job!r}).name == {job!r}"


def measure(quick: bool = False) -> list[Row]:
    """One job out of the smallest location, and out of the greater ones, in turns."""
    sizes = [2, 5] if quick else [10, 100, 1000]
    with tempfile.TemporaryDirectory() as folder:
        calls = [_get_a_job(Path(folder) / str(size), size) for size in sizes]
        few, *more = alternating(calls, 2 if quick else 7)
    return [
        Row(f"get one job out of {size:,} flows", took, few, f"out of {sizes[0]}", at_most=1.5)
        for size, took in zip(sizes[1:], more, strict=True)
    ]


def _get_a_job(folder: Path, flows: int) -> Callable[[], object]:
    folder.mkdir()
    for number in range(flows):
        chain_file(folder / f"flow_{number:04d}.py", f"flow_{number:04d}", 5, folder / "values")
    environment = {**os.environ, "FLOWHUB_PIPELINES": str(folder)}
    return interpreter(_GET.format(job=f"flow_{flows // 2:04d}"), environment=environment, folder=folder)
