"""Backfills, dedupe keys and alerts in the whole of Dagster as ``make dev`` starts it: its daemon starts the runs."""

from __future__ import annotations

import json
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest

from flowhub_assets_tests.http_server import Answer, HttpServer, http_server
from flowhub_assets_tests.to_dagster.dagster_stack import Stack, dagster_stack
from flowhub_assets_tests.workflows import HEAD

pytestmark = pytest.mark.timeout(280)

REPOSITORY = {"repositoryLocationName": "flowhub_assets", "repositoryName": "__repository__"}
_BACKFILL = """mutation($params: LaunchBackfillParams!) { launchPartitionBackfill(backfillParams: $params) { __typename
  ... on LaunchBackfillSuccess { backfillId } ... on PythonError { message } } }"""
_START = """mutation($sensor: SensorSelector!) { startSensor(sensorSelector: $sensor) { __typename
  ... on PythonError { message } } }"""
_TICKS = """query($sensor: SensorSelector!) { sensorOrError(sensorSelector: $sensor) { ... on Sensor { sensorState {
  ticks(limit: 50) { status skipReason runIds error { message } } } } } }"""
_RUNS = """query($job: String!) { runsOrError(filter: {pipelineName: $job}) { ... on Runs { results {
  runId status startTime endTime tags { key value } } } } }"""

JOB = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: by-day}
partitions: {every: daily, start: "2026-03-01", timezone: America/New_York}
concurrency: 1
profiles: {default: {WORKSPACE: BASE/files}}
nodes:
  - {id: wait, type: delay, config: {seconds: 1}}
  - id: note
    type: storage-write
    needs: [wait]
    inputs: {key: "days/{{$partition.key}}.json", value: "{{$partition}}"}
"""
ONCE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: once}
trigger: {type: interval, every: 7s}
dedupe: {key: the only one, lifetime: 1h}
nodes:
  - {id: note, type: log, inputs: {message: once}}
"""
FLOWS = """
@task
def load(args):
    return {"day": args["env"]["partition"]["key"]}

@task
def keep(args):
    return {"kept": args["day"]}

@flow(name="days-of-assets", partitions={"every": "daily", "start": "2026-03-01"},
      env={"default": {"WORKSPACE": "BASE/files"}})
def days(args):
    return keep(load(args))

@flow(name="matrix", partitions={"model": ["xgboost", "lightgbm"], "data_set": ["iris", "wine"]},
      env={"default": {"WORKSPACE": "BASE/files"}})
def matrix(args):
    return keep(load(args))

@task
def fail(args):
    raise ValueError("no such city")

@flow(name="failing-flow", env={"default": {"WORKSPACE": "BASE/files"}})
def failing(args):
    return fail(args)
"""


@pytest.fixture(scope="module")
def alerted() -> Iterator[HttpServer]:
    with http_server() as server:
        # The first time the endpoint is away.
        server.in_turn("/alerts", Answer(status=503), Answer.json({}))
        yield server


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, alerted: HttpServer) -> Iterator[Stack]:
    base = tmp_path_factory.mktemp("triggers")
    (base / "pyproject.toml").write_text('[tool.flowhub.alerts]\nurls = [{env = "TEAM_ALERTS_URL"}]\n')
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TEAM_ALERTS_URL", f"json://127.0.0.1:{alerted.port}/alerts")
        files = {"by_day.yaml": JOB, "once.yaml": ONCE, "flows.py": HEAD + FLOWS}
        with dagster_stack(base, files) as stack:
            yield stack


