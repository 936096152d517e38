"""From an object in S3 to a served model, worse data, drift and retraining, in the whole of Dagster.

S3, MLflow, PostgreSQL and Dagster's own processes are real. Each of the first three is killed once in between.
"""

from __future__ import annotations

import contextlib
import io
import json
import time
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from mlflow import MlflowClient

from flowhub_assets import ml
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.ml.killable import Killable, killable_mlflow, killable_postgres, killable_s3
from flowhub_assets_tests.to_dagster.dagster_stack import Stack, dagster_stack

#: How often a run that was hit by an outage is done again from where it failed, as a person would.
_AGAIN = 4
_LONGEST = 400.0
FLOWER, SHIFT = [5.1, 3.5, 1.4, 0.2], 1.5


@dataclass
class Team:
    """Everything that runs, and what a person of the team does with it."""

    stack: Stack
    env: dict[str, Any]
    s3: Killable
    mlflow: Killable
    postgres: Killable
    cursors: dict[str, str | None] = field(default_factory=dict)

    def put(self, frame: Any) -> None:
        """A new object in the bucket, by another program."""
        import boto3

        client = boto3.client(
            "s3",
            endpoint_url=self.env["ENDPOINT"],
            region_name=self.env["REGION_NAME"],
            aws_access_key_id=self.env["ACCESS_KEY"],
            aws_secret_access_key=self.env["SECRET_KEY"],
        )
        text = io.StringIO()
        frame.to_csv(text, index=False)
        client.put_object(Bucket="team-ml", Key="incoming/iris.csv", Body=text.getvalue().encode())

    def look(self, sensor: str) -> list[dict[str, Any]]:
        """The runs that a look of the sensor asks for; its cursor is kept."""
        told = self.stack.tick(sensor, self.cursors.get(sensor))
        self.cursors[sensor] = told["cursor"]
        return list(told["runRequests"] or ())

    def awaited(self, sensor: str) -> dict[str, Any]:
        """The run that the sensor asks for, at this look or a later one: a server that was away is asked again."""
        found: list[dict[str, Any]] = []

        def look() -> bool:
            found.extend(self.look(sensor))
            return bool(found)

        self.stack.wait(look, f"a run that {sensor} asks for", 120, pause=2)
        (request,) = found
        return request

    def start(self, request: dict[str, Any], job: str) -> str:
        """Launches what a sensor asked for."""
        tags = {tag["key"]: tag["value"] for tag in request["tags"]}
        return self.stack.run(job, config=request["runConfigYaml"], tags=tags)

    def cell(self, job: str, cell: str, *dimensions: str) -> str:
        """Launches one cell, as the UI does."""
        of_each = dict(zip(dimensions, cell.split("|"), strict=True)) if "|" in cell else {}
        tags = {"dagster/partition": cell, **{f"dagster/partition/{name}": key for name, key in of_each.items()}}
        return self.stack.run(job, tags=tags)

    def succeeds(self, run: str) -> None:
        """Waits for its end, and has what failed done again."""
        for _ in range(_AGAIN):
            if self.stack.end_of(run, _LONGEST) == "SUCCESS":
                return
            run = self.stack.run_again(run)
        raise AssertionError(f"it failed {_AGAIN} times:\n{self.why(run)}")

    def settled(self, run: str) -> bool:
        """Waits for the end of a training: True if its model was registered, False if the gate held it."""
        for _ in range(_AGAIN):
            if self.stack.end_of(run, _LONGEST) == "SUCCESS":
                return True
            if "did not pass its check 'gate'" in self.why(run):
                return False
            run = self.stack.run_again(run)
        raise AssertionError(f"it failed {_AGAIN} times:\n{self.why(run)}")

    def why(self, run: str) -> str:
        """What its failed steps have told."""
        events = self.stack.events(run, "STEP_FAILURE")
        return "\n".join(json.dumps(event, ensure_ascii=False)[:3_000] for event in events)

    def predict(self) -> dict[str, Any]:
        """What the served model says of a flower."""
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.env['SERVING_PORT']}/predict",
            json.dumps([FLOWER]).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=60) as answer:
            told: dict[str, Any] = json.load(answer)
        return told

    @property
    def champion(self) -> str:
        found = ml.champion("iris", self.env)
        assert found is not None
        return found.version

    @property
    def version(self) -> str:
        """The newest version of the data set."""
        return str(ml.published("iris", self.env)[2]["version"])


