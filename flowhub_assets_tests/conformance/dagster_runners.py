"""Dagster as a runner: the job in this process, or, as a code location runs it, each step in its own."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import yaml

from flowhub_assets.definitions import location
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets.to_dagster.failure_sensor import failure_requests, flow_steps, step_name
from flowhub_assets.to_dagster.flow_definitions import FlowDefinitions
from flowhub_assets.to_dagster.params import SHARED_PARAMS, params_key
from flowhub_assets_tests.conformance.runners import Ran, load, merged_result, nodes_folder, read_told

QUIET = {"loggers": {"console": {"config": {"log_level": "CRITICAL"}}}}


class DagsterInProcess:
    """The flow's job, all its steps in this process, on an instance in memory."""

    name = "Dagster, in process"

    def run(self, file: Path, given: Mapping[str, Any], workspace: Path) -> Ran:
        runnable = load(file)
        flow = location.flow(runnable)
        with dg.DagsterInstance.ephemeral() as instance:
            config = {**QUIET, **run_config(flow, given, workspace)}
            result = flow.job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
            return ended(flow, instance, result.dagster_run, given, workspace)


class DagsterHybrid:
    """The flow's job with the executor of our code location, its light steps in threads of this process."""

    name = "Dagster, hybrid"

    def run(self, file: Path, given: Mapping[str, Any], workspace: Path) -> Ran:
        flow = location.flow(load(file))
        arguments: Any = (str(file),)
        job = dg.build_reconstructable_job(__name__, "job_of", arguments)
        with instance_of(home_in(workspace)) as instance:
            config = {**QUIET, **run_config(flow, given, workspace)}
            result = dg.execute_job(job, instance, run_config=config, raise_on_error=False)
            run = instance.get_run_by_id(result.run_id)
            assert run is not None
            return ended(flow, instance, run, given, workspace)


def job_of(file: str) -> dg.JobDefinition:
    """The job of the last pipeline in ``file``: what other processes of the run build it from."""
    return location.flow(load(Path(file))).job


class DagsterCommand:
    """``dagster job execute`` on our code location, with the executor that it has."""

    name = "dagster job execute"

    def run(self, file: Path, given: Mapping[str, Any], workspace: Path) -> Ran:
        runnable = load(file)
        flow = location.flow(runnable)
        home = home_in(workspace)
        config = workspace / "config.yaml"
        config.write_text(
            yaml.safe_dump(run_config(flow, given, workspace), allow_unicode=True, sort_keys=False), "utf-8"
        )
        command = ["job", "execute", "-m", "flowhub_assets.definitions", "-j", flow.job.name, "-c", str(config)]
        folders = os.pathsep.join(str(one) for one in (file.parent, nodes_folder(file)) if one.is_dir())
        done = subprocess.run(
            [sys.executable, "-m", "dagster", *command],
            env={**os.environ, "DAGSTER_HOME": str(home), "FLOWHUB_PIPELINES": folders},
            cwd=workspace,
            capture_output=True,
            text=True,
            timeout=100,
            check=False,
        )
        with instance_of(home) as instance:
            runs = instance.get_runs()
            assert len(runs) == 1, done.stderr
            return ended(flow, instance, runs[0], given, workspace)


def home_in(workspace: Path) -> Path:
    home = workspace / "dagster"
    home.mkdir()
    (home / "dagster.yaml").write_text("telemetry:\n  enabled: false\n")
    return home


@contextlib.contextmanager
def instance_of(home: Path) -> Iterator[dg.DagsterInstance]:
    with dg.DagsterInstance.from_config(str(home)) as instance:
        yield instance


def run_config(flow: FlowDefinitions, given: Mapping[str, Any], workspace: Path) -> dict[str, Any]:
    """What a user would write into the launchpad: the flow's input, and where its storage is."""
    config: dict[str, Any] = {"storage": {"config": {"workspace": str(workspace)}}}
    if given:
        key = SHARED_PARAMS if SHARED_PARAMS in flow.job.resource_defs else params_key(flow.pipeline)
        config[key] = {"config": dict(given)}
    return {"resources": config}


def ended(
    flow: FlowDefinitions, instance: dg.DagsterInstance, run: dg.DagsterRun, given: Mapping[str, Any], workspace: Path
) -> Ran:
    """What is left of a run in the event log and the storage, once on_failure has had its turn."""
    pipeline = flow.pipeline
    storage = get_storage({"WORKSPACE": str(workspace)})
    kept = Values(storage, pipeline.name)
    keys = {task.name: kept.run_key(run.run_id, task.name) for task in pipeline.tasks}
    values = {name: storage.read(key).decode("utf-8") for name, key in keys.items() if storage.exists(key)}
    failed = _count(flow, instance, run.run_id, dg.DagsterEventType.STEP_FAILURE)
    started = _count(flow, instance, run.run_id, dg.DagsterEventType.STEP_START)
    again = _count(flow, instance, run.run_id, dg.DagsterEventType.STEP_RESTARTED)
    _call_on_failure(flow, instance, run.run_id)
    success = instance.get_run_by_id(run.run_id).status == dg.DagsterRunStatus.SUCCESS  # type: ignore[union-attr]
    return Ran(
        values=values,
        result=merged_result(pipeline, given, values) if success else None,
        # A step that has found out by itself that it is not to run has started all the same.
        attempts={name: started[name] + again.get(name, 0) for name in started if name in values or name in failed},
        told=read_told(workspace),
    )


def _count(
    flow: FlowDefinitions, instance: dg.DagsterInstance, run_id: str, kind: dg.DagsterEventType
) -> dict[str, int]:
    """How many such events each task has; a loop's are those of the step that makes its list, or failures of any."""
    count: dict[str, int] = {}
    steps = flow_steps(flow.pipeline)
    for record in instance.all_logs(run_id, of_type=kind):
        step = step_name(flow.pipeline, record.get_dagster_event().step_key or "")
        if step not in steps:
            continue  # an asset check's
        name = steps[step]
        if kind is dg.DagsterEventType.STEP_FAILURE or not _is_part_of_loop(flow, name, step):
            count[name] = count.get(name, 0) + 1
    return count


def _is_part_of_loop(flow: FlowDefinitions, task: str, step: str) -> bool:
    tasks = {one.name: one for one in flow.pipeline.tasks}
    return task in tasks and tasks[task].loop is not None and not step.endswith("__items")


def _call_on_failure(flow: FlowDefinitions, instance: dg.DagsterInstance, run_id: str) -> None:
    """Does what the daemon does when the sensor on_failure sees a failed run."""
    run = instance.get_run_by_id(run_id)
    assert run is not None
    if run.status != dg.DagsterRunStatus.FAILURE or flow.failure_job is None:
        return
    (request,) = failure_requests(instance, run, None, {flow.job.name: flow})
    config = {**QUIET, **json.loads(json.dumps(request.run_config))}
    flow.failure_job.execute_in_process(run_config=config, instance=instance, raise_on_error=False)
