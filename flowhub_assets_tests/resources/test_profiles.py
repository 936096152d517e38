"""Profile and storage as Dagster resources: precedence, what run config overrides, plain assets and ops."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from flowhub_assets.errors import ProfileError
from flowhub_assets.resources.profiles import ProfileResource, StorageResource
from flowhub_assets_tests.s3_server import S3Server
from flowhub_assets_tests.s3_server import shared_s3 as shared_s3
from flowhub_assets_tests.workflows import Workflows, failure_of

ECHO = """
    @task(env={"WHO": "task"})
    def echo(args):
        pathlib.Path("env.json").write_text(json.dumps(args["env"]))
        return {}

    @flow(name="echoes", env={
        "default": {"A": "flow", "B": "flow", "NESTED": {"x": 1}, "WHO": "flow"},
        "bucket": {"BUCKET": "bucket", "A": "bucket"},
    })
    def main(args):
        return echo(args)

    @task
    def bare_task(args):
        return {"workspace": args["env"]["WORKSPACE"], "shared": args["env"].get("SHARED")}

    @flow
    def bare(args):
        return bare_task(args)
"""
PYPROJECT = """
[tool.flowhub]
pipelines = ["workflows"]

[tool.flowhub.env.default]
A = "pyproject"
C = "pyproject"
SHARED = true

[tool.flowhub.env.shared]
WORKSPACE = "./shared"
"""


@pytest.fixture
def echoes(workflows: Workflows) -> Workflows:
    workflows.write("echo.py", ECHO)
    return workflows


def env_of(workflows: Workflows, instance: DagsterInstance, **resources: Any) -> dict[str, Any]:
    result = workflows.run("echoes", instance, resources=resources)
    assert result.success, failure_of(result, "echoes__echo")
    env: dict[str, Any] = json.loads(Path("env.json").read_text())
    return env


def test_precedence(echoes: Workflows, instance: DagsterInstance) -> None:
    env = env_of(echoes, instance)
    assert env["WORKSPACE"] == "./tmp", "the built-in default"
    assert (env["A"], env["B"]) == ("flow", "flow")
    Path("pyproject.toml").write_text(PYPROJECT)
    env = env_of(echoes, instance)
    assert (env["A"], env["B"], env["C"]) == ("flow", "flow", "pyproject"), "the flow's env beats pyproject.toml"
    env = env_of(echoes, instance, profile={"values": {"B": "run", "NEW": [1], "WORKSPACE": "./mine"}})
    assert (env["A"], env["B"], env["NEW"], env["WORKSPACE"]) == ("flow", "run", [1], "./mine")
    env = env_of(echoes, instance, profile={"values": {"WORKSPACE": "./mine"}}, storage={"workspace": "./stored"})
    assert env["WORKSPACE"] == "./stored", "storage in run config has the last word"
    assert Path("stored/echoes/latest/echo.json").exists()
    assert env["WHO"] == "task", "a task's own env is laid over the profile"
    assert (env["project"], env["task"]) == ("echoes", "echo")


def test_a_profile_of_pyproject_serves_flows_that_lack_it(echoes: Workflows, instance: DagsterInstance) -> None:
    Path("pyproject.toml").write_text(PYPROJECT)
    env = env_of(echoes, instance, profile={"name": "shared"})
    assert env["WORKSPACE"] == "./shared"
    result = echoes.run("bare", instance)
    assert result.asset_value(AssetKey(["bare", "bare_task"])) == {"workspace": "./tmp", "shared": True}


def test_an_unknown_profile_fails_with_the_known_ones(echoes: Workflows, instance: DagsterInstance) -> None:
    result = echoes.run("echoes", instance, resources={"profile": {"name": "buckte"}})
    told = failure_of(result, "echoes__echo")
    assert "'echoes' has no env profile 'buckte'" in told
    assert "Did you mean 'bucket'?" in told
    assert "Traceback" not in told


def test_flowhub_env_picks_the_profile(
    echoes: Workflows, instance: DagsterInstance, monkeypatch: pytest.MonkeyPatch, shared_s3: S3Server
) -> None:
    monkeypatch.setenv("FLOWHUB_ENV", "bucket")
    monkeypatch.setenv("THE_SECRET", shared_s3.secret_key)
    storage = {
        "endpoint": shared_s3.endpoint,
        "region_name": "us-east-1",
        "access_key": shared_s3.access_key,
        "secret_key": {"env": "THE_SECRET"},
    }
    env = env_of(echoes, instance, storage=storage)
    assert (env["A"], env["BUCKET"]) == ("bucket", "bucket")
    assert env["SECRET_KEY"] == shared_s3.secret_key, "an environment variable named in run config is read"
    run = instance.get_runs()[0]
    assert shared_s3.secret_key not in json.dumps(run.run_config), "and only its name is kept"
    # Run config beats the variable.
    assert env_of(echoes, instance, profile={"name": "default"})["A"] == "flow"


def test_a_bucket_in_run_config_takes_the_place_of_the_folder() -> None:
    over = StorageResource(bucket="b").over({"WORKSPACE": "./tmp", "X": 1})
    assert over == {"BUCKET": "b", "X": 1}
    over = StorageResource(workspace="./w").over({"BUCKET": "b", "X": 1})
    assert over == {"WORKSPACE": "./w", "X": 1}
    assert StorageResource().over({"BUCKET": "b"}) == {"BUCKET": "b"}


PLAIN = """
    from dagster import AssetExecutionContext, Definitions, asset, asset_check, AssetCheckResult, job, op
    from flowhub_assets.resources.profiles import ProfileResource, StorageResource

    @task
    def one(args):
        return {"n": 1}

    @flow
    def beside(args):
        return one(args)

    @asset(group_name="plain")
    def report(profile: ProfileResource, storage: StorageResource) -> dict:
        url = storage.open(profile).write("report.txt", "보고".encode())
        return {"url": url, "who": profile.of().get("WHO")}

    @op
    def upload(profile: ProfileResource, storage: StorageResource) -> None:
        client = storage.s3(profile).get_client()
        client.put_object(Bucket="bucket", Key="by/boto.txt", Body=b"boto")
        assert client.get_object(Bucket="bucket", Key="by/boto.txt")["Body"].read() == b"boto"
        assert storage.open(profile).read("by/boto.txt") == b"boto"

    @job
    def uploads():
        upload()

    defs = Definitions(assets=[report], jobs=[uploads])
