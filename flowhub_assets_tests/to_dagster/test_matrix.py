"""Pipelines whose partitions are keys, in Dagster: what each task is told, and which cells Dagster counts as made."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    AssetMaterialization,
    DagsterInstance,
    MultiPartitionsDefinition,
    RunRequest,
    StaticPartitionsDefinition,
    build_schedule_context,
    evaluate_automation_conditions,
)

from flowhub_assets.errors import InputError, ParamsRefused
from flowhub_assets.pods.travelling import travelling
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.to_dagster.partitions import last_ended_key, partition_tags
from flowhub_assets_tests.to_dagster.test_partitions import run, values
from flowhub_assets_tests.workflows import Workflows, failure_of

FLOW = """
    @task
    def model(args):
        return {"seen": args["env"]["partition"], "key": args["env"]["partition"]["key"]}

    @task
    def gate(args):
        return {"of": args["key"]}

    @flow(name="training", env={"default": {"WORKSPACE": "./tmp"}}, schedule="@daily",
          partitions={"model": ["xgboost", "lightgbm"], "data_set": ["iris", "wine"]})
    def main(args):
        return gate(model(args))
"""
ONE = FLOW.replace(', "data_set": ["iris", "wine"]', "")
YAML = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: training}
partitions: {model: [xgboost, lightgbm], data_set: [iris, wine]}
profiles: {default: {WORKSPACE: ./tmp}}
nodes:
- {id: note, type: template, inputs: {template: "{{$partition.key}} {{$partition.model}} {{$partition.data_set}}"}%s}
"""
CELL = {"key": "wine|xgboost", "data_set": "wine", "model": "xgboost"}
TAGS = {
    "dagster/partition": "wine|xgboost",
    "dagster/partition/data_set": "wine",
    "dagster/partition/model": "xgboost",
}


def made(instance: DagsterInstance, *key: str) -> set[str]:
    """The cells that Dagster's pages show as materialised."""
    return set(instance.get_materialized_partitions(AssetKey(list(key))))


def run_with(workflows: Workflows, instance: DagsterInstance, tags: Mapping[str, str]) -> Any:
    """A run as a door starts it: by its tags alone."""
    job = workflows.repository().get_job("training")
    return job.execute_in_process(instance=instance, tags=dict(tags), raise_on_error=False)


