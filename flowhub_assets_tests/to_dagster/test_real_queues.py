"""Queues and pools in the whole of Dagster as ``make dev`` starts it: its daemon decides, a run worker is killed.

The runs of all scenarios go on at the same time: a slot that a killed run held is free again after half a minute.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any

import pytest

from flowhub_assets_tests.to_dagster.dagster_stack import _LAUNCH, Stack, dagster_stack, stack_environment
from flowhub_assets_tests.workflows import HEAD

pytestmark = pytest.mark.timeout(280)

LOCATION = {"repositoryLocationName": "flowhub_assets", "repositoryName": "__repository__"}
_START = "mutation($schedule: ScheduleSelector!) { startSchedule(scheduleSelector: $schedule) { __typename } }"

PYPROJECT = """
[tool.flowhub]
patience = 5
[tool.flowhub.queues]
priority = {priority = 10, limit = 1}
minority = {priority = 1}
[tool.flowhub.pools]
killed-lock = 1
cancelled-lock = 1
"""

#: Each writes down when its step begins and ends, and goes on until there is a file "go.<flow>".
LOCKS = """
import time

def hold(name, args):
    run = args["env"]["run_id"]
    with open(f"BASE/{name}.log", "a") as file:
        file.write(f"in {run}\\n")
    while not os.path.exists(f"BASE/go.{name}"):
        time.sleep(0.1)
    with open(f"BASE/{name}.log", "a") as file:
        file.write(f"out {run}\\n")
    return {}

@task(pool="killed-lock")
def killed_step(args):
    return hold("killed", args)

@task
def first(args):
    return {}

@task(pool="cancelled-lock")
def cancelled_step(args):
    return hold("cancelled", args)

@flow(name="killed", env={"default": {"WORKSPACE": "BASE/files"}})
def killed(args):
    return killed_step(args)

@flow(name="cancelled", env={"default": {"WORKSPACE": "BASE/files"}})
def cancelled(args):
    return cancelled_step(first(args))
"""

QUEUED = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: NAME}
queue: QUEUE
profiles: {default: {WORKSPACE: BASE/files}}
nodes:
  - id: hold
    type: python
    config:
      script: |
        import os, time
        while not os.path.exists("BASE/go.NAME"):
            time.sleep(0.1)
        result = 1
"""

TIMED = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: timed}
queue: minority
schedule: {cron: "* * * * *"}
nodes:
  - {id: wait, type: delay, config: {seconds: 0.1}}
"""


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    base = tmp_path_factory.mktemp("queues")
    (base / "pyproject.toml").write_text(PYPROJECT)
    files = {
        "locks.py": HEAD + LOCKS,
        "urgent.yaml": QUEUED.replace("NAME", "urgent").replace("QUEUE", "priority"),
        "timed.yaml": TIMED,
        "usual.yaml": QUEUED.replace("NAME", "usual").replace("QUEUE", "minority"),
    }
    with dagster_stack(base, files) as stack:
        schedule = {**LOCATION, "scheduleName": "timed_schedule"}
        assert stack.ask(_START, schedule=schedule)["startSchedule"]["__typename"] == "ScheduleStateResult"
        yield stack


def launch(stack: Stack, job: str, **tags: str) -> str:
    """What the launchpad's Launch does, with tags that somebody wrote there."""
    selector = {**LOCATION, "jobName": job}
    metadata = {"tags": [{"key": f"flowhub/{key}", "value": value} for key, value in tags.items()]}
    params = {"selector": selector, "runConfigData": {}, "mode": "default", "executionMetadata": metadata}
    answer = stack.ask(_LAUNCH, params=params)["launchRun"]
    assert answer["__typename"] == "LaunchRunSuccess", answer
    run_id: str = answer["run"]["runId"]
    return run_id


def tags_of(stack: Stack, run_id: str, job: str) -> dict[str, str]:
    (run,) = [run for run in stack.runs_of(job) if run["runId"] == run_id]
    return {tag["key"]: tag["value"] for tag in run["tags"]}


def lines(stack: Stack, name: str) -> list[str]:
    path = stack.base / f"{name}.log"
    return path.read_text().splitlines() if path.exists() else []


