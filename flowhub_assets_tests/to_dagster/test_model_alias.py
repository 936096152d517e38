"""Sensors of a moved alias by Dagster's own evaluation: in SQLite, of a server, none yet, and away."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from dagster import DagsterInstance, RunRequest, SensorDefinition, build_sensor_context

from flowhub_assets.errors import InputError
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.workflows import Workflows

if TYPE_CHECKING:
    from mlflow import MlflowClient

PIPELINE = """\
apiVersion: flume/v1
kind: Pipeline
metadata: {name: deploy}
trigger: {type: model-alias, model: %s, alias: champion}
%s
nodes:
- {id: told, type: template, inputs: {template: "{{trigger.version}} after {{trigger.before}}"}}
"""


@pytest.fixture(scope="module")
def registry(tmp_path_factory: pytest.TempPathFactory) -> str:
    """The URI of a registry in SQLite; making its tables takes seconds."""
    from mlflow import MlflowClient

    uri = f"sqlite:///{tmp_path_factory.mktemp('registry') / 'mlflow.db'}"
    MlflowClient(uri, uri).search_registered_models()
    return uri


class Sensor:
    """A pipeline's sensor over a registry, evaluated as the daemon does, its cursor kept."""

    def __init__(
        self, workflows: Workflows, instance: DagsterInstance, uri: str | None, model: str = "iris", more: str = ""
    ) -> None:
        workflows.write("deploy.yaml", PIPELINE % (model, more), head="")
        self.settings = workflows.folder.parent / "pyproject.toml"
        if uri:
            self.ask(uri)
        self.instance = instance
        self.repository = workflows.repository()
        self.definition: SensorDefinition = self.repository.get_sensor_def("deploy_alias")
        self.cursor: str | None = None
        self.skipped = ""

    def ask(self, uri: str) -> None:
        """The registry that the profile names from now on."""
        self.settings.write_text(f"[tool.flowhub.env.default]\nMLFLOW_TRACKING_URI = {json.dumps(uri)}\n")

    def tick(self) -> list[RunRequest]:
        """What it would start; ``skipped`` is why nothing."""
        with build_sensor_context(self.instance, cursor=self.cursor, repository_def=self.repository) as context:
            data = self.definition.evaluate_tick(context)
        self.cursor, self.skipped = data.cursor, data.skip_message or ""
        return list(data.run_requests or ())

    def told(self) -> list[tuple[str, str | None]]:
        """The version, and the one before, of each run that a tick starts."""
        triggers = [given_to(request)["params"]["trigger"] for request in self.tick()]
        return [(one["version"], one["before"]) for one in triggers]


def given_to(request: RunRequest) -> dict[str, Any]:
    return {name: one["config"] for name, one in request.run_config["resources"].items()}


def client_of(uri: str, model: str, versions: int) -> MlflowClient:
    """A client of the registry, in which the model has so many versions."""
    from mlflow import MlflowClient

    client = MlflowClient(uri, uri)
    client.create_registered_model(model)
    for _ in range(versions):
        client.create_model_version(model, "file:///nowhere")
    return client


def test_each_move_starts_one_run(workflows: Workflows, instance: DagsterInstance, registry: str) -> None:
    sensor = Sensor(workflows, instance, registry, "moves")
    assert sensor.definition.default_status.value == "STOPPED", "its user switches it on"
    assert sensor.told() == []
    assert sensor.skipped == "moves@champion is not set: no version has the alias"
    client = client_of(registry, "moves", 4)
    assert sensor.told() == []
    client.set_registered_model_alias("moves", "challenger", "1")
    assert sensor.told() == []
    client.set_registered_model_alias("moves", "champion", "1")
    assert sensor.told() == [("1", None)]
    assert sensor.told() == []
    assert sensor.skipped == "moves@champion is version 1, as before"
    client.set_registered_model_alias("moves", "champion", "2")
    client.set_registered_model_alias("moves", "champion", "3")
    assert sensor.told() == [("3", "1")], "the last place counts"
    client.set_registered_model_alias("moves", "champion", "2")
    assert sensor.told() == [("2", "3")], "back is a move, too"
    client.delete_registered_model_alias("moves", "champion")
    assert sensor.told() == []
    client.set_registered_model_alias("moves", "champion", "2")
    assert sensor.told() == [("2", None)]
    assert sensor.told() == []


