"""Placement → the parts of a Kubernetes pod that it asks for, in the words of its own API (Container, PodSpec)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, Optional

from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount

_GPU = "nvidia.com/gpu"


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
    placement: Placement, volumes: Iterable[Volume] = (), service_account_name: Optional[str] = None
) -> dict[str, Any]:
    """What it says of the pod around it. Only those of ``volumes`` that the placement mounts come along."""
    mounted = {mount.name for mount in placement.volume_mounts}
    return _present(
        {
            "serviceAccountName": service_account_name,
            "nodeSelector": dict(placement.node_selector),
            "tolerations": [_toleration(toleration) for toleration in placement.tolerations],
            "volumes": [_volume(volume) for volume in volumes if volume.name in mounted],
        }
    )


def _resources(placement: Placement) -> dict[str, Any]:
    # Kubernetes copies the limit of an extended resource such as a GPU to its request.
    requests = {"cpu": placement.cpu, "memory": placement.memory}
    limits = {"cpu": placement.limit_cpu, "memory": placement.limit_memory, _GPU: placement.gpu}
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


def _present(values: Mapping[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in values.items() if value not in (None, {}, [])}
