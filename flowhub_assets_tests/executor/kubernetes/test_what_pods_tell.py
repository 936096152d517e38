"""What comes back from pods: lines of all kinds, values small and large, Pipes messages; also while the API is away.

The pods of the steps are in a namespace that is held to PodSecurity's "restricted".
"""

from __future__ import annotations

import base64
import json
import logging
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowhub_assets_tests.executor.kubernetes.cluster_lab import Lab, cluster_lab
from flowhub_assets_tests.kubernetes.fixtures import image_python
from flowhub_assets_tests.s3_server import S3Server, shared_s3

__all__ = ["image_python", "shared_s3"]

pytestmark = pytest.mark.timeout(280)

LINES, LONG = 120, 300_000
TELLS = """\
import os, sys
from flowhub import flow, task
from flowhub_assets.runtime.step_context import current_step

@task(image="team/own:1")
def big(args):
    return {"rows": ["x" * 100] * 3000}

@task(image="team/own:1")
def noisy(args):
    os.write(1, bytes(range(256)) + b"\\n")
    print("y" * LONG)
    print("to stderr", file=sys.stderr, flush=True)
    print("no end of line", end="", flush=True)
    current_step().log.warning("behind it")
    print('{"__dagster_pipes_version": looks like a message')
    return {"n": len(args["rows"])}

@task(image="team/pipes:1")
def piped(args):
    from dagster_pipes import open_dagster_pipes
    with open_dagster_pipes() as pipes:
        pipes.log.info("half way")
        pipes.report_asset_materialization(metadata={"rows": 7})
    return {"n": args["n"]}

@flow(env={"default": PROFILE})
def tells(args):
    return piped(noisy(big(args)))

@task(image="team/own:1")
def too_big(args):
    return {"rows": ["x" * 100] * 3000}

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def small(args):
    return too_big(args)
"""
TALKS = """\
import os, time
from pathlib import Path
from flowhub import flow, task

@task(image="team/own:1")
def talks(args):
    for number in range(LINES):
        print("line", number, flush=True)
        time.sleep(0.05)
    return {"talks": os.environ["HOSTNAME"]}

@task
def told(args):
    while not Path("BASE/down").exists():
        time.sleep(0.02)
    return {}

@task(image="team/own:1")
def own(args):
    return {"own": os.environ["HOSTNAME"]}

@task(cpu="0.1")
def heavy(args):
    return {"heavy": os.environ["HOSTNAME"]}

@task
def end(args):
    return args

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def outage(args):
    first = told(args)
    return end(talks(args), own(first), heavy(first))
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, image_python: Path, shared_s3: S3Server) -> Iterator[Lab]:
    words = {"PROFILE": repr(shared_s3.env()), "LINES": str(LINES), "LONG": str(LONG)}
    files = {"tells.py": TELLS, "talks.py": TALKS}
    for word, text in words.items():
        files = {name: told.replace(word, text) for name, told in files.items()}
    images = {"team/pipes:1": Path(sys.executable)}
    base = tmp_path_factory.mktemp("lab")
    with cluster_lab(base, image_python, files, images, restricted=["steps"]) as lab:
        lab.cluster.objects.apply(secret(shared_s3))
        yield lab


def secret(s3: S3Server) -> str:
    """What a pod finds instead of the credentials that the profile has."""
    given = {"ACCESS_KEY": s3.access_key, "SECRET_KEY": s3.secret_key}
    data = {name: base64.b64encode(text.encode()).decode() for name, text in given.items()}
    metadata = {"name": "tells-secrets", "namespace": "steps"}
    return yaml.safe_dump({"apiVersion": "v1", "kind": "Secret", "metadata": metadata, "data": data})


@pytest.fixture(scope="module")
def runs(lab: Lab) -> dict[str, str]:
    in_namespace: dict[str, Any] = {"job_namespace": "steps", "seconds_to_pull_image": 20.0}
    return {
        "outage": lab.launch("outage"),
        "tells": lab.launch("tells", None, **in_namespace),
        "small": lab.launch("small", None, **in_namespace),
    }


def test_the_api_is_away_while_steps_run_and_while_others_are_to_start(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["outage"]

    def talking() -> bool:
        return "line 10\n" in lab.cluster.logs(pod_of(lab, "outage__talks"))

    lab.wait(lambda: pod_of(lab, "outage__talks") and talking(), "the first lines", 120)
    lab.cluster.down(2.0)
    (lab.base / "down").touch()
    lab.wait(lambda: answers(lab), "the API's return")
    lab.cluster.forget()
    lab.cluster.down(1.0, answering=True)
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    lines = [one for one in lab.printed(run_id, "outage__talks").splitlines() if one.startswith("line ")]
    assert lines == [f"line {number}" for number in range(LINES)], "neither lost nor repeated"
    value = json.loads((lab.base / f"files/outage/runs/{run_id}/end.json").read_text())
    made = [one["metadata"] for one in lab.posted("Pod") if one["metadata"]["labels"]["dagster/run-id"] == run_id]
    pods = {one["labels"]["dagster/op"].removeprefix("outage__"): one["name"] for one in made if has_step(one)}
    assert value == pods
    assert len([one for one in made if has_step(one)]) == 3, "nothing is started twice"


def has_step(metadata: dict[str, Any]) -> bool:
    return "dagster/op" in metadata["labels"]


def pod_of(lab: Lab, step: str) -> str:
    found = [one["metadata"] for one in lab.posted("Pod")]
    return next((str(one["name"]) for one in found if one["labels"].get("dagster/op") == step), "")


def answers(lab: Lab) -> bool:
    import socket

    with socket.socket() as connection:
        return connection.connect_ex(("127.0.0.1", lab.cluster.port)) == 0


def test_values_of_any_size_travel_by_the_profiles_bucket(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["tells"]
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    (made,) = [one for one in lab.events(run_id, "ASSET_MATERIALIZATION") if one.step_key == "tells__noisy"]
    assert "3000" in str(made.asset_materialization.metadata["preview"])
    assert lab.cluster.refused == [], "restricted takes pods of images of their own as they are"


def test_lines_that_are_no_text_or_have_no_end_hide_no_message(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["tells"]
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    printed = lab.printed(run_id, "tells__noisy")
    assert "y" * LONG in printed.splitlines()
    assert {"to stderr", "no end of line"} <= set(printed.splitlines())
    assert '{"__dagster_pipes_version": looks like a message' in printed
    assert "ABCDEFGHIJ" in printed
    logged = {(one.step_key, one.level, one.user_message) for one in lab.events(run_id)}
    assert ("tells__noisy", logging.WARNING, "behind it") in logged


def test_what_a_task_reports_by_dagster_pipes_itself_appears_on_its_asset(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["tells"]
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    (made,) = [one for one in lab.events(run_id, "ASSET_MATERIALIZATION") if one.step_key == "tells__piped"]
    assert made.asset_materialization.metadata["rows"].value == 7
    assert any(one.step_key == "tells__piped" and one.user_message == "half way" for one in lab.events(run_id))


def test_without_a_bucket_a_value_that_is_too_large_says_so(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["small"]
    assert lab.end_of(run_id) == "FAILURE"
    (failure,) = lab.events(run_id, "STEP_FAILURE")
    told = failure.dagster_event.step_failure_data.error.to_string()
    assert "the value of task 'too_big' has" in told
    assert "without a bucket" in told
    assert [one for one in lab.left() if run_id[:8] in one and one.startswith("ConfigMap")] == [], (
        "what no Job owns, for that is in another namespace, goes with the run"
    )
