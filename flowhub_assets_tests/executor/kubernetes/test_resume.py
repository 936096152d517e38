"""Runs that are cancelled, and whose run worker is killed or told to go while pods of both kinds are under way."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
from dagster import DagsterRunStatus
from dagster._daemon.monitoring.run_monitoring import execute_run_monitoring_iteration
from kubernetes import client, config

from flowhub_assets.executor.kubernetes.jobs import COMPONENT, COMPONENT_LABEL, RUN_LABEL
from flowhub_assets.to_dagster.leftovers import remove_leftovers
from flowhub_assets_tests.executor.kubernetes.cluster_lab import Lab, cluster_lab
from flowhub_assets_tests.kubernetes.fixtures import image_python

__all__ = ["image_python"]

pytestmark = pytest.mark.timeout(280)

LONG = """\
import os, time
from pathlib import Path
from flowhub import flow, task

def until_told(args, name):
    run = Path("BASE") / args["env"]["run_id"]
    run.mkdir(exist_ok=True)
    with open(run / name, "a") as file:
        file.write("begun ")
    print("begun", name, flush=True)
    while not (run / "go").exists():
        time.sleep(0.05)
    return {name: os.environ["HOSTNAME"]}

@task(image="team/own:1")
def own(args):
    return until_told(args, "own")

@task(cpu="0.1")
def heavy(args):
    return until_told(args, "heavy")

@task
def light(args):
    return until_told(args, "light")

@task(image="team/waiting:1")
def waiting(args):
    return {}

@task
def end(args):
    return args

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def long(args):
    return end(own(args), heavy(args), light(args))

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def cancelled(args):
    return end(own(args), heavy(args), waiting(args))

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def alone(args):
    return own(args)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, image_python: Path) -> Iterator[Lab]:
    with cluster_lab(tmp_path_factory.mktemp("lab"), image_python, {"long.py": LONG}) as lab:
        yield lab


@pytest.fixture(scope="module")
def runs(lab: Lab) -> dict[str, str]:
    """Runs that begin together, each with its own test."""
    lab.cluster.fail("pending", lambda pod: pod["metadata"]["labels"].get("dagster/op") == "cancelled__waiting")
    jobs = {"killed": "long", "drained": "long", "cancelled": "cancelled", "given up": "alone"}
    return {name: lab.launch(job) for name, job in jobs.items()}


def under_way(lab: Lab, run_id: str, *names: str) -> None:
    folder = lab.base / run_id
    lab.wait(lambda: all((folder / name).exists() for name in names), f"{names} of run {run_id}", 120)


def go_on(lab: Lab, run_id: str) -> None:
    (lab.base / run_id / "go").touch()


def resume(lab: Lab, run_id: str) -> None:
    """As the daemon's run monitoring does it, which looks every few minutes."""

    def resumed() -> bool:
        for error in execute_run_monitoring_iteration(lab.workspace, logging.getLogger("monitoring")):
            assert error is None, error
        return f"dagster-run-{run_id}-1" in {one["metadata"]["name"] for one in lab.posted("Job")}

    lab.wait(resumed, f"the resuming of run {run_id}")


def step_jobs(lab: Lab, run_id: str) -> list[str]:
    made = [one["metadata"] for one in lab.posted("Job") if one["metadata"]["labels"]["dagster/run-id"] == run_id]
    return sorted(one["labels"]["dagster/op"] for one in made if "dagster/op" in one["labels"])


def owners(lab: Lab, run_id: str) -> set[str]:
    """Of the Jobs of a run's steps that there are now, and of its ConfigMaps."""
    configured = config.new_client_from_config(str(lab.cluster.kubeconfig))
    about = {"namespace": "default", "label_selector": f"{RUN_LABEL}={run_id},{COMPONENT_LABEL}={COMPONENT}"}
    jobs = client.BatchV1Api(configured).list_namespaced_job(**about).items
    config_maps = client.CoreV1Api(configured).list_namespaced_config_map(**about).items
    return {owner.name for one in [*jobs, *config_maps] for owner in one.metadata.owner_references}


def value(lab: Lab, run_id: str, job: str = "long") -> dict[str, str]:
    made: dict[str, str] = json.loads((lab.base / f"files/{job}/runs/{run_id}/end.json").read_text())
    return made


def test_a_cancelled_run_leaves_nothing(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["cancelled"]
    under_way(lab, run_id, "own", "heavy")
    lab.cluster.slow(0.3)
    assert lab.instance.run_launcher.terminate(run_id)
    assert lab.end_of(run_id) == "CANCELED"
    lab.cluster.slow(0)
    mine = [run_id[:8], *(one["metadata"]["name"] for one in lab.posted("Job") if run_id in str(one["metadata"]))]

    def left() -> list[str]:
        return [one for one in lab.left() if any(name in one for name in mine)]

    lab.wait(lambda: not left(), f"the end of {left()}")
    assert lab.steps(run_id, "STEP_SUCCESS") == []


@pytest.mark.parametrize("end", ["killed", "drained"])
def test_another_run_worker_takes_the_pods_that_run_on(lab: Lab, runs: dict[str, str], end: str) -> None:
    run_id = runs[end]
    under_way(lab, run_id, "own", "heavy", "light")
    pods = {"own": "", "heavy": ""}
    for one in lab.posted("Pod"):
        labels = one["metadata"]["labels"]
        if labels.get("dagster/run-id") == run_id and "dagster/op" in labels:
            pods[labels["dagster/op"].removeprefix("long__")] = one["metadata"]["name"]
    {"killed": lab.cluster.kill, "drained": lab.cluster.drain}[end](f"dagster-run-{run_id}")
    resume(lab, run_id)
    light = lab.base / run_id / "light"
    lab.wait(lambda: light.read_text() == "begun begun ", "light steps that start again")
    lab.wait(lambda: owners(lab, run_id) == {f"dagster-run-{run_id}-1"}, f"another owner than {owners(lab, run_id)}")
    go_on(lab, run_id)
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    assert {name: value(lab, run_id)[name] for name in pods} == pods
    assert step_jobs(lab, run_id) == ["long__heavy", "long__own"], "one Job for each try, whoever makes it"
    for name in pods:
        assert (lab.base / run_id / name).read_text() == "begun "
        assert lab.steps(run_id, "STEP_SUCCESS").count(f"long__{name}") == 1
        assert lab.steps(run_id, "ASSET_MATERIALIZATION").count(f"long__{name}") == 1
    assert "begun own" in lab.printed(run_id, "long__own"), "its log is followed from its beginning"


def test_what_a_run_worker_leaves_that_is_not_replaced_is_deleted(lab: Lab, runs: dict[str, str]) -> None:
    run_id = runs["given up"]
    under_way(lab, run_id, "own")
    lab.cluster.kill(f"dagster-run-{run_id}")
    (pod,) = [one for one in lab.posted("Pod") if one["metadata"]["labels"].get("dagster/op") == "alone__own"]
    name = f"Pod default/{pod['metadata']['name']}"
    run = lab.instance.get_run_by_id(run_id)
    assert run is not None
    lab.instance.report_run_failed(run)  # as run monitoring does it, when no resume is left
    failed = lab.instance.get_run_by_id(run_id)
    assert failed is not None
    assert failed.status is DagsterRunStatus.FAILURE
    assert name in lab.left()
    told = remove_leftovers(lab.instance, failed)
    assert pod["metadata"]["name"].rpartition("-")[0] in told
    lab.wait(lambda: name not in lab.left(), "the end of the pod")
    assert "deleted nothing" in remove_leftovers(lab.instance, failed)
