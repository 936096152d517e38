"""Placement → the parts of a Kubernetes pod that it asks for, in the words of its own API (Container, PodSpec).

And what every pod of ours is told beside: as little right as the PodSecurity standard's "restricted" leaves it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from flowhub_assets.ir.gpu_presets import preset_and_count
from flowhub_assets.ir.json_copy import json_copy
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount

#: What a GPU is called where nothing else is said.
GPU_RESOURCE = "nvidia.com/gpu"

_STORAGE = "ephemeral-storage"


def container(placement: Placement) -> dict[str, Any]:
    """What it says of the container: image, resources, mounts; {} where it asks for nothing."""
    return _present(
        {
            "image": placement.image,
            "resources": _resources(placement),
            "volumeMounts": [_volume_mount(mount) for mount in placement.volume_mounts],
        }
    )


def pod_spec(
    placement: Placement,
    volumes: Iterable[Volume] = (),
    service_account_name: Optional[str] = None,
    image_pull_secrets: Iterable[str] = (),
) -> dict[str, Any]:
    """What it says of the pod around it, its active deadline among it; what the others name stands behind.

    Only those of ``volumes`` that the placement mounts come along.
    """
    mounted = {mount.name for mount in placement.volume_mounts}
    secrets = dict.fromkeys((*placement.image_pull_secrets, *image_pull_secrets))
    return _present(
        {
            "serviceAccountName": placement.service_account_name or service_account_name,
            "imagePullSecrets": [{"name": name} for name in secrets],
            "priorityClassName": placement.priority_class_name,
            "activeDeadlineSeconds": placement.active_deadline,
            "nodeSelector": dict(placement.node_selector),
            "affinity": json_copy(placement.affinity),
            "tolerations": [_toleration(toleration) for toleration in placement.tolerations],
            "volumes": [_volume(volume) for volume in volumes if volume.name in mounted],
        }
    )


def pod_metadata(
    placement: Placement, labels: Optional[Mapping[str, str]] = None, annotations: Optional[Mapping[str, str]] = None
) -> dict[str, Any]:
    """The pod's labels and annotations: those given, and over them the placement's own."""
    return _present(
        {
            "labels": {**(labels or {}), **placement.labels},
            "annotations": {**(annotations or {}), **placement.annotations},
        }
    )


def _resources(placement: Placement) -> dict[str, Any]:
    requests = {"cpu": placement.cpu, "memory": placement.memory, _STORAGE: placement.ephemeral_storage}
    limits = {
        "cpu": placement.limit_cpu,
        "memory": placement.limit_memory,
        _STORAGE: placement.limit_ephemeral_storage,
        # Kubernetes copies the limit of an extended resource such as a GPU to its request.
        placement.gpu_resource or GPU_RESOURCE: None if placement.gpu is None else preset_and_count(placement.gpu)[1],
    }
    return _present({"requests": _present(requests), "limits": _present(limits)})


def _toleration(toleration: Toleration) -> dict[str, Any]:
    return _present(
        {
            "key": toleration.key,
            "operator": toleration.operator,
            "value": toleration.value,
            "effect": toleration.effect,
            "tolerationSeconds": toleration.toleration_seconds,
        }
    )


def _volume_mount(mount: VolumeMount) -> dict[str, Any]:
    return _present(
        {
            "name": mount.name,
            "mountPath": mount.mount_path,
            "subPath": mount.sub_path,
            "readOnly": mount.read_only or None,
        }
    )


def _volume(volume: Volume) -> dict[str, Any]:
    if volume.persistent_volume_claim:
        source: dict[str, Any] = {"persistentVolumeClaim": {"claimName": volume.persistent_volume_claim}}
    elif volume.config_map:
        source = {"configMap": {"name": volume.config_map}}
    elif volume.secret:
        source = {"secret": {"secretName": volume.secret}}
    elif volume.host_path:
        source = {"hostPath": {"path": volume.host_path}}
    else:
        source = {"emptyDir": {"sizeLimit": volume.empty_dir} if isinstance(volume.empty_dir, str) else {}}
    return {"name": volume.name, **source}


#: The user and group that a pod has where nothing else is said: nobody's on any image.
USER = 65532
_TMP = "/tmp"  # noqa: S108 - in a container, where it is the pod's own


def restricted(pod_spec: Mapping[str, Any], user: int = USER) -> dict[str, Any]:
    """``pod_spec`` as the PodSecurity standard "restricted" wants it, and with a root file system that is read only.

    Each container has a folder of the pod's own at /tmp, with HOME and TMPDIR there, unless it mounts something at
    /tmp. What ``pod_spec`` says itself stands, key by key: ``{"securityContext": {"runAsUser": 0, "runAsNonRoot":
    False}}`` opts out of these two alone. ``pod_spec`` is left as it is.
    https://kubernetes.io/docs/concepts/security/pod-security-standards/
    """
    spec: dict[str, Any] = json_copy(pod_spec)
    spec["securityContext"] = {
        "runAsNonRoot": True,
        "runAsUser": user,
        "runAsGroup": user,
        "fsGroup": user,
        "seccompProfile": {"type": "RuntimeDefault"},
        **(spec.get("securityContext") or {}),
    }
    containers = [one for key in ("initContainers", "containers") for one in spec.get(key) or []]
    for one in containers:
        _restrict(one)
    without_tmp = [one for one in containers if not _mounts_tmp(one)]
    if without_tmp:
        volumes = spec.get("volumes") or []
        name = "flowhub-tmp"
        while any(volume["name"] == name for volume in volumes):
            name += "-2"
        spec["volumes"] = [*volumes, {"name": name, "emptyDir": {}}]
        for one in without_tmp:
            one["volumeMounts"] = [*(one.get("volumeMounts") or []), {"name": name, "mountPath": _TMP}]
    return spec


def _mounts_tmp(container: Mapping[str, Any]) -> bool:
    return any(mount["mountPath"].rstrip("/") == _TMP for mount in container.get("volumeMounts") or [])


def _restrict(container: dict[str, Any]) -> None:
    given = container.get("securityContext") or {}
    container["securityContext"] = {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        **given,
        "capabilities": {"drop": ["ALL"], **(given.get("capabilities") or {})},
    }
    entries = container.get("env") or []
    named = {entry["name"] for entry in entries}
    added = [{"name": name, "value": _TMP} for name in ("HOME", "TMPDIR") if name not in named]
    container["env"] = [*entries, *added]


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, {}, [])}