@pytest.fixture  # of the test alone: run once more, it begins anew
def team(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Team]:
    base = tmp_path_factory.mktemp("team")
    with contextlib.ExitStack() as running:
        s3, storage = running.enter_context(killable_s3(base / "s3"))
        postgres, database = running.enter_context(killable_postgres(base))
        mlflow, tracking = running.enter_context(killable_mlflow(base, database, storage))
        profile = {
            **storage,
            "WORKSPACE": str(base / "files"),
            "MLFLOW_TRACKING_URI": tracking,
            "SERVING_PORT": free_port(),
            "SERVING_WORKERS": 1,
        }
        lines = [f"{key} = {json.dumps(value)}" for key, value in profile.items()]
        (base / "pyproject.toml").write_text("\n".join(["[tool.flowhub.env.team]", *lines]))
        env = {**profile, "project": "test", "run_id": "test", "task": "test"}
        running.callback(ml.stop_serving, "iris", env)
        stack = running.enter_context(dagster_stack(base, {}, {"FLOWHUB_ENV": "team"}))
        yield Team(stack, env, s3, mlflow, postgres)


@pytest.mark.timeout(1_800)
def test_a_team_lives_with_it(team: Team) -> None:
    frame, _ = ml.shipped_data_set("iris")
    _new_object_becomes_a_version(team, frame)
    _two_models_are_trained_and_one_is_champion(team)
    _the_champion_is_served(team)
    _worse_data_changes_nothing(team, frame)
    _drift_retrains(team, frame)
    _nothing_is_left_open(team)


def _new_object_becomes_a_version(team: Team, frame: Any) -> None:
    assert team.look("data_sets_objects") == []
    team.put(frame)
    request = team.awaited("data_sets_objects")
    run = team.start(request, "data_sets")
    with team.s3.killed_for(4):
        pass
    team.succeeds(run)
    assert team.version
    assert team.look("data_sets_objects") == []


def _two_models_are_trained_and_one_is_champion(team: Team) -> None:
    runs = [team.cell("training", f"iris|{model}", "data_set", "model") for model in ("scikit-learn", "lightgbm")]
    team.stack.wait(lambda: team.stack.steps(runs[0], "STEP_START"), "the first step", 200)
    with team.mlflow.killed_for(4):
        pass
    registered = [team.settled(run) for run in runs]
    assert any(registered)
    best = ml.champion("iris", team.env)
    assert best is not None
    assert best.data_set_version == team.version


def _the_champion_is_served(team: Team) -> None:
    request = team.awaited("serving_alias")
    run = team.start(request, "serving")
    team.stack.wait(lambda: team.stack.steps(run, "STEP_START"), "the first step", 200)
    with team.postgres.killed_for(4):
        pass
    team.succeeds(run)
    told = team.predict()
    assert told["predictions"] == ["setosa"]
    assert told["version"] == team.champion
    assert team.look("serving_alias") == []


def _worse_data_changes_nothing(team: Team, frame: Any) -> None:
    before, version, answer = team.champion, team.version, team.predict()
    worse = frame.copy()
    worse["species"] = worse["species"].sample(frac=1, random_state=1).to_numpy()
    team.put(worse)
    request = team.awaited("data_sets_objects")
    team.succeeds(team.start(request, "data_sets"))
    assert team.version != version
    assert not team.settled(team.cell("training", "iris|scikit-learn", "data_set", "model"))
    assert team.champion == before
    assert team.look("serving_alias") == []
    assert team.predict() == answer


def _drift_retrains(team: Team, frame: Any) -> None:
    before = team.champion
    moved = frame.copy()
    measures = [name for name in frame.columns if name != "species"]
    moved[measures] = (moved[measures] + SHIFT).round(2)
    team.put(moved)
    request = team.awaited("data_sets_objects")
    team.succeeds(team.start(request, "data_sets"))
    automation = "default_automation_condition_sensor"
    team.stack.start_sensor(automation)
    # Its first look takes what there is as known: only what is made after that is new to it.
    team.stack.wait(lambda: {"SUCCESS", "SKIPPED"} & {*team.stack.looks_of(automation)}, "its first look", _LONGEST)
    team.succeeds(team.cell("drift", "iris"))

    def retrained() -> bool:
        return team.champion != before

    team.stack.wait(retrained, "the retraining", _LONGEST, pause=2)
    now = ml.champion("iris", team.env)
    assert now is not None
    assert now.data_set_version == team.version
    request = team.awaited("serving_alias")
    team.succeeds(team.start(request, "serving"))
    assert team.predict()["version"] == now.version


def _nothing_is_left_open(team: Team) -> None:
    client = MlflowClient(tracking_uri=team.env["MLFLOW_TRACKING_URI"])

    def open_runs() -> list[str]:
        ids = [one.experiment_id for one in client.search_experiments()]
        return [run.info.run_id for run in client.search_runs(ids) if run.info.status == "RUNNING"]

    last = time.monotonic() + 120  # those of a killed step are ended by on_failure, which a sensor starts
    while open_runs() and time.monotonic() < last:
        time.sleep(2)
    assert open_runs() == []
    for one in client.search_model_versions("name='iris'"):
        assert one.tags["data_set_version"]
        assert ml.load_model(f"models:/iris/{one.version}", team.env).predict([FLOWER])