def test_a_registry_that_was_begun_anew(workflows: Workflows, instance: DagsterInstance, registry: str) -> None:
    sensor = Sensor(workflows, instance, registry, "anew")
    client_of(registry, "anew", 1).set_registered_model_alias("anew", "champion", "1")
    assert sensor.told() == [("1", None)]
    client = client_of(registry, "other", 0)
    client.delete_registered_model("anew")
    client_of(registry, "anew", 1).set_registered_model_alias("anew", "champion", "1")
    assert sensor.told() == [("1", "1")], "another version 1"


def test_its_run_is_told_what_moved(workflows: Workflows, instance: DagsterInstance, registry: str) -> None:
    workflows.write(
        "flows.py",
        """
        @task
        def told(args):
            return {"moved": args["trigger"]}

        @flow(params={"city": "Seoul"}, model_alias={"model": "told", "alias": "champion"})
        def serve(args):
            return told(args)
        """,
    )
    sensor = Sensor(workflows, instance, registry, "told")
    client_of(registry, "told", 1).set_registered_model_alias("told", "champion", "1")
    (request,) = sensor.tick()
    assert request.tags["flowhub/model"] == "told@champion 1"
    result = workflows.run("deploy", instance, resources=given_to(request))
    assert result.success
    sensor.definition, sensor.cursor = sensor.repository.get_sensor_def("serve_alias"), None
    (request,) = sensor.tick()
    moved = workflows.run("serve", instance, resources=given_to(request)).output_for_node("serve__told")["moved"]
    assert moved["time"].endswith("Z")
    del moved["time"]
    assert moved == {"type": "model-alias", "model": "told", "alias": "champion", "version": "1", "before": None}


def test_each_of_several_models_has_its_sensor(workflows: Workflows, instance: DagsterInstance, registry: str) -> None:
    workflows.write(
        "flows.py",
        """
        @task
        def told(args):
            return {"moved": args["trigger"]["model"]}

        @flow(model_alias={"model": ["one of two", "other of two"], "alias": "champion"})
        def serve(args):
            return told(args)
        """,
    )
    sensor = Sensor(workflows, instance, registry)
    for name in ("one of two", "other of two"):
        client_of(registry, name, 1).set_registered_model_alias(name, "champion", "1")
    moved = []
    for name in ("serve_alias", "serve_alias_2"):
        sensor.definition, sensor.cursor = sensor.repository.get_sensor_def(name), None
        (request,) = sensor.tick()
        run = workflows.run("serve", instance, resources=given_to(request))
        moved.append(run.output_for_node("serve__told")["moved"])
    assert moved == ["one of two", "other of two"]


def test_a_move_whose_key_is_held_is_seen_again(
    workflows: Workflows, instance_on_disk: DagsterInstance, registry: str
) -> None:
    keyed = "dedupe: {key: '{{$pipeline}}', lifetime: 1d}"
    sensor = Sensor(workflows, instance_on_disk, registry, "held", keyed)
    client = client_of(registry, "held", 2)
    client.set_registered_model_alias("held", "champion", "1")
    (request,) = sensor.tick()
    run = instance_on_disk.create_run_for_job(sensor.repository.get_job("deploy"), tags=dict(request.tags))
    client.set_registered_model_alias("held", "champion", "2")
    assert sensor.told() == []
    assert "holds the key" in sensor.skipped
    instance_on_disk.delete_run(run.run_id)
    assert sensor.told() == [("2", "1")]


