"""Sensors of object arrival by Dagster's own evaluation: a real bucket, a folder, and both away."""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from dagster import DagsterInstance, RunRequest, SensorDefinition, build_sensor_context

from flowhub_assets.errors import InputError, TransferFailed
from flowhub_assets.resources import s3_pages
from flowhub_assets.runtime.s3_client import S3Limits
from flowhub_assets.to_dagster import arrival_extent, object_arrival
from flowhub_assets_tests.s3_server import S3Server, boto3_client, put_by_boto3
from flowhub_assets_tests.s3_server import s3 as s3  # a fixture
from flowhub_assets_tests.workflows import Workflows

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {{name: new-files}}
trigger: {{type: object-arrival, prefix: inbox/, pattern: "*.csv"{more}}}
nodes:
- {{id: file, type: object-arrival}}
- {{id: read, type: storage-read, inputs: {{url: "{{{{file.output}}}}"}}}}
"""


class Sensor:
    """A pipeline's sensor, evaluated as the daemon does, its cursor kept."""

    def __init__(self, workflows: Workflows, instance: DagsterInstance, more: str = "", env: Any = None) -> None:
        workflows.write("new_files.yaml", PIPELINE.format(more=more), head="")
        if env:
            lines = ["[tool.flowhub.env.default]", *(f"{name} = {json.dumps(value)}" for name, value in env.items())]
            (workflows.folder.parent / "pyproject.toml").write_text("\n".join(lines))
        self.workflows, self.instance = workflows, instance
        self.repository = workflows.repository()
        self.definition: SensorDefinition = self.repository.get_sensor_def("new_files_objects")
        self.cursor: str | None = None
        self.skipped = ""

    def tick(self) -> Sequence[RunRequest]:
        """What it would start; ``skipped`` is why nothing."""
        with build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository) as context:
            data = self.definition.evaluate_tick(context)
        self.cursor, self.skipped = data.cursor, data.skip_message or ""
        return list(data.run_requests or ())

    def run(self, request: RunRequest) -> bool:
        """Whether the run that it asks for ends well."""
        job = self.repository.get_job(str(self.definition.job_name))
        return job.execute_in_process(run_config=request.run_config, tags=request.tags, instance=self.instance).success

    def keys(self) -> list[str]:
        """The keys of the objects that a tick starts runs for."""
        return [trigger_of(request)["key"] for request in self.tick()]


def trigger_of(request: RunRequest) -> dict[str, Any]:
    """What its run would find in {{trigger}}."""
    found: dict[str, Any] = request.run_config["resources"]["params"]["config"]["trigger"]
    return found


@pytest.fixture
def inbox(workflows: Workflows) -> Path:
    """The folder inbox/ of the built-in WORKSPACE."""
    folder = workflows.folder.parent / "tmp" / "inbox"
    folder.mkdir(parents=True)
    return folder


