"""Retries, timeouts, processes that die, and on_failure: once for each failed run, after the retries."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterEventType,
    DagsterInstance,
    RunRequest,
    build_run_status_sensor_context,
    execute_job,
)

from flowhub_assets.to_dagster.failure_sensor import failure_requests
from flowhub_assets_tests.workflows import Workflows, failure_of, job_in, reconstructable

HANDLED = """
    @task
    def handler(args):
        told = {key: args[key] for key in ("failed_task", "error", "error_type", "traceback")}
        told["n"] = args["n"]
        told["env"] = args["env"]
        pathlib.Path("told.json").write_text(json.dumps(told))
        return {}

    @task
    def fine(args):
        return {"n": args["n"]}

    @task(retries=2)
    def breaks(args):
        pathlib.Path("breaks.count").open("a").write("x")
        if len(pathlib.Path("breaks.count").read_text()) > args["n"]:
            return args
        raise ValueError(f"no {args['n']} today")

    @flow(name="my-handled", params={"n": 7}, on_failure=handler, env={"default": {}, "other": {"WORKSPACE": "./o"}})
    def main(args):
        return breaks(fine(args))
"""


def requests(workflows: Workflows, instance: DagsterInstance, result: Any, job: str) -> list[RunRequest]:
    run = instance.get_run_by_id(result.run_id)
    assert run is not None
    return list(failure_requests(instance, run, "the run ended", {job: workflows.flow(job)}))


def test_retries_are_counted_and_then_on_failure_is_asked_for_once(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    path = workflows.write("handled.py", HANDLED)
    result = workflows.run("my_handled", instance, resources={"profile": {"name": "other"}}, n=8)
    assert not result.success
    assert Path("breaks.count").read_text() == "xxx", "one try and two retries"
    (request,) = requests(workflows, instance, result, "my_handled")
    assert request.job_name == "my_handled__on_failure"
    assert request.run_key == f"{result.run_id}/my_handled"
    assert request.tags["flowhub/failed_run"] == result.run_id
    failure_job = workflows.repository().get_job(request.job_name)
    assert failure_job.execute_in_process(
        run_config=request.run_config, tags=dict(request.tags), instance=instance
    ).success
    told = json.loads(Path("told.json").read_text())
    line = path.read_text().splitlines().index("    raise ValueError(f\"no {args['n']} today\")") + 1
    assert told["failed_task"] == "breaks"
    assert told["error"] == "no 8 today"
    assert told["error_type"] == "ValueError"
    assert f'File "{path}", line {line}, in breaks' in told["traceback"]
    assert "flowhub_assets/" not in told["traceback"], "no frame of ours"
    assert told["n"] == 8, "on_failure has the failed run's params"
    assert told["env"]["WORKSPACE"] == "./o", "and its profile"
    assert told["env"]["project"] == "my-handled"
    assert told["env"]["task"] == "handler"
    assert told["env"]["failed_run_id"] == result.run_id, "it has a run of its own"


def test_a_retry_that_succeeds_is_a_success(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("handled.py", HANDLED)
    result = workflows.run("my_handled", instance, n=2)
    assert result.success
    assert Path("breaks.count").read_text() == "xxx"
    assert not [event for event in result.all_events if event.is_step_failure]


def test_what_trying_again_cannot_mend_is_not_retried(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("handled.py", HANDLED)
    result = workflows.run("my_handled", instance, assets=[AssetKey(["my_handled", "breaks"])])
    assert "is missing" in failure_of(result, "my_handled__breaks")
    assert not [event for event in result.all_events if event.event_type is DagsterEventType.STEP_UP_FOR_RETRY]
    assert not Path("breaks.count").exists()


def test_the_failure_that_the_ui_shows_is_the_users(workflows: Workflows, instance: DagsterInstance) -> None:
    path = workflows.write("handled.py", HANDLED)
    result = workflows.run("my_handled", instance)
    told = failure_of(result, "my_handled__breaks")
    assert "task 'breaks' failed: ValueError: no 7 today" in told
    assert f"{path}:" in told
    assert "Traceback" not in told


def test_the_sensor_yields_the_request_through_dagsters_own_context(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("handled.py", HANDLED)
    text = """
        @task
        def other(args):
            raise RuntimeError("x")

        @flow
        def unhandled(args):
            return other(args)
    """
    workflows.write("unhandled.py", text)
    repository = workflows.repository()
    sensor = repository.get_sensor_def("on_failure")
    asked = {}
    for job in ("my_handled", "unhandled"):
        result = workflows.run(job, instance)
        event = next(e for e in result.all_events if e.event_type is DagsterEventType.PIPELINE_FAILURE)
        run = instance.get_run_by_id(result.run_id)
        assert run is not None
        context = build_run_status_sensor_context(
            sensor_name="on_failure",
            dagster_event=event,
            dagster_instance=instance,
            dagster_run=run,
            repository_def=repository,
        )
        given: Any = sensor(context.for_run_failure())
        asked[job] = list(given)
    (request,) = asked["my_handled"]
    assert isinstance(request, RunRequest)
    assert request.run_config["ops"]["my_handled__on_failure__handler"]["config"]["failed_task"] == "breaks"
    (skip,) = asked["unhandled"]
    assert "no flow with on_failure has a part in unhandled" in skip.skip_message


def test_one_asset_of_the_flow_that_fails_is_handled_too(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("handled.py", HANDLED)
    workflows.run("my_handled", instance, n=1)
    Path("breaks.count").unlink()
    Path("tmp/my-handled/latest/fine.json").write_text('{"n": 9}')
    # As the UI does it: the job that Dagster makes of all assets.
    everything = workflows.repository().get_implicit_job_def_for_assets([AssetKey(["my_handled", "breaks"])])
    assert everything is not None
    result = everything.execute_in_process(
        instance=instance, raise_on_error=False, asset_selection=[AssetKey(["my_handled", "breaks"])]
    )
    assert not result.success
    (request,) = requests(workflows, instance, result, "my_handled")
    config = request.run_config["ops"]["my_handled__on_failure__handler"]["config"]
    assert config["failed_task"] == "breaks"
    assert config["error"] == "no 9 today"


def test_a_task_that_runs_too_long_is_stopped(workflows: Workflows, instance: DagsterInstance) -> None:
    text = """
        @task
        def handler(args):
            return args

        @task(timeout=0.5)
        def hangs(args):
            pathlib.Path("pid").write_text(str(os.getpid()))
            time.sleep(100)
            return {}

        @flow(on_failure=handler)
        def slow(args):
            return hangs(args)
    """
    workflows.write("slow.py", text)
    result = workflows.run("slow", instance)
    told = failure_of(result, "slow__hangs")
    assert "hangs" in told
    assert "0.5" in told
    with pytest.raises(ProcessLookupError):
        os.kill(int(Path("pid").read_text()), 0)
    (request,) = requests(workflows, instance, result, "slow")
    config = request.run_config["ops"]["slow__on_failure__handler"]["config"]
    assert config["failed_task"] == "hangs"
    assert config["error_type"] == "TaskTimedOut"


def test_a_task_whose_process_is_killed_leads_to_on_failure(
    workflows: Workflows, instance_on_disk: DagsterInstance
) -> None:
    text = """
        import signal

        @task
        def handler(args):
            return args

        @task
        def fine(args):
            return {"pid": os.getpid()}

        @task(retries=1)
        def dies(args):
            pathlib.Path("dies.count").open("a").write("x")
            os.kill(os.getpid(), signal.SIGKILL)

        @task
        def never(args):
            pathlib.Path("never").touch()
            return args

        @flow(on_failure=handler)
        def killed(args):
            return never(dies(fine(args)))
    """
    workflows.write("killed.py", text)
    job = reconstructable(workflows.folder, "killed", "flowhub_assets_tests.to_dagster.forking.forking_job")
    result = execute_job(job, instance_on_disk)
    assert not result.success
    assert Path("dies.count").read_text() == "xx", "a killed process is tried again"
    assert not Path("never").exists()
    (request,) = requests(workflows, instance_on_disk, result, "killed")
    config = request.run_config["ops"]["killed__on_failure__handler"]["config"]
    assert config["failed_task"] == "dies"
    assert config["error_type"] == "TaskKilled", "as in a local run"
    assert "was killed by SIGKILL" in config["error"]
    assert "dagster" not in config["traceback"], "no frame of Dagster's"
    job_of_handler = job_in(str(workflows.folder), "killed__on_failure")
    assert job_of_handler.execute_in_process(run_config=request.run_config, instance=instance_on_disk).success
