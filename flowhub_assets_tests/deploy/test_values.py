"""The values mean what they should: the least rights, closed doors, the same profiles in every overlay."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import dagster_k8s
import pytest
import yaml

from flowhub_assets.deploy_check.layers import at
from flowhub_assets.ir.gpu_presets import GPU
from flowhub_assets.ir.kubernetes_spec import USER
from flowhub_assets_tests.checkout import ROOT

HELM = ROOT / "deploy" / "helm"
VALUES, GPU_VALUES, MINIO_VALUES, PRODUCTION = (
    yaml.safe_load((HELM / name).read_text("utf-8"))
    for name in ("values.yaml", "values-gpu.yaml", "values-minio.yaml", "values-production.yaml")
)
EXTRA: list[dict[str, Any]] = VALUES["extraManifests"]
#: A call of the Kubernetes client: what it does, and to what.
_CALL = re.compile(
    r"\.(create|read|list|delete_collection|delete|patch|replace)_namespaced_(job_status|job|pod_log|pod|config_map|event)\b"
)
_RESOURCES = {
    "job": "jobs",
    "job_status": "jobs/status",
    "pod": "pods",
    "pod_log": "pods/log",
    "config_map": "configmaps",
    "event": "events",
}
_VERBS = {"read": "get", "delete_collection": "deletecollection", "replace": "update"}


def rights(role: str) -> set[tuple[str, str]]:
    """(resource, verb) of a Role."""
    (found,) = [one for one in EXTRA if one["kind"] == "Role" and one["metadata"]["name"] == role]
    return {(resource, verb) for rule in found["rules"] for resource in rule["resources"] for verb in rule["verbs"]}


def calls(files: list[Path]) -> set[tuple[str, str]]:
    """(resource, verb) of what ``files`` call; who watches has ``watch=True`` beside a list."""
    needed = set()
    for file in files:
        text = file.read_text("utf-8")
        for verb, what in _CALL.findall(text):
            needed.add((_RESOURCES[what], _VERBS.get(verb, verb)))
            if verb == "list" and "watch=True" in text and what != "event":
                needed.add((_RESOURCES[what], "watch"))
    return needed


LAUNCHER = calls([Path(dagster_k8s.__file__).parent / "client.py"])
EXECUTOR = calls(sorted((ROOT / "flowhub_assets" / "executor" / "kubernetes").glob("*.py")))


def test_the_control_plane_may_what_dagster_k8s_calls_and_no_more() -> None:
    assert LAUNCHER
    assert rights("flowhub-dagster") - LAUNCHER <= {("jobs", "get"), ("events", "get")}
    assert rights("flowhub-dagster") >= LAUNCHER


def test_a_run_worker_may_what_the_executor_and_dagster_k8s_call() -> None:
    assert rights("flowhub-runs") >= LAUNCHER | EXECUTOR


def test_nobody_may_anything_or_read_a_secret() -> None:
    for role in ("flowhub-dagster", "flowhub-runs"):
        assert not {verb for _resource, verb in rights(role)} & {"*", "update", "escalate", "bind", "impersonate"}
        assert not {resource for resource, _verb in rights(role)} & {"*", "secrets", "pods/exec", "serviceaccounts"}
    assert VALUES["rbacEnabled"] is False
    assert VALUES["dagster-user-deployments"]["rbacEnabled"] is False


def test_each_role_is_bound_to_its_own_service_account() -> None:
    bindings = {
        one["roleRef"]["name"]: [subject["name"] for subject in one["subjects"]]
        for one in EXTRA
        if one["kind"] == "RoleBinding"
    }
    assert bindings == {"flowhub-dagster": ["flowhub-dagster"], "flowhub-runs": ["flowhub-runs"]}
    assert VALUES["serviceAccount"]["name"] == "flowhub-dagster"
    assert VALUES["dagster-user-deployments"]["serviceAccount"]["name"] == "flowhub-runs"


def policies() -> dict[str, dict[str, Any]]:
    return {one["metadata"]["name"]: one["spec"] for one in EXTRA if one["kind"] == "NetworkPolicy"}


def test_who_is_not_let_in_stays_outside() -> None:
    assert policies()["flowhub-closed"] == {"podSelector": {}, "policyTypes": ["Ingress"]}


def test_the_ports_that_are_open_are_those_that_are_served() -> None:
    ports = {
        name: [port["port"] for rule in spec.get("ingress", []) for port in rule["ports"]]
        for name, spec in policies().items()
        if "Ingress" in spec["policyTypes"]
    }
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    assert ports == {
        "flowhub-closed": [],
        "flowhub-code-server": [deployment["port"]],
        "flowhub-webserver": [VALUES["dagsterWebserver"]["service"]["port"]],
        "flowhub-postgresql": [VALUES["postgresql"]["service"]["port"]],
        "flowhub-minio": [9000],
    }


def test_the_steps_do_not_reach_the_nodes_own_rights() -> None:
    steps = policies()["flowhub-steps"]
    assert steps["podSelector"]["matchLabels"] == {"app.kubernetes.io/component": "step_worker"}
    blocks = [to["ipBlock"] for rule in steps["egress"] for to in rule["to"] if "ipBlock" in to]
    assert {block["cidr"]: block["except"] for block in blocks} == {
        "0.0.0.0/0": ["169.254.169.254/32"],
        "::/0": ["fd00:ec2::254/128"],
    }


@pytest.mark.parametrize("component", ["dagsterWebserver", "dagsterDaemon", "user code"])
def test_probes_ask_the_port_that_is_served(component: str) -> None:
    own = VALUES.get(component) or VALUES["dagster-user-deployments"]["deployments"][0]
    port = str(at(own, "service", "port") or own.get("port", ""))
    for probe in ("startupProbe", "livenessProbe"):
        asked = at(own[probe], "httpGet", "port") or at(own[probe], "exec", "command", 4)
        assert asked is None or str(asked) == port
        assert at(own[probe], "exec", "command", default=["dagster"])[0] in ("dagster", "dagster-daemon")


def test_every_pod_has_the_user_of_the_image() -> None:
    dockerfile = (ROOT / "deploy" / "images" / "Dockerfile").read_text("utf-8")
    assert f"USER {USER}:{USER}" in dockerfile
    for own in (
        VALUES["dagsterWebserver"],
        VALUES["dagsterDaemon"],
        *VALUES["dagster-user-deployments"]["deployments"],
    ):
        assert own["podSecurityContext"]["runAsUser"] == USER


def profiles(values: dict[str, Any]) -> dict[str, Any]:
    (settings,) = values["dagster-user-deployments"]["extraManifests"]
    found: dict[str, Any] = tomllib.loads(settings["data"]["pyproject.toml"])["tool"]["flowhub"]["env"]
    return found


def test_the_overlay_for_gpus_adds_kinds_of_gpu_and_nothing_else() -> None:
    with_gpus = profiles(GPU_VALUES)
    presets = [profile.pop(GPU) for profile in with_gpus.values()]
    assert with_gpus == profiles(VALUES)
    assert all(preset == presets[0] for preset in presets)
    assert set(presets[0]) == {"a100", "t4"}


def test_the_code_location_reads_the_profiles_where_they_are_mounted() -> None:
    (deployment,) = VALUES["dagster-user-deployments"]["deployments"]
    (mount,) = [one for one in deployment["volumeMounts"] if one["name"] == "flowhub-settings"]
    dockerfile = (ROOT / "deploy" / "images" / "Dockerfile").read_text("utf-8")
    (folder,) = re.findall(r"^WORKDIR (/opt\S+)$", dockerfile, re.MULTILINE)
    # A pyproject.toml is looked for in the working directory and above.
    assert Path(mount["mountPath"]).parent in Path(folder).parents


def test_an_overlay_replaces_no_list_that_it_does_not_mean_to() -> None:
    for overlay in (MINIO_VALUES, PRODUCTION):
        assert "extraManifests" not in overlay
        assert "dagster-user-deployments" not in overlay
    assert set(GPU_VALUES) == {"dagster-user-deployments"}
    assert set(GPU_VALUES["dagster-user-deployments"]) == {"extraManifests"}
