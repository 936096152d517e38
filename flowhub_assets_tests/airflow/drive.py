"""What a test calls to have Airflow read DAG files, or run them against the Kubernetes double."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from flowhub_assets_tests.airflow.environments import Environment, settings
from flowhub_assets_tests.kubernetes.double import KubeDouble, kube_config

_DRIVERS = Path(__file__).parent / "drivers"


@dataclass(frozen=True)
class Job:
    """One run of the DAG in ``file``, broken off after ``seconds``.

    ``startup_timeout`` is that of its pods, in seconds; None leaves what the DAG says.
    """

    file: Path
    run_id: str = ""
    conf: Mapping[str, Any] = field(default_factory=dict)
    dag_id: str = ""
    startup_timeout: int | None = None
    seconds: float = 60.0


class DriverFailed(Exception):
    """Airflow's process ended without a report; the text is what it wrote."""


def read_dags(made: Environment, folder: Path, seconds: float = 100.0) -> dict[str, Any]:
    """What Airflow reads from a folder (or one file) of DAGs; see drivers/dagbag.py for what is told."""
    with _home(made) as home:
        kube_config(home / "kubeconfig", "http://127.0.0.1:9")  # a cluster that is named, and never asked
        variables = settings(made, home, folder) | {"KUBECONFIG": str(home / "kubeconfig")}
        report: dict[str, Any] = _drive(made, "dagbag.py", folder, home, variables, seconds)
    return report


def run_dags(
    made: Environment, cluster: KubeDouble, jobs: Sequence[Job], seconds: float = 100.0
) -> list[dict[str, Any]]:
    """Runs the jobs in one process; see drivers/dagtest.py for what is told of each."""
    with _home(made) as home:
        asked = []
        for number, job in enumerate(jobs):
            # Alone in a folder: dag.test() of Airflow 3 reads the whole folder for each run.
            copy = home / "dags" / str(number) / job.file.name
            copy.parent.mkdir(parents=True)
            shutil.copyfile(job.file, copy)
            asked.append({**vars(job), "file": str(copy), "conf": dict(job.conf)})
        (home / "jobs.json").write_text(json.dumps(asked), "utf-8")
        variables = settings(made, home, home / "dags") | {"KUBECONFIG": str(cluster.kubeconfig)}
        reports: list[dict[str, Any]] = _drive(made, "dagtest.py", home / "jobs.json", home, variables, seconds)["jobs"]
    return reports


def bare_python(folder: Path) -> Path:
    """A Python with nothing installed, as in an image of which only Python is known."""
    words = [sys.executable, "-m", "venv", "--without-pip", str(folder)]
    subprocess.run(words, check=True, capture_output=True, timeout=60)
    return folder / "bin" / "python"


@contextmanager
def _home(made: Environment) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(prefix=f"airflow-{made.version}-") as name:
        shutil.copyfile(made.database, Path(name) / "airflow.db")
        yield Path(name).resolve()


def _drive(
    made: Environment, driver: str, asked: Path, home: Path, variables: dict[str, str], seconds: float
) -> dict[str, Any]:
    out = home / "report.json"
    words = [str(made.python), str(_DRIVERS / driver), str(asked), str(out)]
    try:
        done = subprocess.run(words, env=variables, cwd=home, capture_output=True, timeout=seconds, check=False)
    except subprocess.TimeoutExpired as error:
        raise DriverFailed(f"{driver} took over {seconds} s:\n{_tail(error.stdout)}{_tail(error.stderr)}") from None
    if done.returncode or not out.exists():
        raise DriverFailed(f"{driver} ended with {done.returncode}:\n{_tail(done.stdout)}{_tail(done.stderr)}")
    report: dict[str, Any] = json.loads(out.read_text("utf-8"))
    return report


def _tail(said: bytes | None) -> str:
    return (said or b"")[-4000:].decode(errors="replace")
