"""What a cluster does to pods, all at once in one run: each step ends as it should, and says why."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from kubernetes import client, config

from flowhub_assets_tests.executor.kubernetes.cluster_lab import Lab, cluster_lab
from flowhub_assets_tests.kubernetes.fixtures import image_python

__all__ = ["image_python"]

pytestmark = pytest.mark.timeout(280)

#: A pod that the cluster takes away is run again: in an image of its own, and in the code location's.
AGAIN = ("evicted", "preempted", "drained", "terminated", "lost", "deleted")
AGAIN_IN_CODE_IMAGE = ("preempted", "deleted")
EXCESS = "Pod ephemeral local storage usage exceeds the total limit of containers 1Gi."

BEGIN = """\
import os, time
from flowhub import flow, task

def here(args):
    return {"pod": os.environ["HOSTNAME"]}
"""
TASK = """
@task({asks})
def {name}(args):
    {body}
    return here(args)
"""
FLOW = """
@flow(env={{"default": {{"WORKSPACE": "BASE/files"}}}})
def faults(args):
    return [one(args) for one in ({names})]

@task(image="team/own_secret:1")
def own_secret(args):
    return here(args)

@flow(env={{"default": {{"WORKSPACE": "BASE/files", "TOKEN": {{"secret": {{"name": "nowhere", "key": "token"}}}}}}}})
def secret(args):
    return own_secret(args)
"""
#: Task → (what it asks for, what it does first).
TASKS = {
    **{f"own_{fault}": ("", "pass") for fault in AGAIN},
    **{f"code_{fault}": ("code", "pass") for fault in AGAIN_IN_CODE_IMAGE},
    "own_always": ("", "pass"),
    "own_excess": ("", "pass"),
    "own_oom": ("retries=1, limit_memory='300Mi'", "pass"),
    "own_killed": ("", "pass"),
    "own_exit": ("", "os._exit(3)"),
    "own_long": ("active_deadline=3", "time.sleep(60)"),
    "own_image": ("", "pass"),
    "own_quota": ("", "pass"),
    "own_pending": ("", "pass"),
    "code_oom": ("code, limit_memory='1Gi'", "pass"),
    "code_pending": ("code", "pass"),
    "code_long": ("code, active_deadline=3", "time.sleep(60)"),
}


def pipeline() -> str:
    tasks = []
    for name, (asks, body) in TASKS.items():
        words = f"image='team/{name}:1', {asks}" if name.startswith("own") else asks.replace("code", "cpu='0.01'")
        tasks.append(TASK.format(asks=words, name=name, body=body))
    return "".join([BEGIN, *tasks, FLOW.format(names=", ".join(TASKS))])


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, image_python: Path) -> Iterator[Lab]:
    with cluster_lab(tmp_path_factory.mktemp("lab"), image_python, {"faults.py": pipeline()}) as lab:
        yield lab


@pytest.fixture(scope="module")
def runs(lab: Lab) -> tuple[str, str]:
    """The run in which all of it happens, and one whose Secret is not there: all of its pods would want that."""
    for fault in AGAIN:
        befall(lab, fault, f"own_{fault}")
    for fault in AGAIN_IN_CODE_IMAGE:
        befall(lab, fault, f"code_{fault}")
    befall(lab, "preempted", "own_always", times=9)
    befall(lab, "evicted", "own_excess", message=EXCESS)
    for fault, names in {
        "oom": ("own_oom", "code_oom"),
        "killed": ("own_killed",),
        "image": ("own_image",),
        "quota": ("own_quota",),
        "pending": ("own_pending", "code_pending"),
    }.items():
        for name in names:
            befall(lab, fault, name, times=1 if fault != "quota" else 999)
    # A pod's Python takes seconds to start on a busy machine: only those that never start are to pass the bound.
    bounds = {"seconds_to_start": 20.0, "seconds_to_pull_image": 2.0, "max_disruptions": 2}
    run_id, other = lab.launch("faults", None, **bounds), lab.launch("secret", None, **bounds)
    assert lab.end_of(run_id, 200) == "FAILURE", lab.told(run_id)
    return run_id, other


@pytest.fixture(scope="module")
def run_id(runs: tuple[str, str]) -> str:
    return runs[0]


def befall(lab: Lab, fault: str, name: str, *, times: int = 1, message: str = "") -> None:
    step = f"faults__{name}"

    def is_of_step(pod: Any) -> bool:
        return bool(pod["metadata"]["labels"].get("dagster/op") == step)

    lab.cluster.fail(fault, is_of_step, times=times, message=message)


def pods_of(lab: Lab, name: str) -> list[str]:
    pods = [one for one in lab.posted("Pod") if one["metadata"]["labels"].get("dagster/op") == f"faults__{name}"]
    return [pod["metadata"]["name"] for pod in pods]


def why(lab: Lab, run_id: str, name: str) -> str:
    """What the step's failure says."""
    (failure,) = [one for one in lab.events(run_id, "STEP_FAILURE") if (one.step_key or "").endswith(name)]
    return str(failure.dagster_event.step_failure_data.error.to_string())