def test_while_nothing_was_written_nothing_is_made_or_imported(tmp_path: Path) -> None:
    (tmp_path / "deploy.yaml").write_text(PIPELINE % ("iris", ""))
    look = (
        "import sys\n"
        "from dagster import DagsterInstance, build_sensor_context\n"
        "from pathlib import Path\n"
        "from flowhub_assets_tests.workflows import location_of\n"
        "repository = location_of(Path('.')).repository()\n"
        "sensor = repository.get_sensor_def('deploy_alias')\n"
        "with build_sensor_context(DagsterInstance.ephemeral(), repository_def=repository) as context:\n"
        "    print(sensor.evaluate_tick(context).skip_message)\n"
        "print([name for name in ('mlflow', 'pandas', 'sklearn', 'sqlalchemy.orm') if name in sys.modules])\n"
    )
    env = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "DAGSTER_DISABLE_TELEMETRY": "yes"}
    told = subprocess.run([sys.executable, "-c", look], cwd=tmp_path, env=env, capture_output=True, text=True)
    assert told.stdout.splitlines()[0] == "iris@champion is not set: no version has the alias", told.stderr
    assert "mlflow" not in told.stdout
    assert "pandas" not in told.stdout
    assert not (tmp_path / "tmp").exists()


@pytest.fixture(scope="module")
def server(registry: str) -> Iterator[str]:
    """A real MLflow server over the registry."""
    from flowhub_assets_tests.ml.mlflow_server import mlflow_server

    with mlflow_server(registry) as url:
        yield url


def test_a_server_is_asked(workflows: Workflows, instance: DagsterInstance, registry: str, server: str) -> None:
    sensor = Sensor(workflows, instance, server, "asked")
    assert sensor.told() == []
    assert sensor.skipped == "asked@champion is not set: no version has the alias"
    client = client_of(registry, "asked", 1)
    assert sensor.told() == []
    assert sensor.skipped == "asked@champion is not set: no version has the alias"
    client.set_registered_model_alias("asked", "champion", "1")
    assert sensor.told() == [("1", None)]


def test_a_server_that_is_away_is_a_skip_and_nothing_is_lost(
    workflows: Workflows, instance: DagsterInstance, registry: str
) -> None:
    sensor = Sensor(workflows, instance, registry, "away")
    client = client_of(registry, "away", 2)
    client.set_registered_model_alias("away", "champion", "1")
    assert sensor.told() == [("1", None)]
    sensor.ask(f"http://127.0.0.1:{free_port()}")
    client.set_registered_model_alias("away", "champion", "2")
    assert sensor.told() == []
    assert "MLflow's registry does not answer" in sensor.skipped
    assert "MLFLOW_TRACKING_URI" in sensor.skipped
    sensor.ask(registry)
    assert sensor.told() == [("2", "1")]


def test_the_registry_of_the_workspace(workflows: Workflows, instance: DagsterInstance) -> None:
    from flowhub_assets.ml.tracking import tracking

    sensor = Sensor(workflows, instance, None)
    assert sensor.told() == []
    client = tracking({"WORKSPACE": "tmp"})
    client.create_registered_model("iris")
    client.create_model_version("iris", "file:///nowhere")
    client.set_registered_model_alias("iris", "champion", "1")
    assert sensor.told() == [("1", None)]
    Path("tmp/mlflow/mlflow.db").write_bytes(b"no database at all, and more than a hundred bytes of it" * 4)
    assert sensor.told() == []
    assert "MLflow's registry does not answer" in sensor.skipped


@pytest.mark.parametrize("cursor", ["7", '{"a": 1}', "[]", "x"])
def test_another_sensors_cursor_is_refused(workflows: Workflows, instance: DagsterInstance, cursor: str) -> None:
    sensor = Sensor(workflows, instance, None)
    sensor.cursor = cursor
    with pytest.raises(Exception, match="none of this sensor") as raised:
        sensor.tick()
    assert isinstance(raised.value, InputError) or isinstance(raised.value.__cause__, InputError)
