"""The whole of Dagster as ``make dev`` starts it: webserver, daemon, code server, asked by GraphQL as the UI asks."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.to_dagster.dagster_stack import ASSET_GRAPH, Stack, dagster_stack
from flowhub_assets_tests.workflows import HEAD

# One stack for the whole file, and its last test looks at what the others left: one process runs them all, in order.
pytestmark = pytest.mark.timeout(280)

SUMS = """
@task
def first(args):
    return {"n": args["n"], "workspace": args["env"]["WORKSPACE"]}

@task
def second(args):
    return {"n": args["n"] + 1, "workspace": args["workspace"]}

PROFILES = {"default": {"WORKSPACE": "BASE/one"}, "two": {"WORKSPACE": "BASE/two"}}

@flow(name="my-sums", params={"n": 1, "name": "kim"}, env=PROFILES)
def main(args):
    return second(first(args))
"""

KILLED = """
import signal

@task
def handler(args):
    with open("BASE/handled", "a") as file:
        file.write(json.dumps({"task": args["failed_task"], "error": args["error"]}) + "\\n")
    return {}

@task
def before(args):
    return {}

@task
def dies(args):
    os.kill(os.getpid(), signal.SIGKILL)

@flow(name="my-killed", env={"default": {"WORKSPACE": "BASE/one"}}, on_failure=handler)
def main(args):
    return dies(before(args))
"""

LONG = """
@task
def handler(args):
    with open("BASE/long.handled", "a") as file:
        file.write(json.dumps({"task": args["failed_task"], "error": args["error"]}) + "\\n")
    return {}

@task
def finished(args):
    with open("BASE/finished.count", "a") as file:
        file.write("x")
    return {"n": 41}

@task
def also_finished(args):
    with open("BASE/also_finished.count", "a") as file:
        file.write("x")
    return {"more": 1}

@task
def long(args):
    with open("BASE/long.count", "a") as file:
        file.write("x")
    if not os.path.exists("BASE/released"):
        with open("BASE/long.pids", "w") as file:
            file.write(f"{os.getpid()} ")
        time.sleep(300)
    return {"n": args["n"] + args["more"]}

@flow(name="my-long", env={"default": {"WORKSPACE": "BASE/one"}}, on_failure=handler)
def main(args):
    start = finished(args)
    return long(start, also_finished(start))