"""
WITH_WHO = "[tool.flowhub.env.default]\nWORKSPACE = './plain'\nWHO = 'pyproject'\n"


def test_a_plain_asset_takes_profile_and_storage(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("plain.py", PLAIN)
    Path("pyproject.toml").write_text(WITH_WHO)
    repository = workflows.repository()
    job = repository.get_implicit_job_def_for_assets([AssetKey("report")])
    assert job is not None
    config: dict[str, Any] = {"resources": {"profile": {"config": {}}, "storage": {"config": {}}}}
    result = job.execute_in_process(run_config=config, instance=instance, asset_selection=[AssetKey("report")])
    value = result.asset_value(AssetKey("report"))
    assert value == {"url": Path("plain/report.txt").absolute().as_uri(), "who": "pyproject"}
    assert Path("plain/report.txt").read_text("utf-8") == "보고"


def test_a_file_of_plain_assets_needs_no_flow(workflows: Workflows, instance: DagsterInstance) -> None:
    text = """
        from dagster import asset
        from flowhub_assets import ProfileResource, StorageResource

        @asset
        def alone(profile: ProfileResource, storage: StorageResource) -> str:
            return storage.open(profile).write("alone.txt", b"here")
    """
    workflows.write("alone.py", text, head="")
    job = workflows.repository().get_implicit_job_def_for_assets([AssetKey("alone")])
    assert job is not None
    assert job.execute_in_process(instance=instance).success
    assert Path("tmp/alone.txt").read_bytes() == b"here"


def test_a_plain_op_takes_a_boto3_client_of_the_same_profile(
    workflows: Workflows, instance: DagsterInstance, shared_s3: S3Server
) -> None:
    workflows.write("plain.py", PLAIN)
    env = shared_s3.env()
    storage = {name.lower(): value for name, value in env.items()}
    result = (
        workflows.repository()
        .get_job("uploads")
        .execute_in_process(run_config={"resources": {"storage": {"config": storage}}}, instance=instance)
    )
    assert result.success
    assert (shared_s3.folder / "bucket/by/boto.txt").read_bytes() == b"boto"


def test_s3_without_a_bucket_says_what_to_add() -> None:
    with pytest.raises(ProfileError, match="names no BUCKET"):
        StorageResource(workspace="./w").s3(ProfileResource())
