"""The Job of a run worker, as dagster-k8s makes it of our values, and the pods that the chart makes of them."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.deploy_check.folder import read_folder
from flowhub_assets.deploy_check.layers import Layers, at, laid_over
from flowhub_assets.deploy_check.official_pods import image_name, official_pods, run_job
from flowhub_assets_tests.deploy_check.changed_folder import DEPLOY

VALUES = Layers((read_folder(DEPLOY).values,)).data
DEPLOYMENT = VALUES["dagster-user-deployments"]["deployments"][0]
JOB = run_job(VALUES, DEPLOYMENT)
POD = JOB["spec"]["template"]["spec"]
(CONTAINER,) = POD["containers"]


def test_a_run_worker_has_its_own_rights_and_image() -> None:
    assert POD["serviceAccountName"] == "flowhub-runs"
    assert CONTAINER["image"] == "flowhub-assets:0.1.0"
    assert CONTAINER["imagePullPolicy"] == "IfNotPresent"


def test_a_run_worker_writes_into_folders_of_its_own_only() -> None:
    assert CONTAINER["securityContext"]["readOnlyRootFilesystem"] is True
    mounts = {mount["mountPath"]: mount["name"] for mount in CONTAINER["volumeMounts"]}
    empty = {volume["name"] for volume in POD["volumes"] if "emptyDir" in volume}
    assert {path for path, name in mounts.items() if name in empty} == {"/tmp", "/opt/dagster/dagster_home"}
    # Given by the launcher and by the code location, each volume is there once.
    assert len({volume["name"] for volume in POD["volumes"]}) == len(POD["volumes"])


def test_a_finished_job_goes_and_a_lost_one_is_dagsters_to_resume() -> None:
    assert JOB["spec"]["ttlSecondsAfterFinished"] == 86400
    assert JOB["spec"]["backoffLimit"] == 0


def test_credentials_come_from_secrets() -> None:
    assert {"secretRef": {"name": "flowhub-storage"}} in CONTAINER["envFrom"]
    (password,) = [entry for entry in CONTAINER["env"] if entry["name"] == "DAGSTER_PG_PASSWORD"]
    assert password["valueFrom"]["secretKeyRef"]["name"] == "dagster-postgresql-secret"


def test_a_code_location_may_keep_its_settings_from_the_runs() -> None:
    alone = run_job(VALUES, {**DEPLOYMENT, "includeConfigInLaunchedRuns": {"enabled": False}})
    pod = alone["spec"]["template"]["spec"]
    assert pod["serviceAccountName"] == "flowhub-dagster"
    assert {volume["name"] for volume in pod["volumes"]} == {"scratch", "dagster-home"}


def test_a_probe_that_is_off_is_none() -> None:
    off = laid_over(VALUES, {"dagsterDaemon": {"startupProbe": {"enabled": False}, "livenessProbe": None}})
    ((_path, daemon),) = [(path, one) for path, one in official_pods(off) if path == ("dagsterDaemon",)]
    container = at(daemon, "spec", "template", "spec", "containers", 0)
    assert "startupProbe" not in container
    assert "livenessProbe" not in container


def container_of(change: dict[str, Any]) -> Any:
    pods = dict(
        official_pods(laid_over(VALUES, {"dagster-user-deployments": {"deployments": [{**DEPLOYMENT, **change}]}}))
    )
    return at(pods["dagster-user-deployments", "deployments", 0], "spec", "template", "spec", "containers", 0)


def test_a_code_location_is_asked_whether_it_serves() -> None:
    command = ["dagster", "api", "grpc-health-check", "-p", "3030"]
    container = container_of({})
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert container[probe]["exec"]["command"] == command
        assert "enabled" not in container[probe]


def test_the_charts_own_word_stays_where_the_chart_leaves_it() -> None:
    # Kubernetes refuses the field: `flowhub deploy check` is to say so before.
    container = container_of({"readinessProbe": {"enabled": True, "exec": {"command": ["true"]}}})
    assert container["readinessProbe"]["enabled"] is True
    assert "readinessProbe" not in container_of({"readinessProbe": {"enabled": False}})


def test_every_pod_of_the_chart_is_there() -> None:
    assert [(path[0], one["kind"]) for path, one in official_pods(VALUES)] == [
        ("dagsterWebserver", "Deployment"),
        ("dagsterDaemon", "Deployment"),
        ("dagster-user-deployments", "Deployment"),
        ("runLauncher", "Job"),
    ]


@pytest.mark.parametrize(
    ("image", "name"),
    [
        ({"repository": "a", "tag": "1"}, "a:1"),
        ({"repository": "a", "tag": 1}, "a:1"),
        ({"repository": "a", "tag": None}, "a"),
        ({"repository": "a", "tag": "1", "digest": "sha256:0"}, "a@sha256:0"),
    ],
)
def test_an_images_name(image: dict[str, Any], name: str) -> None:
    assert image_name(image) == name