"""

FILES = {
    **{f"{name}.py": HEAD + text for name, text in (("sums", SUMS), ("killed", KILLED), ("long", LONG))},
    "broken.py": HEAD + "\n@flow(\n",
}


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    with dagster_stack(tmp_path_factory.mktemp("stack"), FILES) as stack:
        yield stack


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_the_asset_graph_holds_the_users_flows_and_the_shipped_ones(stack: Stack) -> None:
    nodes = {tuple(node["assetKey"]["path"]): node for node in stack.ask(ASSET_GRAPH)["assetNodes"]}
    second = nodes["my_sums", "second"]
    assert second["groupName"] == "my_sums"
    assert [key["path"] for key in second["dependencyKeys"]] == [["my_sums", "first"]]
    assert ("_invalid", "broken") in nodes
    assert nodes["_invalid", "broken"]["description"].startswith("broken.py does not load.\n\n")
    assert any(
        node["groupName"] not in ("my_sums", "my_killed", "my_long", "INVALID_PIPELINES") for node in nodes.values()
    )


def test_a_flow_with_params_and_a_profile_then_one_asset_of_it(stack: Stack) -> None:
    config = {
        "resources": {"my_sums_params": {"config": {"n": 10}}, "profile": {"config": {"name": "two"}}},
    }
    run_id = stack.run("my_sums", config=config)
    assert stack.end_of(run_id) == "SUCCESS"
    two = str(stack.base / "two")
    assert read(stack.base / "two/my-sums/runs" / run_id / "second.json") == {"n": 11, "workspace": two}
    # One asset, as the UI's Materialize does it: the job is the one that Dagster makes of all assets.
    latest = stack.base / "two/my-sums/latest/first.json"
    latest.write_text('{"n": 100, "workspace": "saved"}')
    alone = stack.run(
        "__ASSET_JOB",
        config={"resources": {"profile": {"config": {"name": "two"}}}},
        assets=[["my_sums", "second"]],
    )
    assert stack.end_of(alone) == "SUCCESS"
    assert read(stack.base / "two/my-sums/latest/second.json") == {"n": 101, "workspace": "saved"}
    assert read(latest)["n"] == 100


def test_a_wrong_type_is_refused_before_a_run_exists(stack: Stack) -> None:
    launched = stack.launch("my_sums", config={"resources": {"my_sums_params": {"config": {"n": "many"}}}})
    assert launched["__typename"] == "RunConfigValidationInvalid"
    assert "n" in launched["errors"][0]["message"]
    assert "resources:my_sums_params:config:n" in launched["errors"][0]["message"]


def test_a_step_that_kills_its_own_process_calls_on_failure_once(stack: Stack) -> None:
    run_id = stack.run("my_killed")
    assert stack.end_of(run_id) == "FAILURE"
    handled = stack.base / "handled"
    stack.wait(handled.exists, "on_failure")
    stack.wait(lambda: all(run["status"] == "SUCCESS" for run in stack.runs_of("my_killed__on_failure")), "its end")
    (line,) = handled.read_text().splitlines()
    assert json.loads(line)["task"] == "dies"
    (run,) = stack.runs_of("my_killed__on_failure")
    assert {"key": "flowhub/failed_run", "value": run_id} in run["tags"]


def test_a_run_worker_killed_in_the_middle_of_a_task_then_resumed(stack: Stack) -> None:
    run_id = stack.run("my_long")
    pids = stack.base / "long.pids"
    stack.wait(lambda: pids.exists() and pids.read_text().count(" "), "the long task")
    worker = stack.run_worker(run_id)
    for pid in (worker, int(pids.read_text().split()[0])):
        os.kill(pid, signal.SIGKILL)
    assert stack.end_of(run_id) == "FAILURE", "the daemon's run monitoring tells the end"
    counts = {name: (stack.base / f"{name}.count").read_text() for name in ("finished", "also_finished", "long")}
    assert counts == {"finished": "x", "also_finished": "x", "long": "x"}
    (stack.base / "released").touch()
    again = stack.run_again(run_id)
    assert stack.end_of(again) == "SUCCESS"
    counts = {name: (stack.base / f"{name}.count").read_text() for name in ("finished", "also_finished", "long")}
    assert counts == {"finished": "x", "also_finished": "x", "long": "xx"}
    assert read(stack.base / "one/my-long/runs" / again / "long.json") == {"n": 42}
    handled = stack.base / "long.handled"
    stack.wait(handled.exists, "on_failure of the killed run")
    (line,) = handled.read_text().splitlines()
    assert json.loads(line)["task"] == "long"


def test_a_file_that_does_not_load_is_a_failed_check(stack: Stack) -> None:
    key = ["_invalid", "broken"]
    assert stack.wait(lambda: stack.check_status(key), "the evaluation of the check") == "FAILED"


def test_after_all_that_each_failed_run_was_handled_once(stack: Stack) -> None:
    # The sensor has looked several times since the first failure; it looks once more here.
    time.sleep(12)
    handled = [*stack.runs_of("my_killed__on_failure"), *stack.runs_of("my_long__on_failure")]
    failed = [
        run["runId"] for job in ("my_killed", "my_long") for run in stack.runs_of(job) if run["status"] == "FAILURE"
    ]
    told = [tag["value"] for run in handled for tag in run["tags"] if tag["key"] == "flowhub/failed_run"]
    assert sorted(told) == sorted(failed)
    assert len(failed) == 2
