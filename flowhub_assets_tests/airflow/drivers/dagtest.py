"""Runs inside an Airflow environment: several runs of DAGs by dag.test(), one after the other, in one process.

    python dagtest.py JOBS OUT

JOBS: [{"file", "run_id", "conf", "dag_id"?, "startup_timeout"?, "seconds"}], each file alone in its folder.
OUT: {"import_seconds", "jobs": [{"state", "error", "seconds", "log", "tasks": [...]}]}, a task as {task_id, map_index,
state, try_number, xcoms, log}, where ``log`` is what was told meanwhile. Waits between polls are short, and retries
come at once. A job that takes longer than its ``seconds`` is broken off, with an ``error``.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import json
import os
import signal
import sys
import tempfile
import threading
import time
import traceback
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

POLL_SECONDS = 0.02


def main(jobs: Path, out: Path) -> None:
    """Runs the jobs and writes what came of each; a job that breaks hurts no other."""
    poll_fast()
    begun = time.perf_counter()
    dag_module, bag_class = imports()
    started = time.perf_counter() - begun
    reports = []
    for job in json.loads(jobs.read_text("utf-8")):
        begun = time.perf_counter()
        with captured() as capture:
            # Not the alarm clock of the process: tasks with a timeout set that.
            signal.signal(signal.SIGUSR1, functools.partial(too_long, job))
            clock = threading.Timer(job["seconds"], os.kill, (os.getpid(), signal.SIGUSR1))
            try:
                clock.start()
                report = run(job, dag_module, bag_class, capture)
            except TookTooLong:
                report = {"state": None, "error": f"the run took more than {job['seconds']} s", "tasks": []}
            except Exception:  # noqa: BLE001 - whatever it is, it is the job's result
                report = {"state": None, "error": traceback.format_exc(), "tasks": []}
            finally:
                clock.cancel()
        reports.append({"error": None, **report, "seconds": time.perf_counter() - begun, "log": capture.text})
    out.write_text(json.dumps({"import_seconds": started, "jobs": reports}, ensure_ascii=False, default=str), "utf-8")


class TookTooLong(BaseException):
    """A run's time is over; no Exception, because dag.test() goes on after those."""


def too_long(job: dict[str, Any], *_: object) -> None:
    """Breaks into whatever the run is waiting for."""
    job["took_too_long"] = True
    raise TookTooLong


def imports() -> tuple[Any, Any]:
    """The module of dag.test() and the class of DAG bags."""
    try:
        from airflow.dag_processing.dagbag import DagBag
        from airflow.sdk.definitions import dag as dag_module

        newest_api()
    except ImportError:
        from airflow.models import dag as dag_module
        from airflow.models.dagbag import DagBag
    without_plugins()
    return dag_module, DagBag


def newest_api() -> None:
    """Airflow 3 answers its tasks over an API, in this process; making the forms of all older clients takes seconds."""
    from airflow.api_fastapi.execution_api import versions
    from cadwyn import HeadVersion, Version, VersionBundle

    # One older form is needed: it has an endpoint that the newest has lost. The oldest form names no changes.
    *newest, oldest = versions.bundle.versions[:3]
    for version in newest:
        for change in version.changes:
            change._bound_version_bundle = None
    versions.bundle = VersionBundle(HeadVersion(), *newest, Version(oldest.value))


def without_plugins() -> None:
    """A stock Airflow has none; Dagster's, which lies in this environment, costs every process two seconds."""
    from airflow import plugins_manager

    if hasattr(plugins_manager, "load_entrypoint_plugins"):
        plugins_manager.load_entrypoint_plugins = lambda: None


def poll_fast() -> None:
    """No wait between two looks at a pod is longer than POLL_SECONDS; deadlines are as they were."""
    sleep, sleep_async = time.sleep, asyncio.sleep

    async def nap(delay: float, result: Any = None) -> Any:
        return await sleep_async(min(delay, POLL_SECONDS), result)

    time.sleep = lambda delay: sleep(min(float(delay), POLL_SECONDS))
    asyncio.sleep = nap


class Capture:
    """What the process has written, from a place on."""

    def __init__(self, file: Any) -> None:
        self.file = file
        self.logs: dict[tuple[str, int], str] = {}
        self.text = ""

    def size(self) -> int:
        """How much has been written so far, in bytes."""
        sys.stdout.flush()
        sys.stderr.flush()
        return os.fstat(self.file.fileno()).st_size

    def since(self, place: int) -> str:
        """What was written after that."""
        return os.pread(self.file.fileno(), self.size() - place, place).decode(errors="replace")

    def close(self) -> None:
        """Keeps all of it as ``text`` and lets go of the file."""
        self.text = self.since(0)
        self.file.close()


