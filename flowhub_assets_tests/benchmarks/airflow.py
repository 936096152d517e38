"""What Airflow has to read, what an export takes, and how large the ConfigMap of a small flow is."""

from __future__ import annotations

import base64
import json
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import yaml

from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.ir.pipeline import Pipeline
from flowhub_assets.to_airflow.export import export
from flowhub_assets_tests.airflow.environments import VERSIONS, Environment, environment, settings
from flowhub_assets_tests.benchmarks.airflow_files import small_workflow, usual_dag, workflow
from flowhub_assets_tests.benchmarks.row import Row

_DRIVER = Path(__file__).parents[1] / "airflow" / "drivers" / "parsing.py"
#: How many tasks a DAG has → the most that reading ours may take, as a part of reading the usual one.
_SIZES = {100: 1.0, 1000: 0.5}
_FEW = {10: 1.0, 20: 0.5}
_KIB = 1024.0
_ROOT = Path(__file__).resolve().parents[2]
_EXPORT = """
import sys, time
from flowhub_assets.from_python.loading import flows_in, load_module
from flowhub_assets.to_airflow.export import export
began = time.perf_counter()
(flow,) = flows_in(load_module(sys.argv[1]))
pipeline = flow.pipeline
loaded = time.perf_counter()
export(pipeline, "default")
print((time.perf_counter() - loaded) * 1000, (loaded - began) * 1000)
"""


def measure(quick: bool = False) -> list[Row]:
    """Milliseconds for a DAG and for an export, KiB for a ConfigMap."""
    sizes = _FEW if quick else _SIZES
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name).resolve()
        return [*_parsing(folder, sizes, quick), *_exporting(folder, max(sizes), quick), *_config_maps(folder)]


def _parsing(folder: Path, sizes: dict[int, float], quick: bool) -> list[Row]:
    dags = [write_dags(folder / str(size), size) for size in sizes]
    files = [file for pair in dags for file in pair]
    rows = []
    for version in VERSIONS:
        told, took = _milliseconds(environment(version), folder, files, 1 if quick else 7)
        for number, (size, at_most) in enumerate(sizes.items()):
            ours, theirs = took[2 * number : 2 * number + 2]
            what = f"read a DAG of {size:,} tasks, Airflow {told}"
            rows.append(Row(what, ours, theirs, "one operator after another", at_most=None if quick else at_most))
    return rows


def write_dags(folder: Path, tasks: int) -> tuple[Path, Path]:
    """The DAG that we make of a flow, and the same one as people write it, each in a file."""
    folder.mkdir()
    exported = export(_pipeline(folder / "workflow.py", workflow("wide", tasks)), "default")
    ours, theirs = folder / "wide_dag.py", folder / "usual_dag.py"
    ours.write_text(exported.dag, "utf-8")
    theirs.write_text(usual_dag("usual", tasks), "utf-8")
    return ours, theirs


def _milliseconds(made: Environment, folder: Path, files: Sequence[Path], times: int) -> tuple[str, list[float]]:
    """Airflow's version, and the median for each file; all are read by one process, in turns."""
    home = folder / f"airflow-{made.version}"
    home.mkdir()
    jobs, out = home / "jobs.json", home / "report.json"
    jobs.write_text(json.dumps({"files": list(map(str, files)), "times": times}), "utf-8")
    subprocess.run(
        [made.python, _DRIVER, jobs, out],
        env=settings(made, home, home / "dags"),
        cwd=home,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=600,
        check=True,
    )
    report = json.loads(out.read_text("utf-8"))
    version = ".".join(report["airflow"].split(".")[:2])
    return version, [statistics.median(one) for one in report["milliseconds"]]


def _exporting(folder: Path, tasks: int, quick: bool) -> list[Row]:
    """In new processes, whose imports do not count: what travels with every pipeline is made in each."""
    file = folder / "workflow.py"
    file.write_text(workflow("wide", tasks), encoding="utf-8")
    turns = [_milliseconds_of_export(file) for _ in range(1 if quick else 5)]
    ours, theirs = map(statistics.median, zip(*turns, strict=True))
    what = f"export a flow of {tasks:,} tasks"
    return [Row(what, ours, 1000.0, "1 s", at_most=1.0), Row(what, ours, theirs, "load its file")]


def _milliseconds_of_export(file: Path) -> tuple[float, float]:
    done = subprocess.run(
        [sys.executable, "-c", _EXPORT, file], cwd=_ROOT, capture_output=True, timeout=300, check=True
    )
    ours, theirs = map(float, done.stdout.split())
    return ours, theirs


def _config_maps(folder: Path) -> list[Row]:
    rows = []
    for bucket in (False, True):
        code = export(_pipeline(folder / "small.py", small_workflow(bucket=bucket)), "default").code
        what = f"ConfigMap of a one-file flow, values in a {'bucket' if bucket else 'folder'}"
        rows.append(Row(what, bytes_in(code) / _KIB, 64.0, "64 KiB", unit="KiB", at_most=1.0))
    return rows


def bytes_in(config_maps: str) -> int:
    """What Kubernetes counts against its limit: the values, decoded."""
    found = list(yaml.safe_load_all(config_maps))
    texts = [text.encode() for one in found for text in one.get("data", {}).values()]
    archives = [base64.b64decode(one) for each in found for one in each.get("binaryData", {}).values()]
    return sum(map(len, [*texts, *archives]))


def _pipeline(file: Path, text: str) -> Pipeline:
    file.write_text(text, encoding="utf-8")
    (flow,) = flows_in(load_module(str(file)))
    return flow.pipeline