@pytest.mark.parametrize(
    "name", [*(f"own_{fault}" for fault in AGAIN), *(f"code_{fault}" for fault in AGAIN_IN_CODE_IMAGE)]
)
def test_a_pod_that_the_cluster_takes_away_is_run_again_at_no_cost_to_its_retries(
    lab: Lab, run_id: str, name: str
) -> None:
    first, second = pods_of(lab, name)
    value = json.loads((lab.base / "files/faults/runs" / run_id / f"{name}.json").read_text())
    assert value == {"pod": second} != {"pod": first}
    assert f"faults__{name}" not in lab.steps(run_id, "STEP_UP_FOR_RETRY")
    assert lab.steps(run_id, "STEP_SUCCESS").count(f"faults__{name}") == 1
    again = [one.message for one in lab.events(run_id) if "again (1 of 2)" in one.message and name in str(one.step_key)]
    assert len(again) == 1, again
    assert ("deleted while it ran" if name.endswith("deleted") else "taken away by the cluster") in again[0]


@pytest.mark.parametrize(
    ("name", "pods", "told"),
    [
        ("own_always", 3, ["PreemptionByScheduler", "Preempted: Preempted by pod"]),
        ("own_excess", 1, [EXCESS]),
        ("own_killed", 1, ["ended by SIGKILL; out of memory, most likely"]),
        ("own_exit", 1, ["ended with exit status 3", "its pod: its process ended with exit code 1"]),
        ("own_long", 1, ["longer than its active deadline of 3 s"]),
        ("own_image", 1, ["'team/own_image:1' could not be pulled within 2 s", "Failed to pull image", "not found"]),
        ("own_quota", 0, ["no pod was made for it within 20 s", "FailedCreate", "exceeded quota"]),
        ("own_pending", 1, ["did not start within 20 s", "0/1 nodes are available", "FailedScheduling"]),
        ("code_oom", 1, ["out of memory (OOMKilled): its limit is 1Gi"]),
        ("code_pending", 1, ["did not start within 20 s", "0/1 nodes are available", "FailedScheduling"]),
        ("code_long", 1, ["longer than its active deadline of 3 s"]),
    ],
)
def test_a_step_that_cannot_end_well_says_why(lab: Lab, run_id: str, name: str, pods: int, told: list[str]) -> None:
    assert len(pods_of(lab, name)) == pods
    message = why(lab, run_id, name)
    assert [one for one in told if one not in message] == [], message


def test_a_secret_that_is_not_there(lab: Lab, runs: tuple[str, str]) -> None:
    assert lab.end_of(runs[1]) == "FAILURE"
    message = why(lab, runs[1], "secret__own_secret")
    assert 'could not be made within 2 s (CreateContainerConfigError: secret "nowhere" not found)' in message


def test_out_of_memory_is_a_failure_that_spends_a_retry_in_a_job_of_another_name(lab: Lab, run_id: str) -> None:
    first, second = pods_of(lab, "own_oom")
    assert first.rpartition("-")[0].removesuffix("-1") == second.rpartition("-")[0].removesuffix("-2")
    (retry,) = [one for one in lab.events(run_id, "STEP_UP_FOR_RETRY") if one.step_key == "faults__own_oom"]
    assert "out of memory (OOMKilled): its limit is 300Mi" in str(retry.dagster_event.step_retry_data.error.cause)
    assert "faults__own_oom" in lab.steps(run_id, "STEP_SUCCESS")


def test_no_pod_that_was_given_up_starts_later(lab: Lab, run_id: str) -> None:
    given_up = {f"faults__{name}" for name in ("own_image", "own_quota", "own_pending", "code_pending")}
    lab.wait(lambda: not [one for one in lab.left() if one.startswith("Pod ")], "the end of all pods")
    batch = client.BatchV1Api(config.new_client_from_config(str(lab.cluster.kubeconfig)))
    there = {one.metadata.labels.get("dagster/op") for one in batch.list_namespaced_job("default").items}
    assert given_up & there == set()


def test_all_of_it_goes_with_the_runs_own_job(lab: Lab, run_id: str) -> None:
    own = f"dagster-run-{run_id}"
    made = [one for one in lab.posted("Job") if one["metadata"]["labels"]["dagster/run-id"] == run_id]
    owners = {one["metadata"]["name"]: one["metadata"].get("ownerReferences") for one in made}
    assert owners.pop(own) is None
    assert len(owners) == len(TASKS) + len(AGAIN) + len(AGAIN_IN_CODE_IMAGE) + 2 + 1
    assert {owner["name"] for (owner,) in owners.values()} == {own}