def listed(stack: Stack) -> Any:
    """What ``flowhub queue list --json`` prints."""
    command = [sys.executable, "-m", "flowhub_assets.cli", "queue", "list", "--json"]
    done = subprocess.run(
        command, cwd=stack.base, env=stack_environment(stack.base), capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def waiting(told: Any) -> dict[str, str]:
    return {run["run_id"]: run["waits_for"] for queue in told["queues"] for run in queue["waiting"]}


@pytest.fixture(scope="module")
def killed(stack: Stack) -> tuple[str, str]:
    """A run whose worker was killed while it held the lock, and one that waits for the lock."""
    holder = launch(stack, "killed")
    stack.wait(lambda: f"in {holder}" in lines(stack, "killed"), "the step that holds the lock")
    follower = launch(stack, "killed")
    reason = f"pool killed-lock has 1 slot: run {holder} holds it"
    stack.wait(lambda: waiting(listed(stack)).get(follower) == reason, f"{reason}, in flowhub queue list")
    os.kill(stack.run_worker(holder), signal.SIGKILL)
    return holder, follower


def test_a_cancelled_run_gives_its_lock_back(stack: Stack, killed: tuple[str, str]) -> None:
    holder = launch(stack, "cancelled")
    stack.wait(lambda: f"in {holder}" in lines(stack, "cancelled"), "the step that holds the lock")
    follower = launch(stack, "cancelled")
    stack.wait(lambda: "cancelled__first" in stack.steps(follower, "STEP_SUCCESS"), "the first step of the other run")
    (pool,) = [
        pool
        for pool in stack.wait(lambda: _pools_with_waiting(stack), "a step that waits for the lock")
        if pool["name"] == "cancelled-lock"
    ]
    assert [slot["run_id"] for slot in pool["held"]] == [holder]
    assert [slot["run_id"] for slot in pool["waiting"]] == [follower]
    stack.terminate(holder)
    assert stack.end_of(holder) == "CANCELED"
    stack.wait(lambda: f"in {follower}" in lines(stack, "cancelled"), "the lock for the other run", 120)
    (stack.base / "go.cancelled").touch()
    assert stack.end_of(follower) == "SUCCESS"
    assert lines(stack, "cancelled") == [f"in {holder}", f"in {follower}", f"out {follower}"]


def _pools_with_waiting(stack: Stack) -> list[dict[str, Any]]:
    pools: list[dict[str, Any]] = listed(stack)["pools"]
    return pools if any(pool["waiting"] for pool in pools if pool["name"] == "cancelled-lock") else []


def test_a_queue_keeps_to_its_limit_and_the_others_go_on(stack: Stack, killed: tuple[str, str]) -> None:
    first = launch(stack, "urgent")
    assert (
        tags_of(stack, first, "urgent").items()
        >= {
            "flowhub/queue": "priority",
            "flowhub/queue_of_1": "priority",
            "dagster/priority": "10",
        }.items()
    ), "a run of the launchpad waits in its pipeline's queue"
    stack.wait(lambda: stack.status_of(first) == "STARTED", "the first of the queue")
    older, newer = (launch(stack, "urgent", latest_of="page") for _ in range(2))
    usual = launch(stack, "usual")
    stack.wait(lambda: stack.status_of(usual) == "STARTED", "a run of the other queue")
    assert waiting(listed(stack))[newer] == f"queue priority takes 1 run at a time: run {first} holds it"

    assert stack.end_of(older) == "CANCELED", "the sensor of the queues keeps the latest of a key"
    assert any(f"Run {newer} came later" in event["message"] for event in stack.events(older))
    assert tags_of(stack, older, "urgent")["flowhub/superseded_by"] == newer
    assert stack.status_of(newer) == "QUEUED"

    for name in ("urgent", "usual"):
        (stack.base / f"go.{name}").touch()
    assert [stack.end_of(run) for run in (first, usual, newer)] == ["SUCCESS"] * 3


def test_a_killed_run_gives_its_lock_back(stack: Stack, killed: tuple[str, str]) -> None:
    holder, follower = killed
    assert stack.end_of(holder, 120) == "FAILURE"
    stack.wait(lambda: f"in {follower}" in lines(stack, "killed"), "the lock for the other run", 150)
    (stack.base / "go.killed").touch()
    assert stack.end_of(follower) == "SUCCESS"
    assert lines(stack, "killed") == [f"in {holder}", f"in {follower}", f"out {follower}"]


def test_a_run_of_a_schedule_waits_in_its_pipelines_queue(stack: Stack) -> None:
    (run, *_) = stack.wait(lambda: stack.runs_of("timed"), "the full minute", 120)
    tags = {tag["key"]: tag["value"] for tag in run["tags"]}
    assert tags.items() >= {"flowhub/queue": "minority", "dagster/priority": "1"}.items()
    assert tags["dagster/schedule_name"]
