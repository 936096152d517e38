"""Pipelines by time in Dagster: flows of assets, graphs and jobs of ops; what their tasks are told of the partition."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, ExecuteInProcessResult

from flowhub_assets.errors import ParamsRefused
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets.to_dagster.asset_checks import value_of_run
from flowhub_assets.to_dagster.partitions import last_ended_key, partition_tags
from flowhub_assets_tests.workflows import Workflows, failure_of

FLOW = """
    @task
    def load(args):
        return {"seen": args["env"]["partition"], "key": args["env"]["partition"]["key"]}

    @task
    def keep(args):
        return {"kept": args["key"], "start": args["env"]["partition"]["start"]}

    @flow(name="by-day", env={"default": {"WORKSPACE": "./tmp"}}, concurrency=CONCURRENCY,
          timezone="America/New_York", partitions={"every": "daily", "start": "2026-03-01"})
    def main(args):
        return keep(load(args))
""".replace(" concurrency=CONCURRENCY,", "")
YAML = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: by-hour}
partitions: {every: hourly, start: 2026-10-01, timezone: America/New_York}
concurrency: 2
profiles: {default: {WORKSPACE: ./tmp}}
nodes:
- {id: note, type: template, inputs: {template: "{{$partition.key}} {{$partition.start}} {{$partition.end}}"}%s}
"""


def run(
    workflows: Workflows, instance: DagsterInstance, job: str, key: str | None, **more: Any
) -> ExecuteInProcessResult:
    definition = workflows.repository().get_job(job)
    assert definition.partitions_def is not None
    return definition.execute_in_process(instance=instance, partition_key=key, raise_on_error=False, **more)


def values(folder: Path, project: str, run_id: str) -> dict[str, Any]:
    return {file.stem: json.loads(file.read_text()) for file in (folder / "tmp" / project / "runs" / run_id).iterdir()}


def test_each_asset_of_a_flow_has_the_partitions_and_each_task_is_told(
    workflows: Workflows, instance: DagsterInstance, tmp_path: Path
) -> None:
    workflows.write("by_day.py", FLOW)
    assets = workflows.repository().assets_defs_by_key
    assert all(asset.partitions_def is not None for asset in assets.values())
    # The day on which the clocks go forward has 23 hours.
    result = run(workflows, instance, "by_day", "2026-03-08")
    assert result.success
    start, end = "2026-03-08T00:00:00-05:00", "2026-03-09T00:00:00-04:00"
    assert result.output_for_node("by_day__load")["seen"] == {"key": "2026-03-08", "start": start, "end": end}
    assert result.output_for_node("by_day__keep") == {"kept": "2026-03-08", "start": start}
    made = [event.asset_key for event in result.get_asset_materialization_events() if event.partition == "2026-03-08"]
    assert len(made) == 2