def test_a_file_starts_a_run_that_reads_it(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    sensor = Sensor(workflows, instance)
    assert sensor.definition.default_status.value == "STOPPED", "its user switches it on"
    assert sensor.definition.minimum_interval_seconds == 60
    (inbox / "a.csv").write_text("city\nSeoul\n")
    (inbox / "a.txt").write_text("another pattern")
    (request,) = sensor.tick()
    trigger = trigger_of(request)
    assert trigger["url"] == f"file://{inbox}/a.csv"
    assert {name: trigger[name] for name in ("type", "key", "size")} == {
        "type": "object-arrival",
        "key": "inbox/a.csv",
        "size": 11,
    }
    assert request.run_key is None, "Dagster would take it for done for ever"
    assert request.tags["flowhub/object"] == "inbox/a.csv"
    assert sensor.run(request)
    assert sensor.tick() == []
    assert "nothing new among 2 objects" in sensor.skipped


def test_each_version_starts_one_run(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    sensor = Sensor(workflows, instance)
    (inbox / "a.csv").write_text("1")
    assert sensor.keys() == ["inbox/a.csv"]
    (inbox / "a.csv").unlink()
    assert sensor.keys() == []
    (inbox / "a.csv").write_text("1")
    assert sensor.keys() == ["inbox/a.csv"], "the same content again is another arrival"
    (inbox / "a.csv").write_text("2")
    assert sensor.keys() == ["inbox/a.csv"]
    assert sensor.keys() == []


def test_a_file_moved_in_with_its_old_date(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    sensor = Sensor(workflows, instance)
    assert sensor.keys() == []
    old = inbox.parent / "elsewhere.csv"
    old.write_text("1")
    os.utime(old, (1, 1))
    old.rename(inbox / "old.csv")
    assert sensor.keys() == ["inbox/old.csv"]


def test_many_objects_over_several_looks(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    sensor = Sensor(workflows, instance, ", limit: 4")
    names = [f"{number:02}.csv" for number in range(10)]
    for name in reversed(names):
        (inbox / name).write_text("")
    assert [sorted(sensor.keys()) for _ in range(4)] == [
        [f"inbox/{name}" for name in names[:4]],
        [f"inbox/{name}" for name in names[4:8]],
        [f"inbox/{name}" for name in names[8:]],
        [],
    ]


@pytest.mark.parametrize("more", [", every: 1m30s", ", config: {every: 90}"])
def test_the_time_between_two_looks(workflows: Workflows, instance: DagsterInstance, more: str) -> None:
    assert Sensor(workflows, instance, more).definition.minimum_interval_seconds == 90


def test_a_batch_is_one_run(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    sensor = Sensor(workflows, instance, ", per: batch, limit: 3")
    for number in range(4):
        (inbox / f"{number}.csv").write_text("x" * number)
    batches = [[trigger_of(one) for one in sensor.tick()] for _ in range(3)]
    assert [len(requests) for requests in batches] == [1, 1, 0]
    first = batches[0][0]
    assert [one["key"] for one in first["objects"]] == ["inbox/0.csv", "inbox/1.csv", "inbox/2.csv"]
    assert [one["size"] for one in first["objects"]] == [0, 1, 2]
    assert first["time"] == first["objects"][-1]["time"]


def test_what_was_there_before(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    sensor = Sensor(workflows, instance, ", existing: false")
    (inbox / "before.csv").write_text("")
    assert sensor.keys() == []
    (inbox / "after.csv").write_text("")
    assert sensor.keys() == ["inbox/after.csv"]


def test_a_folder_that_is_not_there_yet(workflows: Workflows, instance: DagsterInstance) -> None:
    sensor = Sensor(workflows, instance)
    assert sensor.tick() == []
    assert "nothing new among 0 objects" in sensor.skipped


def test_values_of_runs_start_nothing(workflows: Workflows, instance: DagsterInstance, inbox: Path) -> None:
    text = PIPELINE.format(more="").replace("new-files", "any-file")
    text = text.replace("prefix: inbox/, ", "").replace("*.csv", "*")
    workflows.write("any.yaml", text, head="")
    sensor = Sensor(workflows, instance)
    sensor.definition = sensor.repository.get_sensor_def("any_file_objects")
    (inbox / "a.csv").write_text("1")
    (request,) = sensor.tick()
    assert sensor.run(request)
    assert len(list(inbox.parent.rglob("*.json"))) > 0, "the run has written its values"
    assert sensor.keys() == []


def test_a_list_that_takes_long_goes_on_at_the_next_look(
    workflows: Workflows, instance: DagsterInstance, inbox: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_arrival, "LIST_SECONDS", 0.0)
    sensor = Sensor(workflows, instance)
    for number in range(1001):
        (inbox / f"{number:04}.txt").touch()
    (inbox / "z.csv").write_text("")
    assert sensor.keys() == []
    assert "goes on behind 'inbox/0999.txt'" in sensor.skipped
    assert sensor.keys() == ["inbox/z.csv"]


def test_a_bucket(workflows: Workflows, instance: DagsterInstance, s3: S3Server) -> None:
    sensor = Sensor(workflows, instance, env=s3.env())
    put_by_boto3(s3, "inbox/보고서 1+1.csv", b"a\n1\n")
    put_by_boto3(s3, "outbox/a.csv", b"")
    (request,) = sensor.tick()
    trigger = trigger_of(request)
    assert trigger["url"] == "s3://bucket/inbox/보고서 1+1.csv"
    assert (trigger["key"], trigger["bucket"], trigger["size"]) == ("inbox/보고서 1+1.csv", "bucket", 4)
    assert sensor.run(request)
    assert sensor.keys() == []
    boto3_client(s3).delete_object(Bucket="bucket", Key="inbox/보고서 1+1.csv")
    put_by_boto3(s3, "inbox/b.csv", b"")
    assert sensor.keys() == ["inbox/b.csv"]


def test_a_long_list_over_several_looks_and_its_end_at_each(
    workflows: Workflows, instance: DagsterInstance, s3: S3Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(object_arrival, "SHORT_SECONDS", 0.0)
    monkeypatch.setattr(arrival_extent, "TAIL", 3)
    monkeypatch.setattr(s3_pages, "_PAGE", 3)
    for number in range(24):
        (s3.folder / "bucket" / "inbox").mkdir(exist_ok=True)
        (s3.folder / "bucket" / "inbox" / f"{number:02}.csv").touch()
    sensor = Sensor(workflows, instance, ", looks: 4, existing: false", env=s3.env())
    assert sensor.keys() == []
    for key in ("inbox/12+.csv", "inbox/20.csv", "inbox/24.csv"):
        put_by_boto3(s3, key, b"new")
    looks = [(sensor.keys(), sensor.skipped) for _ in range(6)]
    found = [key for keys, _ in looks for key in keys]
    assert "inbox/24.csv" in looks[0][0], "what sorts behind all others is found at once"
    assert sorted(found) == ["inbox/12+.csv", "inbox/20.csv", "inbox/24.csv"]
    told = " at its end; the list is long, the next look goes on behind 'inbox/"
    assert any(why.startswith("nothing new among 9 objects") and told in why for _, why in looks)


def test_a_storage_that_is_away(
    workflows: Workflows,
    instance: DagsterInstance,
    s3: S3Server,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(object_arrival, "_LIMITS", S3Limits(retries=0, timeout=30))
    sensor = Sensor(workflows, instance, env=s3.env())
    assert sensor.tick() == []
    before = sensor.cursor
    s3.kill()
    with pytest.raises(TransferFailed, match="cannot list 'inbox/': the server does not answer") as error:
        sensor.tick()
    assert s3.secret_key not in str(error.value)
    assert sensor.cursor == before


FLOW = """
    @task
    def read(args):
        with get_storage(args["env"]).open(args["trigger"]["url"], "r") as file:
            return {{"text": file.read()}}

    @flow(name="new-files", params={params}, object_arrival={{"prefix": "inbox/", "pattern": "*.csv", "every": 5}})
    def main(args):
        return read(args)
"""


@pytest.mark.parametrize("params", ["{}", "{'city': 'Seoul'}"])
def test_a_flow_in_python(workflows: Workflows, instance: DagsterInstance, inbox: Path, params: str) -> None:
    workflows.write("new_files.py", FLOW.format(params=params))
    repository = workflows.repository()
    sensor = repository.get_sensor_def("new_files_objects")
    assert sensor.minimum_interval_seconds == 5
    (inbox / "a.csv").write_text("city\nSeoul\n")
    with build_sensor_context(instance, repository_def=repository) as context:
        (request,) = sensor.evaluate_tick(context).run_requests or ()
    result = repository.get_job("new_files").execute_in_process(run_config=request.run_config, instance=instance)
    assert result.success
    assert list(inbox.parent.rglob("*.json")), "the value of the task"


def test_a_dedupe_key_holds_for_objects_too(
    workflows: Workflows, instance_on_disk: DagsterInstance, inbox: Path
) -> None:
    sensor = Sensor(workflows, instance_on_disk, "}\ndedupe: {key: once, lifetime: 1h")
    (inbox / "a.csv").write_text("")
    (inbox / "b.csv").write_text("")
    (request,) = sensor.tick()
    assert trigger_of(request)["key"] == "inbox/a.csv"
    assert sensor.run(request)
    (inbox / "c.csv").write_text("")
    assert sensor.keys() == []
    assert "holds the key 'once'" in sensor.skipped


def test_another_cursor_is_refused(workflows: Workflows, instance: DagsterInstance) -> None:
    sensor = Sensor(workflows, instance)
    sensor.cursor = "yesterday"
    with pytest.raises(InputError, match="is no cursor of this sensor"):
        sensor.tick()
