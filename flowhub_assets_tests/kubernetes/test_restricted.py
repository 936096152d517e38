from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import core_api, image_python, job, script, until
from flowhub_assets_tests.kubernetes.restricted import restricted_faults

__all__ = ["image_python"]

GOOD: dict[str, Any] = {
    "restartPolicy": "Never",
    "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
    "volumes": [{"name": "scratch", "emptyDir": {}}, {"name": "code", "projected": {"sources": []}}],
    "initContainers": [
        {
            "name": "first",
            "image": "python",
            "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
        }
    ],
    "containers": [
        {
            "name": "main",
            "image": "python",
            "securityContext": {
                "allowPrivilegeEscalation": False,
                "capabilities": {"drop": ["ALL"], "add": ["NET_BIND_SERVICE"]},
                "runAsUser": 1000,
            },
        }
    ],
}


def test_a_restricted_pod_has_no_faults() -> None:
    assert restricted_faults(GOOD) == []


def own(spec: dict[str, Any]) -> dict[str, Any]:
    context: dict[str, Any] = spec["containers"][0]["securityContext"]
    return context


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda spec: spec.update(hostNetwork=True, hostPID=True), "host namespaces (hostNetwork=true, hostPID=true)"),
        (lambda spec: spec["containers"][0].update(ports=[{"hostPort": 80}]), "hostPort"),
        (lambda spec: spec["volumes"].append({"name": "v", "hostPath": {"path": "/"}}), 'volume type "hostPath"'),
        (lambda spec: spec["volumes"].append({"name": "v", "nfs": {}}), 'volume "v" uses restricted volume type "nfs"'),
        (lambda spec: own(spec).update(privileged=True), "privileged (container"),
        (
            lambda spec: own(spec).pop("allowPrivilegeEscalation"),
            'n != false (container "main" must set securityContext.allowPrivilegeEscalation=false)',
        ),
        (lambda spec: own(spec).pop("capabilities"), 'must set securityContext.capabilities.drop=["ALL"]'),
        (lambda spec: own(spec)["capabilities"].update(add=["SYS_ADMIN"]), "anything but NET_BIND_SERVICE"),
        (lambda spec: own(spec).update(procMount="Unmasked"), "procMount"),
        (lambda spec: spec["securityContext"].pop("runAsNonRoot"), 'runAsNonRoot != true (containers "first", "main"'),
        (lambda spec: own(spec).update(runAsNonRoot=False), 'runAsNonRoot != true (container "main"'),
        (lambda spec: own(spec).update(runAsUser=0), "runAsUser=0"),
        (lambda spec: spec["securityContext"].pop("seccompProfile"), "seccompProfile (containers"),
        (lambda spec: own(spec).update(seccompProfile={"type": "Unconfined"}), 'seccompProfile (container "main"'),
        (lambda spec: spec["securityContext"].update(sysctls=[{"name": "kernel.msgmax"}]), "forbidden sysctls"),
        (lambda spec: own(spec).update(seLinuxOptions={"user": "u"}), "seLinuxOptions"),
        (lambda spec: own(spec).update(appArmorProfile={"type": "Unconfined"}), "AppArmor"),
        (lambda spec: own(spec).update(windowsOptions={"hostProcess": True}), "hostProcess"),
    ],
)
def test_each_control_is_checked(change: Callable[[Any], Any], said: str) -> None:
    spec = deepcopy(GOOD)
    change(spec)
    (fault,) = restricted_faults(spec)
    assert said in fault


def test_a_namespace_can_enforce_it(tmp_path: Path, image_python: Path) -> None:
    from kubernetes import client, config
    from kubernetes.client import ApiException

    with KubeDouble(tmp_path, image_python, restricted=["strict"]) as cluster:
        api = core_api(cluster)
        with pytest.raises(ApiException, match='violates PodSecurity \\\\"restricted:latest\\\\": allowPriv') as told:
            api.create_namespaced_pod("strict", script("pass"))
        assert told.value.status == 403
        api.create_namespaced_pod("default", script("pass"))
        spec = {**deepcopy(GOOD), "volumes": []}
        good = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "good"}, "spec": spec}
        api.create_namespaced_pod("strict", good)
        batch = client.BatchV1Api(config.new_client_from_config(str(cluster.kubeconfig)))
        batch.create_namespaced_job("strict", job("pass"))
        (event,) = until(lambda: api.list_namespaced_event("strict", field_selector="reason=FailedCreate").items)
        assert event.message.startswith('Error creating: pods "j-')
        assert "violates PodSecurity" in event.message
        assert batch.read_namespaced_job_status("j", "strict").status.active is None
