"""Runs with light steps in the run worker and heavy ones in pods, as the executor makes them in a cluster."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest

from flowhub_assets_tests.executor.kubernetes.cluster_lab import Lab, cluster_lab
from flowhub_assets_tests.kubernetes.fixtures import image_python
from flowhub_assets_tests.pods.cloned_flow import cloned, repository

__all__ = ["image_python"]

pytestmark = pytest.mark.timeout(280)

MIXED = """\
import os, socket
from flowhub import flow, show, task
from flowhub_assets.runtime.step_context import current_step

@task
def start(args):
    return {"n": 3, "$(HOSTNAME)": "$$ costs"}

@task(cpu="0.1", memory="512Mi")
def heavy(args):
    return {"twice": args["n"] * 2, "in": os.environ["HOSTNAME"]}

@task(image="team/speech:1", gpu="1", memory="256Mi")
def own(args):
    print("printed in the pod")
    current_step().log.warning("warned in the pod")
    show("rows", [{"a": 1}])
    return {"four": args["twice"] * 2, "pod": os.environ["HOSTNAME"], "n": args["n"], "odd": args["$(HOSTNAME)"]}

@task
def end(args):
    return args

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def mixed(args):
    first = start(args)
    return end(own(first, heavy(first)))
"""


HERE = {"default": {"WORKSPACE": "BASE/files"}}

STREAMS = """\
import os, time
from flowhub import flow, task

@task(image="team/speech:1")
def waits(args):
    print("I wait", flush=True)
    while not os.path.exists("BASE/go"):
        time.sleep(0.05)
    return {}

@flow(env={"default": {"WORKSPACE": "BASE/files"}})
def streams(args):
    return waits(args)
"""


@pytest.fixture(scope="module")
def lab(tmp_path_factory: pytest.TempPathFactory, image_python: Path) -> Iterator[Lab]:
    url = repository(tmp_path_factory.mktemp("repository"))
    files = {
        "mixed.py": MIXED,
        "streams.py": STREAMS,
        "workflow.py": cloned(url, "v1", "here").replace("repo=", f"env={HERE}, repo="),
        "helper.py": "NAME = 'helper of here'\n",
    }
    with cluster_lab(tmp_path_factory.mktemp("lab"), image_python, files) as lab:
        yield lab


def test_a_mixed_run(lab: Lab) -> None:
    run_id = lab.launch("mixed")
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    run_pod, heavy, own = (pod.name for pod in lab.cluster.all_pods)
    value = json.loads((lab.base / "files/mixed/runs" / run_id / "end.json").read_text())
    assert value == {"four": 12, "pod": own, "n": 3, "odd": "$$ costs"}
    value = json.loads((lab.base / "files/mixed/runs" / run_id / "heavy.json").read_text())
    assert value == {"twice": 6, "in": heavy}
    logged = {(one.step_key, one.level, one.user_message) for one in lab.events(run_id)}
    assert ("mixed__own", logging.WARNING, "warned in the pod") in logged
    assert lab.printed(run_id, "mixed__own").splitlines()[-1] == "printed in the pod"
    (made,) = [one for one in lab.events(run_id, "ASSET_MATERIALIZATION") if one.step_key == "mixed__own"]
    assert set(made.asset_materialization.metadata) >= {"rows", "preview"}
    owners = {owner["name"] for pod in lab.posted("Job")[1:] for owner in pod["metadata"]["ownerReferences"]}
    assert owners == {run_pod.rpartition("-")[0]}
    assert lab.cluster.refused == []


def test_each_heavy_step_is_one_call_and_the_following_of_a_log(lab: Lab) -> None:
    lab.cluster.calls.clear()
    assert lab.end_of(lab.launch("mixed")) == "SUCCESS"
    calls = lab.cluster.calls
    assert calls["create", "jobs"] == 3, "the run's own, and one for each heavy step"
    assert calls["follow", "pods/log"] == 1
    assert calls["create", "configmaps"] == 1
    assert sum(calls.values()) <= 3 + 1 + 1 + 5, f"its own pod, two lists and two watches for all steps: {calls}"


def test_what_a_pod_prints_is_there_while_it_runs(lab: Lab) -> None:
    run_id = lab.launch("streams")
    lab.wait(lambda: "I wait" in lab.printed(run_id, "streams__waits"), "the line of the pod that waits")
    assert lab.steps(run_id, "STEP_SUCCESS") == []
    (lab.base / "go").touch()
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)


def test_code_of_a_repository_is_cloned_at_its_ref(lab: Lab) -> None:
    run_id = lab.launch("cloned")
    assert lab.end_of(run_id) == "SUCCESS", lab.told(run_id)
    value = json.loads((lab.base / "files/cloned/runs" / run_id / "say.json").read_text())
    assert value == {"version": "v1", "helper": "helper of v1"}
