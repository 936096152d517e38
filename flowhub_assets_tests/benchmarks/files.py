"""Many pipeline files of ten nodes each: their check, a whole code location of them, one job out of it."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from flowhub_assets_tests.benchmarks.row import Row, alternating, interpreter
from flowhub_assets_tests.benchmarks.yaml_files import TEN, write_files

_GET = "from flowhub_assets.definitions import defs; assert defs.get_job({job!r}).name == {job!r}"
_READ = "import yaml, pathlib; [yaml.safe_load(path.read_text()) for path in pathlib.Path('pipelines').iterdir()]"
#: So many files take long enough to be read only once.
_LONG = 100
#: Seconds for the definitions of a whole code location, and for a plain reading of the same files, without imports.
_WHOLE = """
import time, yaml, pathlib
from flowhub_assets.definitions import defs
began = time.perf_counter()
jobs = defs.get_all_jobs()
loaded = time.perf_counter()
for path in pathlib.Path("pipelines").iterdir():
    yaml.safe_load(path.read_text())
assert len(jobs) == {files}
print(loaded - began, time.perf_counter() - loaded)
"""


def measure(quick: bool = False) -> list[Row]:
    """Each figure is a new process's; only the whole location is taken without what its process imports."""
    sizes = [2, 5] if quick else [10, 100, 1000]
    with tempfile.TemporaryDirectory() as name:
        folders = {size: write_files(Path(name) / str(size), size) for size in sizes}
        return [*_one_job(folders, quick), *_whole(folders, quick), *_check(folders)]


def _one_job(folders: Mapping[int, Path], quick: bool) -> list[Row]:
    calls = [
        interpreter(_GET.format(job=f"pipeline_{size // 2:04d}"), environment=_surroundings(), folder=folder)
        for size, folder in folders.items()
    ]
    few, *more = alternating(calls, 1 if quick else 3)
    fewest, *others = folders
    return [
        Row(f"get one job out of {size:,} pipelines in YAML", took, few, f"out of {fewest}", at_most=1.5)
        for size, took in zip(others, more, strict=True)
    ]


def _whole(folders: Mapping[int, Path], quick: bool) -> list[Row]:
    rows = []
    for size, folder in folders.items():
        turns = [_seconds_of_whole(folder, size) for _ in range(1 if quick or size > _LONG else 3)]
        ours, theirs = (sorted(side)[len(side) // 2] * 1000 / size for side in zip(*turns, strict=True))
        what = f"load a pipeline of {TEN} nodes, {size:,} of them"
        rows.append(Row(what, ours, theirs, "yaml.safe_load of its file"))
    return rows


def _seconds_of_whole(folder: Path, size: int) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", _WHOLE.format(files=size)],
        env=_surroundings(),
        cwd=folder,
        capture_output=True,
        timeout=300,
        check=True,
    )
    ours, theirs = map(float, done.stdout.split())
    return ours, theirs


def _check(folders: Mapping[int, Path]) -> list[Row]:
    size, folder = list(folders.items())[-1]
    calls = [
        interpreter("from flowhub_assets.cli.check import check; check(['pipelines'])", folder=folder),
        interpreter(_READ, folder=folder),
    ]
    ours, theirs = (took / size for took in alternating(calls, 1))
    return [Row(f"flowhub check, a file of {size:,}", ours, theirs, "yaml.safe_load of it, likewise")]


def _surroundings() -> dict[str, str]:
    """The folder's own settings are to count."""
    return {name: value for name, value in os.environ.items() if not name.startswith("FLOWHUB_")}