def test_an_asset_alone_takes_the_value_of_its_own_partition(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("by_day.py", FLOW)
    for key in ("2026-03-08", "2026-03-09"):
        assert run(workflows, instance, "by_day", key).success
    keep = [key for key in workflows.repository().assets_defs_by_key if key.path[-1] == "keep"]
    alone = run(workflows, instance, "by_day", "2026-03-08", asset_selection=keep)
    assert alone.output_for_node("by_day__keep")["kept"] == "2026-03-08", "not the latest, which is of the 9th"


def test_a_run_about_no_partition_says_so(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("by_day.py", FLOW)
    job = workflows.repository().get_job("by_day")
    result = job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert "the run is about no partition" in failure_of(result, "by_day__load")


@pytest.mark.parametrize("asset", ["", ", asset: notes/hourly"])
def test_graphs_of_ops_and_of_assets(
    workflows: Workflows, instance: DagsterInstance, tmp_path: Path, asset: str
) -> None:
    workflows.write("by_hour.yaml", YAML % asset, head="")
    # Of the two hours after one o'clock, the second.
    key = "2026-11-01-01:00-0500"
    result = run(workflows, instance, "by_hour", key)
    assert result.success
    told = values(tmp_path, "by-hour", result.run_id)["note"]
    assert f"{key} 2026-11-01T01:00:00-05:00 2026-11-01T02:00:00-05:00" in json.dumps(told)
    assert [event.partition for event in result.get_asset_materialization_events()] == ([key] if asset else [])


def test_the_runs_of_a_backfill_keep_to_the_pipelines_limits(workflows: Workflows) -> None:
    workflows.write("by_hour.yaml", YAML % "", head="")
    job = workflows.repository().get_job("by_hour")
    tags = {**job.run_tags, **job.get_tags_for_partition_key("2026-11-01-00:00", selected_asset_keys=None)}
    assert tags["flowhub/at_most_2"] == "by_hour"
    assert tags["dagster/partition"] == "2026-11-01-00:00"


def test_here_it_is_the_same(workflows: Workflows) -> None:
    from flowhub_assets.runtime.partitions import window_of

    workflows.write("by_day.py", FLOW)
    runnable = workflows.location().find_flow("by_day")
    assert runnable is not None
    assert runnable.pipeline.partitions is not None
    window = window_of(runnable.pipeline.partitions, "2026-03-08")
    outcome = run_pipeline(runnable, profile={"WORKSPACE": "./tmp", "partition": window}, in_process=True)
    assert outcome.value == {"kept": "2026-03-08", "start": "2026-03-08T00:00:00-05:00"}


def test_what_a_door_starts_is_about_the_last_one_unless_it_names_another(workflows: Workflows) -> None:
    workflows.write("by_day.py", FLOW)
    pipeline = workflows.flow("by_day").pipeline
    now = datetime(2026, 3, 4, 12, tzinfo=UTC)
    assert last_ended_key(pipeline, now) == "2026-03-03"
    assert partition_tags(pipeline, None, now.timestamp()) == {"dagster/partition": "2026-03-03"}
    assert partition_tags(pipeline, "2026-03-01", now.timestamp()) == {"dagster/partition": "2026-03-01"}
    without = replace(pipeline, partitions=None)
    assert partition_tags(without, None, now.timestamp()) == {}
    for of, named, moment, what in (
        (pipeline, "2026-02-28", now, "is no partition"),
        (pipeline, "", now, "is no partition"),
        (without, "2026-03-01", now, "has no partitions"),
        (pipeline, None, datetime(2026, 3, 1, 12, tzinfo=UTC), "no partition has ended yet"),
    ):
        with pytest.raises(ParamsRefused, match=what) as raised:
            partition_tags(of, named, moment.timestamp())
        assert raised.value.fields[0][0] == "partition"


def test_on_failure_is_told_of_the_partition(workflows: Workflows, instance: DagsterInstance) -> None:
    from flowhub_assets.to_dagster.failure_sensor import failure_requests

    workflows.write(
        "by_day.py",
        """
        @task
        def one(args):
            raise ValueError("no")

        def alarm(args):
            return {"of": args["env"]["partition"]["key"]}

        @flow(name="by-day", on_failure=alarm, partitions={"every": "daily", "start": "2026-03-01"})
        def main(args):
            return one(args)
        """,
    )
    failed = run(workflows, instance, "by_day", "2026-03-08")
    dagster_run = instance.get_run_by_id(failed.run_id)
    assert dagster_run is not None
    flow = workflows.flow("by_day")
    (request,) = failure_requests(instance, dagster_run, "", {"by_day": flow})
    assert flow.failure_job is not None
    told = flow.failure_job.execute_in_process(
        run_config=request.run_config, tags=dict(request.tags), instance=instance
    )
    assert told.success


def test_the_check_of_an_asset_is_asked_of_this_runs_value(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write(
        "by_day.yaml",
        """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: by-day}
partitions: {every: daily, start: 2026-03-01}
profiles: {default: {WORKSPACE: ./tmp}}
nodes:
- id: note
  type: template
  inputs: {template: {day: "{{$partition.key}}"}}
  asset: {key: notes/daily, check: result.day == '2026-03-01'}
""",
        head="",
    )
    passed = {}
    for key in ("2026-03-01", "2026-03-02"):
        result = run(workflows, instance, "by_day", key)
        passed[key] = [one.passed for one in result.get_asset_check_evaluations()]
    assert passed == {"2026-03-01": [True], "2026-03-02": [False]}


def test_while_several_partitions_are_made_each_check_takes_its_own_value(tmp_path: Path) -> None:
    values = Values(get_storage({"WORKSPACE": str(tmp_path)}), "by-day")
    for run_id in ("run-1", "run-2"):
        values.save(run_id, "note", {"of": run_id})
    assert value_of_run(values, "run-1", "note") == {"of": "run-1"}
    assert value_of_run(values, "run-3", "note") == {"of": "run-2"}, "one that made none has the latest"
