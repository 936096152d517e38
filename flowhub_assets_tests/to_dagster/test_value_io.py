"""Values between steps: where they lie, what a single asset takes, and what a missing one says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from dagster import AssetKey, DagsterInstance

from flowhub_assets_tests.s3_server import S3Server
from flowhub_assets_tests.s3_server import shared_s3 as shared_s3
from flowhub_assets_tests.workflows import Workflows, failure_of, metadata_of

CHAIN = """
    @task
    def first(args):
        pathlib.Path("first.count").open("a").write("x")
        return {"n": args["n"], "글": "안녕", "nested": [{"deep": None}, 2**70, 0.1]}

    @task
    def second(args):
        return {**args, "n": args["n"] + 1}

    @flow(name="my-chain", params={"n": 1}, env={"default": {"WORKSPACE": "./tmp"}, "other": {"WORKSPACE": "./other"}})
    def main(args):
        return second(first(args))
"""
FIRST = {"n": 5, "글": "안녕", "nested": [{"deep": None}, 2**70, 0.1]}


def read(path: Path) -> Any:
    return json.loads(path.read_text("utf-8"))


def test_documents_per_run_and_latest_in_a_folder(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("chain.py", CHAIN)
    one = workflows.run("my_chain", instance, n=5)
    assert one.success
    folder = Path("tmp/my-chain")
    assert read(folder / "runs" / one.run_id / "first.json") == FIRST
    assert read(folder / "runs" / one.run_id / "second.json") == {**FIRST, "n": 6}
    two = workflows.run("my_chain", instance, n=7)
    assert read(folder / "runs" / one.run_id / "second.json")["n"] == 6
    assert read(folder / "runs" / two.run_id / "second.json")["n"] == 8
    assert read(folder / "latest" / "second.json")["n"] == 8
    url = metadata_of(two, "second")["saved as"].value
    assert Path(url) == (folder / "runs" / two.run_id / "second.json").absolute()


def test_documents_per_run_and_latest_in_a_bucket(
    workflows: Workflows, instance: DagsterInstance, shared_s3: S3Server
) -> None:
    workflows.write("chain.py", CHAIN)
    env = shared_s3.env()
    result = workflows.run("my_chain", instance, resources={"profile": {"values": env}}, n=5)
    assert result.success
    assert result.asset_value(AssetKey(["my_chain", "second"])) == {**FIRST, "n": 6}
    bucket = shared_s3.folder / "bucket" / "my-chain"
    assert read(bucket / "runs" / result.run_id / "first.json") == FIRST
    assert read(bucket / "latest" / "second.json") == {**FIRST, "n": 6}
    assert not Path("tmp").exists(), "a profile with BUCKET writes nothing to the built-in folder"
    url = metadata_of(result, "second")["saved as"].value
    assert url == f"s3://bucket/my-chain/runs/{result.run_id}/second.json"
    # One asset alone, on what lies in the bucket.
    alone = workflows.run(
        "my_chain", instance, resources={"profile": {"values": env}}, assets=[AssetKey(["my_chain", "second"])]
    )
    assert alone.success
    assert read(bucket / "latest" / "second.json")["n"] == 6


def test_one_asset_runs_on_the_saved_outputs_of_its_upstream(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("chain.py", CHAIN)
    assert workflows.run("my_chain", instance, n=5).success
    alone = workflows.run("my_chain", instance, assets=[AssetKey(["my_chain", "second"])])
    assert alone.success
    assert alone.asset_value(AssetKey(["my_chain", "second"])) == {**FIRST, "n": 6}
    assert Path("first.count").read_text() == "x", "the upstream task did not run again"
    assert not Path(f"tmp/my-chain/runs/{alone.run_id}/first.json").exists()


def test_a_missing_value_is_named_with_what_to_do(workflows: Workflows, instance: DagsterInstance) -> None:
    workflows.write("chain.py", CHAIN)
    alone = workflows.run("my_chain", instance, assets=[AssetKey(["my_chain", "second"])])
    assert not alone.success
    told = failure_of(alone, "my_chain__second")
    assert "'first' (asset my_chain/first) is missing" in told
    assert "latest/first.json" in told
    assert "Materialise my_chain/first first, in the same profile." in told
    assert "Traceback" not in told
    # The same of another profile: what one profile saved the other does not see.
    assert workflows.run("my_chain", instance).success
    other = workflows.run(
        "my_chain", instance, resources={"profile": {"name": "other"}}, assets=[AssetKey(["my_chain", "second"])]
    )
    assert "is missing" in failure_of(other, "my_chain__second")


@pytest.mark.parametrize(
    ("content", "told"), [("{", "cannot be read"), ("[1]", "it holds a list"), ("", "cannot be read")]
)
def test_a_damaged_value_is_told_with_its_place(
    workflows: Workflows, instance: DagsterInstance, content: str, told: str
) -> None:
    workflows.write("chain.py", CHAIN)
    assert workflows.run("my_chain", instance).success
    Path("tmp/my-chain/latest/first.json").write_text(content)
    alone = workflows.run("my_chain", instance, assets=[AssetKey(["my_chain", "second"])])
    failure = failure_of(alone, "my_chain__second")
    assert told in failure
    assert "latest/first.json" in failure
    assert "Traceback" not in failure


@pytest.mark.parametrize(
    ("returned", "told"),
    [
        ("{'ok': {'bad': {1, 2}}}", "set"),
        ("{'x': float('nan')}", "nan"),
        ("[1, 2]", "list"),
        ("None", "None"),
        ("{'data': b'bytes'}", "bytes"),
    ],
)
def test_a_value_that_is_not_json_fails_the_step(
    workflows: Workflows, instance: DagsterInstance, returned: str, told: str
) -> None:
    text = f"""
        @task(retries=3)
        def gives(args):
            pathlib.Path("count").open("a").write("x")
            return {returned}

        @flow
        def refuses(args):
            return gives(args)
    """
    workflows.write("refuses.py", text)
    result = workflows.run("refuses", instance)
    assert not result.success
    failure = failure_of(result, "refuses__gives")
    assert told.lower() in failure.lower()
    assert "gives" in failure
    assert Path("count").read_text() == "xxxx", "it is retried like any failure, as in a local run"
    assert not Path("tmp/refuses/latest/gives.json").exists()


def test_a_server_that_refuses_is_told_without_a_clients_traceback(
    workflows: Workflows, instance: DagsterInstance, shared_s3: S3Server
) -> None:
    workflows.write("chain.py", CHAIN)
    env = {**shared_s3.env(), "SECRET_KEY": "wrong-secret-of-mine"}
    result = workflows.run("my_chain", instance, resources={"profile": {"values": env}})
    assert not result.success
    failure = failure_of(result, "my_chain__first")
    assert "credentials" in failure or "refused" in failure.lower()
    assert "Traceback" not in failure
    assert "wrong-secret-of-mine" not in failure