def runs_of(stack: Stack, job: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = stack.ask(_RUNS, job=job)["runsOrError"]["results"]
    return [{**run, "tags": {tag["key"]: tag["value"] for tag in run["tags"]}} for run in found]


def all_have_ended(stack: Stack, job: str, count: int) -> list[dict[str, Any]] | None:
    runs = runs_of(stack, job)
    return runs if len(runs) == count and all(run["endTime"] for run in runs) else None


def test_the_runs_of_a_backfill_wait_for_each_other(stack: Stack) -> None:
    days = ["2026-03-07", "2026-03-08", "2026-03-09"]
    selector = {"partitionSetName": "by_day_partition_set", "repositorySelector": REPOSITORY}
    params = {"selector": selector, "partitionNames": days}
    launched = stack.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched
    runs = stack.wait(lambda: all_have_ended(stack, "by_day", 3), "the runs of the backfill", 200)
    assert {run["status"] for run in runs} == {"SUCCESS"}
    assert sorted(run["tags"]["dagster/partition"] for run in runs) == days
    assert {run["tags"]["dagster/backfill"] for run in runs} == {launched["backfillId"]}
    in_order = sorted(runs, key=lambda run: float(run["startTime"]))
    assert all(before["endTime"] <= after["startTime"] for before, after in pairwise(in_order)), "concurrency: 1"
    assert sorted(file.stem for file in (stack.base / "files" / "days").iterdir()) == days


def backfilled(stack: Stack, flow: str, partitions: list[str]) -> None:
    """Makes the assets of a flow for these partitions as the dialog of Dagster's UI does, and waits for the runs."""
    keys = [{"path": [flow, task]} for task in ("load", "keep")]
    params = {"assetSelection": keys, "partitionNames": partitions}
    launched = stack.ask(_BACKFILL, params=params)["launchPartitionBackfill"]
    assert launched["__typename"] == "LaunchBackfillSuccess", launched

    def both() -> list[dict[str, Any]] | None:
        runs = [run for run in stack.ask(_ALL)["runsOrError"]["results"] if _backfill(run) == launched["backfillId"]]
        return runs if len(runs) == 2 and all(run["endTime"] for run in runs) else None

    runs = stack.wait(both, "the runs of the backfill", 200)
    assert {run["status"] for run in runs} == {"SUCCESS"}


def test_a_backfill_of_a_flows_assets(stack: Stack) -> None:
    backfilled(stack, "days_of_assets", ["2026-03-07", "2026-03-08"])


def test_a_backfill_over_a_row_of_a_matrix(stack: Stack) -> None:
    row = ["wine|xgboost", "wine|lightgbm"]
    backfilled(stack, "matrix", row)
    for task in ("load", "keep"):
        told = stack.ask(_MADE, key={"path": ["matrix", task]})["assetNodeOrError"]["assetPartitionStatuses"]
        (made,) = told["ranges"]
        assert (made["primaryDimStartKey"], made["primaryDimEndKey"]) == ("wine", "wine")
        assert sorted(made["secondaryDim"]["materializedPartitions"]) == ["lightgbm", "xgboost"]
    files = sorted((stack.base / "files" / "matrix").rglob("partition-*/keep.json"))
    assert [json.loads(file.read_text()) for file in files] == [{"kept": key} for key in sorted(row)]


_MADE = """query($key: AssetKeyInput!) { assetNodeOrError(assetKey: $key) { ... on AssetNode { assetPartitionStatuses {
  ... on MultiPartitionStatuses { ranges { primaryDimStartKey primaryDimEndKey
  secondaryDim { ... on DefaultPartitionStatuses { materializedPartitions } } } } } } } }"""
_ALL = "{ runsOrError(limit: 50) { ... on Runs { results { runId status endTime tags { key value } } } } }"


def _backfill(run: dict[str, Any]) -> str | None:
    return next((tag["value"] for tag in run["tags"] if tag["key"] == "dagster/backfill"), None)


def test_a_key_starts_one_run_and_each_skip_says_which(stack: Stack) -> None:
    sensor = {**REPOSITORY, "sensorName": "once_interval"}
    assert stack.ask(_START, sensor=sensor)["startSensor"]["__typename"] == "Sensor"

    def skipped() -> list[dict[str, Any]] | None:
        ticks = stack.ask(_TICKS, sensor=sensor)["sensorOrError"]["sensorState"]["ticks"]
        assert not [tick for tick in ticks if tick["status"] == "FAILURE"], ticks
        return ticks if len([tick for tick in ticks if tick["status"] == "SKIPPED"]) >= 2 else None

    ticks = stack.wait(skipped, "two ticks that start nothing", 200)
    (started,) = [tick for tick in ticks if tick["runIds"]]
    (run_id,) = started["runIds"]
    skips = [tick["skipReason"] for tick in ticks if tick["status"] == "SKIPPED"]
    assert all(f"run {run_id}, which once_interval has started, holds the key 'the only one'" in one for one in skips)
    assert len(runs_of(stack, "once")) == 1


def test_a_failed_run_is_told_once_though_the_endpoint_was_away(stack: Stack, alerted: HttpServer) -> None:
    run_id = stack.run("failing_flow")
    assert stack.end_of(run_id) == "FAILURE"
    stack.wait(lambda: len(alerted.requests) >= 2, "the alert, a second time", 200)
    told = [request.json() for request in alerted.requests]
    assert [one["title"] for one in told] == ["failing-flow: a run has failed"] * 2
    assert "no such city" in told[0]["message"]
    assert run_id in told[0]["message"]
