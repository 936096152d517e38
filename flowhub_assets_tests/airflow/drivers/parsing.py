"""Runs inside an Airflow environment: how long each of several DAG files takes to be read, in one process, in turns.

    python parsing.py JOBS OUT

JOBS: {"files": [...], "times": n}. OUT: {"airflow", "tasks": [n, ...], "milliseconds": [[ms, ...], ...]}, a list for
each file in the order of the files. Each is read once before, unmeasured: the provider is imported and the file is
compiled by then, as in a DAG processor that reads its files again and again.
"""

from __future__ import annotations

import gc
import json
import sys
import time
from pathlib import Path

from dagbag import dag_bag  # type: ignore[import-not-found]  # it lies beside this file


def main(jobs: Path, out: Path) -> None:
    """Reads the files and writes what that took. An import error is no measurement."""
    from airflow import __version__

    asked = json.loads(jobs.read_text("utf-8"))
    files = [Path(file) for file in asked["files"]]
    tasks = [tasks_in(file) for file in files]
    measured: list[list[float]] = [[] for _ in files]
    for _ in range(asked["times"]):
        for file, seen in zip(files, measured, strict=True):
            seen.append(milliseconds(file))
    report = {"airflow": __version__, "tasks": tasks, "milliseconds": measured}
    out.write_text(json.dumps(report), "utf-8")


def tasks_in(file: Path) -> int:
    """How many tasks its DAG has."""
    bag = dag_bag(file)
    if bag.import_errors:
        raise SystemExit("\n".join(bag.import_errors.values()))
    (dag,) = bag.dags.values()
    return len(dag.tasks)


def milliseconds(file: Path) -> float:
    """What one reading of it takes."""
    gc.collect()  # what the other file has left behind
    begun = time.perf_counter()
    dag_bag(file)
    return (time.perf_counter() - begun) * 1000


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