@contextlib.contextmanager
def captured() -> Iterator[Capture]:
    """What is written to stdout and stderr, by whomever, goes to a file of its own."""
    capture = Capture(tempfile.TemporaryFile())  # noqa: SIM115 - closed below
    kept = [os.dup(1), os.dup(2)]
    sys.stdout.flush()
    sys.stderr.flush()
    os.dup2(capture.file.fileno(), 1)
    os.dup2(capture.file.fileno(), 2)
    try:
        yield capture
    finally:
        capture.close()
        for number, old in enumerate(kept, 1):
            os.dup2(old, number)
            os.close(old)


def run(job: dict[str, Any], dag_module: Any, bag_class: Any, capture: Capture) -> dict[str, Any]:
    """One run, from the file to its task instances."""
    from airflow import settings
    from airflow.models import DagRun

    file = Path(job["file"])
    settings.DAGS_FOLDER = str(file.parent)
    bag = bag_class(dag_folder=str(file))
    if bag.import_errors:
        return {"state": None, "error": "\n".join(bag.import_errors.values()), "tasks": []}
    dag = bag.dags[job["dag_id"]] if job.get("dag_id") else next(iter(bag.dags.values()))
    for task in dag.tasks:
        hurry(task, job)
    real = dag_module._run_task

    @functools.wraps(real)
    def watched(**words: Any) -> Any:
        place, ti = capture.size(), words["ti"]
        key = (ti.task_id, ti.map_index)
        try:
            return real(**words)
        finally:
            capture.logs[key] = capture.logs.get(key, "") + capture.since(place)
            if "took_too_long" in job:
                # Airflow took it for the task's own failure.
                raise TookTooLong

    run_id = job.get("run_id") or f"test__{time.time_ns()}"
    with (
        patch.object(dag_module, "_run_task", watched),
        patch.object(DagRun, "generate_run_id", lambda *_, **__: run_id),
    ):
        ended = dag.test(run_conf=job.get("conf"))
    return {"state": str(getattr(ended.state, "value", ended.state)), "tasks": instances(dag.dag_id, run_id, capture)}


def hurry(task: Any, job: dict[str, Any]) -> None:
    """Retries come at once; how long a pod may take to start is the job's to say."""
    words: dict[str, Any] = {"retry_delay": timedelta(0), "retry_exponential_backoff": False}
    if job.get("startup_timeout") and "Pod" in task.task_type:
        words |= {"startup_timeout_seconds": job["startup_timeout"], "schedule_timeout_seconds": job["startup_timeout"]}
    for name, value in words.items():
        if hasattr(task, "partial_kwargs"):
            task.partial_kwargs[name] = value
        else:
            setattr(task, name, value)


def instances(dag_id: str, run_id: str, capture: Capture) -> list[dict[str, Any]]:
    """Each task instance, with its XComs and what was told while it ran."""
    from airflow.models import TaskInstance
    from airflow.utils.session import create_session

    with create_session() as session:
        xcoms = all_xcoms(session, dag_id, run_id)
        rows = session.query(TaskInstance).filter(TaskInstance.dag_id == dag_id, TaskInstance.run_id == run_id)
        found = [
            {
                "task_id": ti.task_id,
                "map_index": ti.map_index,
                "state": str(getattr(ti.state, "value", ti.state)),
                "try_number": ti.try_number,
                "xcoms": xcoms.get((ti.task_id, ti.map_index), {}),
                "log": capture.logs.get((ti.task_id, ti.map_index), ""),
            }
            for ti in rows
        ]
    return sorted(found, key=lambda instance: (instance["task_id"], instance["map_index"]))


def all_xcoms(session: Any, dag_id: str, run_id: str) -> dict[tuple[str, int], dict[str, Any]]:
    """Values by key, of each task instance."""
    try:
        from airflow.models.xcom import XComModel as Stored
    except ImportError:
        from airflow.models.xcom import XCom as Stored
    found: dict[tuple[str, int], dict[str, Any]] = {}
    columns = Stored.task_id, Stored.map_index, Stored.key, Stored.value
    for row in session.query(*columns).filter(Stored.dag_id == dag_id, Stored.run_id == run_id):
        found.setdefault((row.task_id, row.map_index), {})[row.key] = Stored.deserialize_value(row)
    return found


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
