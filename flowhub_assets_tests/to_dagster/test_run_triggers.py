"""A pipeline that runs of another one start: once for each, however it ends, and never in a circle."""

from __future__ import annotations

from typing import Any

import pytest
from dagster import (
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    DagsterRunStatus,
    RunRequest,
    SensorDefinition,
    SensorEvaluationContext,
    build_sensor_context,
)

from flowhub_assets.executor.dagster_runs import origins_here
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets.runtime.values import Values
from flowhub_assets.to_dagster import run_triggers
from flowhub_assets.to_dagster.asset_checks import value_of_run
from flowhub_assets_tests.workflows import Workflows

INGEST = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: ingest}
nodes:
- {id: read, type: template, inputs: {template: rows}}
"""
REPORT = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: report}
%s
nodes:
- {id: told, type: template, inputs: {template: "{{trigger.pipeline}} {{trigger.status}} {{trigger.run_id}}"}}
"""
AFTER = REPORT % "trigger: {type: run, pipeline: ingest%s}"


class Sensor:
    """The ticks of the pipeline's sensor, as Dagster's daemon has them: it keeps the cursor of those that succeed."""

    def __init__(self, workflows: Workflows, instance: DagsterInstance, name: str = "report_runs") -> None:
        self.workflows, self.instance = workflows, instance
        self.repository = workflows.repository()
        self.definition: SensorDefinition = self.repository.get_sensor_def(name)
        self.cursor: str | None = None
        self.skipped: str | None = None

    def tick(self) -> list[RunRequest]:
        context = build_sensor_context(
            self.instance, cursor=self.cursor, repository_def=self.repository, sensor_name=self.definition.name
        )
        with context:
            data = self.definition.evaluate_tick(context)
        self.cursor, self.skipped = data.cursor, data.skip_message
        return list(data.run_requests or ())

    def ended(self, status: DagsterRunStatus, job: str = "ingest", **tags: str) -> str:
        """A run of the job that has ended so."""
        run = self.instance.create_run_for_job(self.repository.get_job(job), tags=tags)
        if status is DagsterRunStatus.SUCCESS:
            event = DagsterEvent(DagsterEventType.RUN_SUCCESS.value, job)
            self.instance.report_dagster_event(event, run.run_id)
        elif status is DagsterRunStatus.FAILURE:
            self.instance.report_run_failed(run)
        else:
            self.instance.report_run_canceled(run)
        return run.run_id


def given_to(request: RunRequest) -> dict[str, Any]:
    """The config of each resource of the run."""
    return {name: one["config"] for name, one in request.run_config["resources"].items()}


def after_runs(requests: list[RunRequest]) -> list[str]:
    return [request.tags["flowhub/after_run"] for request in requests]


@pytest.mark.parametrize(
    ("status", "written"),
    [
        (DagsterRunStatus.SUCCESS, ""),
        (DagsterRunStatus.SUCCESS, ", status: success"),
        (DagsterRunStatus.FAILURE, ", status: failure"),
        (DagsterRunStatus.CANCELED, ", status: canceled"),
    ],
)
def test_each_run_that_ends_so_starts_one(
    workflows: Workflows, instance: DagsterInstance, status: DagsterRunStatus, written: str
) -> None:
    workflows.write("ingest.yaml", INGEST, head="")
    workflows.write("report.yaml", AFTER % written, head="")
    sensor = Sensor(workflows, instance)
    assert sensor.definition.default_status.value == "STOPPED", "its user switches it on"
    sensor.ended(status)
    assert sensor.tick() == [], "what was before the first look starts nothing"
    assert sensor.tick() == []
    assert sensor.skipped is not None
    assert "no run of ingest has ended" in sensor.skipped
    runs = []
    for one in (DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED):
        sensor.ended(one, "report")
        runs += [(one, sensor.ended(one)), (one, sensor.ended(one))]
    requests = sensor.tick()
    assert after_runs(requests) == [run_id for one, run_id in runs if one is status]
    assert [request.run_key for request in requests] == after_runs(requests)
    assert sensor.tick() == []