def test_each_task_is_told_its_cell_and_dagster_counts_it_as_made(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("training.py", FLOW)
    result = run(workflows, instance, "training", "wine|xgboost")
    assert result.success
    assert result.output_for_node("training__model")["seen"] == CELL
    assert result.output_for_node("training__gate") == {"of": "wine|xgboost"}
    assert made(instance, "training", "model") == made(instance, "training", "gate") == {"wine|xgboost"}


def test_what_a_door_starts_is_counted_as_the_same_cell(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("training.py", FLOW)
    tags = partition_tags(workflows.flow("training").pipeline, "wine|xgboost", 0)
    assert tags == TAGS
    result = run_with(workflows, instance, tags)
    assert result.success
    assert made(instance, "training", "gate") == {"wine|xgboost"}
    (record,) = instance.get_asset_records([AssetKey(["training", "gate"])])
    materialized = record.asset_entry.last_materialization
    assert materialized is not None
    assert materialized.dagster_event is not None
    assert materialized.dagster_event.partition == "wine|xgboost"


def test_an_asset_alone_takes_the_value_of_its_own_cell(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("training.py", FLOW)
    for key in ("wine|xgboost", "iris|lightgbm"):
        assert run(workflows, instance, "training", key).success
    gate = [AssetKey(["training", "gate"])]
    alone = run(workflows, instance, "training", "wine|xgboost", asset_selection=gate)
    assert alone.output_for_node("training__gate") == {"of": "wine|xgboost"}, "not the latest, which is of iris"


def test_of_one_dimension(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("training.py", ONE)
    definition = workflows.repository().get_job("training").partitions_def
    assert isinstance(definition, StaticPartitionsDefinition)
    result = run_with(workflows, instance, partition_tags(workflows.flow("training").pipeline, "lightgbm", 0))
    assert result.success
    assert result.output_for_node("training__model")["seen"] == {"key": "lightgbm", "model": "lightgbm"}
    assert made(instance, "training", "gate") == {"lightgbm"}


@pytest.mark.parametrize("asset", ["", ", asset: notes/cells"])
def test_graphs_of_ops_and_of_assets(
    workflows: Workflows, instance: DagsterInstance, tmp_path: Path, asset: str
) -> None:
    workflows.write("training.yaml", YAML % asset, head="")
    assert isinstance(workflows.repository().get_job("training").partitions_def, MultiPartitionsDefinition)
    result = run(workflows, instance, "training", "wine|xgboost")
    assert result.success
    assert "wine|xgboost xgboost wine" in json.dumps(values(tmp_path, "training", result.run_id)["note"])
    assert made(instance, "notes", "cells") == ({"wine|xgboost"} if asset else set())


def test_a_run_about_no_cell_or_one_that_is_none_says_so(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("training.py", FLOW)
    for tags, what in (
        ({}, "Nothing says which model and data_set 'training' is to take."),
        ({"dagster/partition": "wine|tree"}, "'wine|tree' is no partition"),
    ):
        result = run_with(workflows, instance, tags)
        assert not result.success
        assert what in failure_of(result, "training__model")


def test_a_door_that_names_none_is_told_all(workflows: Workflows) -> None:
    workflows.write("training.py", FLOW)
    pipeline = workflows.flow("training").pipeline
    for named, what in ((None, "no partition is named"), ("wine", "'wine' is no partition"), ("*", "is no partition")):
        with pytest.raises(ParamsRefused, match=what) as raised:
            partition_tags(pipeline, named, 0)
        assert raised.value.fields[0][0] == "partition"
        assert "iris|xgboost, iris|lightgbm, wine|xgboost, wine|lightgbm" in raised.value.remedy


def test_a_schedule_starts_each_cell_once_a_tick(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("training.py", FLOW)
    repository = workflows.repository()
    (schedule,) = repository.schedule_defs
    context = build_schedule_context(instance, datetime(2026, 3, 4, tzinfo=UTC), repository_def=repository)
    requests = schedule.evaluate_tick(context).run_requests
    assert requests is not None
    assert all(isinstance(request, RunRequest) for request in requests)
    keys = ["iris|xgboost", "iris|lightgbm", "wine|xgboost", "wine|lightgbm"]
    assert [request.partition_key for request in requests] == keys
    assert len({request.run_key for request in requests}) == 4
    assert {key: request.tags[key] for request in requests[2:3] for key in TAGS} == TAGS


def test_here_it_is_the_same_and_a_cell_must_be_named(workflows: Workflows) -> None:
    workflows.write("training.py", FLOW)
    runnable = workflows.location().find_flow("training")
    assert runnable is not None
    profile = {"WORKSPACE": "./tmp"}
    outcome = run_pipeline(runnable, profile={**profile, "partition": CELL}, in_process=True)
    assert outcome.value == {"of": "wine|xgboost"}
    with pytest.raises(InputError, match="no partition is named"):
        run_pipeline(runnable, profile=profile, in_process=True)
    assert last_ended_key(runnable.pipeline, datetime.now(UTC)) is None


def test_automation_makes_every_cell_once_what_it_comes_after_was_made_anew(
    workflows: Workflows, instance: DagsterInstance
) -> None:
    workflows.write("training.py", FLOW.replace('schedule="@daily"', 'automation="eager", deps=["data/rows"]'))
    assets = list(workflows.repository().assets_defs_by_key.values())
    cursor, counts = None, []
    for made_anew in (False, True, False, True):
        if made_anew:
            instance.report_runless_asset_event(AssetMaterialization(AssetKey(["data", "rows"])))
        result = evaluate_automation_conditions(defs=assets, instance=instance, cursor=cursor)
        cursor = result.cursor
        counts.append([result.get_num_requested(AssetKey(["training", task])) for task in ("model", "gate")])
    assert counts == [[0, 0], [4, 4], [0, 0], [4, 4]]


def test_the_cell_travels_to_a_pod_of_a_tasks_own_image(workflows: Workflows) -> None:
    text = FLOW.replace("@task\n    def model", '@task(image="python:3.12-slim")\n    def model')
    workflows.write("training.py", text)
    runnable = workflows.location().find_flow("training")
    assert runnable is not None
    profile = {"BUCKET": "team", "partition": CELL}
    pipeline = replace(runnable.pipeline, profiles={"default": profile})
    documents = travelling(pipeline, "default", "training").code.documents
    (told,) = [one["data"]["pipeline.json"] for one in documents if "pipeline.json" in one["data"]]
    assert json.loads(told)["profile"]["partition"] == CELL
