"""PodSecurity restricted: what a pod must say, and what it must not."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.deploy_check.pods import faults, security_problems

POD: dict[str, Any] = {"runAsNonRoot": True, "runAsUser": 65532, "seccompProfile": {"type": "RuntimeDefault"}}
CONTAINER: dict[str, Any] = {
    "allowPrivilegeEscalation": False,
    "readOnlyRootFilesystem": True,
    "capabilities": {"drop": ["ALL"]},
}


def spec(pod: dict[str, Any] | None = None, container: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    own = {"name": "one", "securityContext": {**CONTAINER, **(container or {})}}
    return {"securityContext": {**POD, **(pod or {})}, "containers": [own], **more}


def test_a_restricted_pod_has_no_fault() -> None:
    assert list(faults(spec())) == []


@pytest.mark.parametrize(
    ("wrong", "what"),
    [
        (spec(pod={"runAsNonRoot": None}), "runAsNonRoot is not true"),
        (spec(container={"runAsNonRoot": False}), "runAsNonRoot is not true"),
        (spec(container={"runAsUser": 0}), "runAsUser is 0, root"),
        (spec(pod={"seccompProfile": {"type": "Unconfined"}}), "there is no seccompProfile"),
        (spec(container={"privileged": True}), "it is privileged"),
        (spec(container={"allowPrivilegeEscalation": None}), "allowPrivilegeEscalation is not false"),
        (spec(container={"capabilities": {"drop": ["NET_RAW"]}}), "it keeps capabilities"),
        (spec(container={"capabilities": {"drop": ["ALL"], "add": ["SYS_ADMIN"]}}), "it adds capabilities"),
        (spec(container={"readOnlyRootFilesystem": None}), "its root file system can be written"),
        (spec(hostNetwork=True), "hostNetwork is true"),
        (spec(hostPID=True), "hostPID is true"),
        (spec(volumes=[{"name": "v", "hostPath": {"path": "/"}}]), "a volume of the node: hostPath"),
        (
            spec(initContainers=[{"name": "init", "securityContext": {**CONTAINER, "privileged": True}}]),
            "'init': it is",
        ),
    ],
)
def test_each_fault_is_told_alone(wrong: dict[str, Any], what: str) -> None:
    (fault,) = faults(wrong)
    assert what in fault[1]
    assert fault[2]
    assert fault[3]


def test_a_port_of_the_node_is_told() -> None:
    pod = spec()
    pod["containers"][0]["ports"] = [{"containerPort": 80, "hostPort": 80}]
    assert [path for path, *_more in faults(pod)] == [("containers", 0, "ports")]


def test_a_capability_to_listen_below_1024_is_allowed() -> None:
    assert list(faults(spec(container={"capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]}}))) == []


@pytest.mark.parametrize(
    ("kind", "path"),
    [
        ("Pod", ("spec",)),
        ("Deployment", ("spec", "template", "spec")),
        ("CronJob", ("spec", "jobTemplate", "spec", "template", "spec")),
    ],
)
def test_every_kind_that_makes_pods_is_looked_at(kind: str, path: tuple[str, ...]) -> None:
    data: Any = {"containers": [{"name": "one"}]}
    for part in reversed(path):
        data = {part: data}
    found = list(security_problems([Manifest({"kind": kind, **data}, lambda keys: (".".join(map(str, keys)), 1, 1))]))
    assert found[0].file == ".".join([*path, "containers.0.securityContext"])


def test_the_charts_own_postgresql_is_left_out() -> None:
    data = {
        "kind": "StatefulSet",
        "metadata": {"labels": {"app": "postgresql"}},
        "spec": {"template": {"spec": {"containers": [{"name": "one"}]}}},
    }
    assert list(security_problems([Manifest(data, lambda _keys: ("a", 1, 1))])) == []
