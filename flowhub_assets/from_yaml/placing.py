"""Where a node runs, as a file writes it: ``placement:`` of a node, ``volumes:`` of a pipeline."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from flowhub_assets.from_yaml.section import Section
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.quantities import written
from flowhub_assets.nodes import implied

PLACEMENT_KEYS = (
    "image",
    "cpu",
    "memory",
    "gpu",
    "limitCpu",
    "limitMemory",
    "tolerations",
    "nodeSelector",
    "volumeMounts",
    "ephemeralStorage",
    "limitEphemeralStorage",
    "gpuResource",
    "affinity",
    "labels",
    "annotations",
    "serviceAccountName",
    "imagePullSecrets",
    "priorityClassName",
    "activeDeadline",
)
TOLERATION_KEYS = ("key", "operator", "value", "effect", "tolerationSeconds")
MOUNT_KEYS = ("name", "mountPath", "subPath", "readOnly")
VOLUME_KEYS = ("name", "persistentVolumeClaim", "configMap", "secret", "hostPath", "emptyDir")


def placement(node: Section, run_on: str | None) -> Placement:
    """The ``placement:`` of ``node``; a node that runs on a GPU asks for one where it does not say how many."""
    given = node.section("placement", "{cpu: 2, memory: 4Gi}")
    if given is None:
        return implied.placement(run_on)
    given.allow(PLACEMENT_KEYS)
    gpu = _quantity(given, "gpu")
    return Placement(
        image=given.text("image", "python:3.11-slim"),
        cpu=_quantity(given, "cpu"),
        memory=_quantity(given, "memory"),
        gpu="1" if gpu is None and run_on == "gpu" and "gpu" not in given.data else gpu,
        limit_cpu=_quantity(given, "limitCpu"),
        limit_memory=_quantity(given, "limitMemory"),
        tolerations=tuple(_toleration(part) for part in given.sections("tolerations", "{key: gpu, operator: Exists}")),
        node_selector=labels(given, "nodeSelector"),
        volume_mounts=tuple(_mount(part) for part in given.sections("volumeMounts", "{name: data, mountPath: /data}")),
        ephemeral_storage=_quantity(given, "ephemeralStorage"),
        limit_ephemeral_storage=_quantity(given, "limitEphemeralStorage"),
        gpu_resource=given.text("gpuResource", "nvidia.com/gpu"),
        affinity=given.mapping("affinity", "{nodeAffinity: {...}}"),
        labels=labels(given, "labels"),
        annotations=labels(given, "annotations"),
        service_account_name=given.text("serviceAccountName", "my-sa"),
        image_pull_secrets=given.texts("imagePullSecrets", "my-registry"),
        priority_class_name=given.text("priorityClassName", "batch-low"),
        active_deadline=_whole_seconds(given, "activeDeadline"),
    )


def volumes(pipeline: Section) -> tuple[Volume, ...]:
    """The ``volumes:`` of ``pipeline``."""
    return tuple(_volume(part) for part in pipeline.sections("volumes", "{name: data, persistentVolumeClaim: data}"))


def labels(section: Section, key: str) -> Mapping[str, Any]:
    """An object of texts, where numbers and booleans are mistakes that ir.checks tells in Kubernetes' words."""
    return section.mapping(key, "{name: value}")


def _quantity(section: Section, key: str) -> str | None:
    value = section.data.get(key)
    if value is None:
        return None
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        return written(value)
    return section.text(key, "'2'")


def _whole_seconds(section: Section, key: str) -> int | None:
    seconds = section.seconds(key, "1h")
    if isinstance(seconds, float):
        if seconds.is_integer():
            return int(seconds)
        section.tell(key, f"{key} of {section.name} is {seconds:g} seconds", "Kubernetes counts whole ones", "round it")
        return None
    return seconds


def _toleration(section: Section) -> Toleration:
    section.allow(TOLERATION_KEYS)
    return Toleration(
        key=section.text("key", "nvidia.com/gpu"),
        operator=section.text("operator", "Exists") or "Equal",
        value=section.word("value", "'true'"),
        effect=section.text("effect", "NoSchedule"),
        toleration_seconds=section.whole("tolerationSeconds"),
    )


def _mount(section: Section) -> VolumeMount:
    section.allow(MOUNT_KEYS)
    return VolumeMount(
        name=_required(section, "name", "data"),
        mount_path=_required(section, "mountPath", "/data"),
        sub_path=section.text("subPath", "models"),
        read_only=section.flag("readOnly"),
    )


def _volume(section: Section) -> Volume:
    section.allow(VOLUME_KEYS)
    empty_dir = section.data.get("emptyDir")
    return Volume(
        name=_required(section, "name", "data"),
        persistent_volume_claim=section.text("persistentVolumeClaim", "data"),
        config_map=section.text("configMap", "settings"),
        secret=section.text("secret", "keys"),
        host_path=section.text("hostPath", "/data"),
        empty_dir=True if empty_dir == {} else empty_dir,
    )


def _required(section: Section, key: str, example: str) -> str:
    value = section.text(key, example)
    if value is None and key not in section:
        section.tell(None, f"{section.name} has no {key}", "", f"write {key}: {example}")
    return value or ""