def test_its_run_is_told_what_started_it(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("ingest.yaml", INGEST, head="")
    workflows.write("report.yaml", AFTER % "", head="")
    sensor = Sensor(workflows, instance)
    sensor.tick()
    run_id = workflows.run("ingest", instance).run_id
    (request,) = sensor.tick()
    given = given_to(request)
    trigger = given["params"]["trigger"]
    assert {name: trigger[name] for name in ("type", "pipeline", "run_id", "status")} == {
        "type": "run",
        "pipeline": "ingest",
        "run_id": run_id,
        "status": "success",
    }
    assert trigger["time"].endswith("Z")
    result = workflows.run("report", instance, resources=given)
    assert result.success
    value = value_of_run(Values(get_storage({"WORKSPACE": "tmp"}), "report"), result.run_id, "told")
    assert value == {"result": f"ingest success {run_id}"}


def test_a_flow_in_python(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write(
        "both.py",
        """
        @task
        def one(args):
            return {"was": args["trigger"]["status"]} if "trigger" in args else {}

        @flow(params={"city": "Seoul"})
        def ingest(args):
            return one(args)

        @flow(params={"city": "Seoul"}, run_status={"pipeline": "ingest", "status": "failure"})
        def mend(args):
            return one(args)
        """,
    )
    sensor = Sensor(workflows, instance, "mend_runs")
    sensor.tick()
    run_id = sensor.ended(DagsterRunStatus.FAILURE, **{"dagster/partition": "2026-01-01"})
    (request,) = sensor.tick()
    assert after_runs([request]) == [run_id]
    given = given_to(request)
    assert given["mend_params"]["trigger"]["partition"] == "2026-01-01"
    result = workflows.run("mend", instance, resources=given)
    assert result.output_for_node("mend__one") == {"was": "failure"}


def test_many_ends_are_taken_in_parts_and_none_twice(
    workflows: Workflows, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_triggers, "_MOST", 2)
    workflows.write("ingest.yaml", INGEST, head="")
    workflows.write("report.yaml", AFTER % "", head="")
    sensor = Sensor(workflows, instance)
    sensor.tick()
    wanted = []
    for _ in range(3):
        sensor.ended(DagsterRunStatus.SUCCESS, "report")
        wanted.append(sensor.ended(DagsterRunStatus.SUCCESS))
    found = [run_id for _ in range(4) for run_id in after_runs(sensor.tick())]
    assert found == wanted


def test_one_run_for_each_key(workflows: Workflows, instance_on_disk: DagsterInstance) -> None:
    workflows.write("ingest.yaml", INGEST, head="")
    keyed = "dedupe: {key: '{{$today}}', lifetime: 1d}\ntrigger: {type: run, pipeline: ingest}"
    workflows.write("report.yaml", REPORT % keyed, head="")
    sensor = Sensor(workflows, instance_on_disk)
    sensor.tick()
    first, _ = sensor.ended(DagsterRunStatus.SUCCESS), sensor.ended(DagsterRunStatus.SUCCESS)
    (request,) = sensor.tick()
    assert after_runs([request]) == [first]
    instance_on_disk.create_run_for_job(sensor.repository.get_job("report"), tags=dict(request.tags))
    sensor.ended(DagsterRunStatus.SUCCESS)
    assert sensor.tick() == []
    assert sensor.skipped is not None
    assert "holds the key" in sensor.skipped


def test_a_pipeline_that_is_not_there_is_told(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("report.yaml", AFTER % "", head="")
    sensor = Sensor(workflows, instance)
    sensor.tick()
    assert sensor.tick() == []
    assert sensor.skipped is not None
    assert "there is no pipeline 'ingest' in this code location" in sensor.skipped


def test_the_file_that_closes_a_circle_does_not_load(workflows: Workflows) -> None:
    for name, other in (("a", "c"), ("b", "a"), ("c", "b")):
        text = (AFTER % "").replace("name: report", f"name: {name}").replace("pipeline: ingest", f"pipeline: {other}")
        workflows.write(f"{name}.yaml", text, head="")
    repository = workflows.repository()
    assert {one.name for one in repository.sensor_defs if one.name.endswith("_runs")} == {"a_runs", "b_runs"}
    specs = [spec for asset in repository.assets_defs_by_key.values() for spec in asset.specs]
    told = [f"{spec.metadata} {spec.description}" for spec in specs]
    assert any("c after b after a after c" in one and "c.yaml:" in one for one in told)


def test_another_sensors_cursor_is_refused(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("report.yaml", AFTER % "", head="")
    sensor = Sensor(workflows, instance)
    sensor.cursor = '{"a": 1}'
    with pytest.raises(Exception, match="none of this sensor"):
        sensor.tick()


def test_a_pipeline_of_the_same_name_elsewhere_starts_nothing(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("ingest.yaml", INGEST, head="")
    workflows.write("report.yaml", AFTER % "", head="")
    sensor = Sensor(workflows, instance)
    job = sensor.repository.get_job("ingest")
    origins = {name: origins_here("flowhub_assets.definitions", name).remote for name in ("here", "elsewhere")}
    ended = {}
    for name, origin in origins.items():
        run = instance.create_run_for_job(job, remote_job_origin=origin.get_job_origin("ingest"))
        instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_SUCCESS.value, "ingest"), run.run_id)
        ended[name] = run.run_id
    here = origins["here"].code_location_origin
    context = SensorEvaluationContext(None, cursor="0", instance=instance, code_location_origin=here)
    with context:
        assert after_runs(list(sensor.definition.evaluate_tick(context).run_requests or ())) == [ended["here"]]
