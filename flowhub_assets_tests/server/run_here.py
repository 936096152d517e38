"""Does what waits in Dagster's queue in this process, with the executor of the code location: no daemon is needed."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.execution.api import execute_run

from flowhub_assets import definitions
from flowhub_assets.server.backend import Backend
from flowhub_assets.server.runs import StartRequest
from flowhub_assets_tests.server.backends import GREET, backend_over
from flowhub_assets_tests.workflows import location_of

STEPS = """
import sys
from pathlib import Path
from typing import Any
from flowhub import flow, task

@task
def first(args):
    print("first has", args["n"])
    # As Dagster's console logger writes each event of a run beside what its tasks print.
    print("2026-11-22 19:40:29 +0000 - dagster - DEBUG - steps -", args["env"]["run_id"], "- 7 - said", file=sys.stderr)
    return {"n": args["n"], "city": args["city"]}

@task(retries=1)
def second(args):
    print("second begins")
    print("to stderr", file=sys.stderr)
    if args["n"] == 3 and not Path("BASE/mended").exists():
        raise ValueError("three is not mended")
    return {"n": args["n"] + 1}

@task
def third(args):
    print("x" * args["n"] + " 서울\\r\\nlast", end="")
    return {"result": args["n"]}

@flow(params={"n": 1, "city": "Seoul"}, env={"default": {"WORKSPACE": "BASE/values"}})
def steps(args):
    return third(second(first(args)))
"""

LOOP = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: round}
profiles: {default: {WORKSPACE: BASE/values}}
fuse: true
params:
  cities: {type: array, items: {type: string}, default: [Seoul, Busan]}
nodes:
  - {id: one, type: log, inputs: {message: "one"}}
  - {id: two, type: log, inputs: {message: "two {{one.output}}"}}
  - id: each
    type: loop
    config: {items: "{{params.cities}}"}
    nodes:
      - {id: say, type: log, inputs: {message: "in {{item}}"}}
"""


@dataclass(frozen=True)
class Here:
    """A backend over ``folder`` of pipelines; ``base`` is where they write."""

    backend: Backend
    folder: Path
    base: Path

    def run(self, pipeline: str, **params: object) -> str:
        """A run that is over; its id."""
        return start_and_run(self.backend, self.folder, pipeline, **params)

    def go_on(self, run_id: str) -> str:
        """Runs what waits; how it stands then."""
        return run_now(self.backend, self.folder, run_id)


@contextlib.contextmanager
def runs_here(base: Path) -> Iterator[Here]:
    """The pipelines steps, round and greet, and nothing that starts their runs but the test."""
    folder = base / "pipelines"
    folder.mkdir()
    for name, text in (("steps.py", STEPS), ("round.yaml", LOOP), ("greet.yaml", GREET)):
        (folder / name).write_text(text.replace("BASE", str(base)), encoding="utf-8")
    with backend_over(folder, base) as backend:
        yield Here(backend, folder, base)


def job_in(folder: str, name: str) -> dg.JobDefinition:
    """What a run worker builds a job from."""
    return location_of(Path(folder), definitions.location.executor).repository().get_job(name)


def run_now(backend: Backend, folder: Path, run_id: str) -> str:
    """Runs it to its end; how it stands then."""
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    backend.instance.report_dagster_event(_starting(run), run_id)
    run = backend.instance.get_run_by_id(run_id)
    assert run is not None
    arguments: Any = (str(folder), run.job_name)
    job = dg.build_reconstructable_job(__name__, "job_in", arguments)
    execute_run(job, run, backend.instance, raise_on_error=False)
    ended = backend.instance.get_run_by_id(run_id)
    assert ended is not None
    return str(ended.status.value)


def _starting(run: dg.DagsterRun) -> dg.DagsterEvent:
    return dg.DagsterEvent(event_type_value=dg.DagsterEventType.RUN_STARTING.value, job_name=run.job_name)


def start_and_run(backend: Backend, folder: Path, pipeline: str, **params: object) -> str:
    """A run of ``pipeline`` that is over; its id."""
    run_id = backend.runs.start(StartRequest(pipeline, params=params)).run_id
    run_now(backend, folder, run_id)
    return run_id
