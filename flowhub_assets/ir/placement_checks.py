"""Checks of where tasks run: what Kubernetes would refuse, said before anything is sent to it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from flowhub_assets.ir import kubernetes_names, quantities
from flowhub_assets.ir.affinity_faults import affinity_faults
from flowhub_assets.ir.gpu_presets import gpu_fault, presets_are_legal, resource_fault
from flowhub_assets.ir.pipeline import Pipeline, Source, Task
from flowhub_assets.ir.placement import Volume, VolumeMount
from flowhub_assets.ir.placement_faults import annotation_faults, label_faults, toleration_faults
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import all_tasks, told

_REFUSED = "Kubernetes would refuse the pod"
_QUANTITIES = (
    ("cpu", quantities.cpu_fault),
    ("limit_cpu", quantities.cpu_fault),
    ("memory", quantities.memory_fault),
    ("limit_memory", quantities.memory_fault),
    ("ephemeral_storage", quantities.memory_fault),
    ("limit_ephemeral_storage", quantities.memory_fault),
    ("gpu", gpu_fault),
)
_LONGEST_DEADLINE = 2**31 - 1
_OWNED_LABEL = re.compile(
    r"(?P<dagster>dagster/.*)|(?P<airflow>dag_id|task_id|run_id|try_number|map_index|kubernetes_pod_operator)"
    r"|(?P<kubernetes>batch\.kubernetes\.io/.*|controller-uid|job-name)"
)
_OWNERS = {"dagster": "Dagster", "airflow": "Airflow", "kubernetes": "Kubernetes"}
_SOURCES = ("persistent_volume_claim", "config_map", "secret", "host_path", "empty_dir")


def quantities_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """cpu, memory, storage and gpu are amounts that Kubernetes takes, and that are meant."""
    for task in all_tasks(pipeline):
        for word, fault in _QUANTITIES:
            text = getattr(task.placement, word)
            wrong = fault(text) if text is not None else None
            if wrong:
                yield Problem(f"{word} {text!r} of {told(task)} {wrong[0]}", task.source, _REFUSED, wrong[1])


def limits_reach_requests(pipeline: Pipeline) -> Iterator[Problem]:
    """A limit is not below the request."""
    for task in all_tasks(pipeline):
        for word in ("cpu", "memory", "ephemeral_storage"):
            request, limit = getattr(task.placement, word), getattr(task.placement, f"limit_{word}")
            try:
                below = (
                    request is not None and limit is not None and quantities.parse(limit) < quantities.parse(request)
                )
            except ValueError:
                continue  # quantities_are_legal says so
            if below:
                what = f"limit_{word} {limit!r} of {told(task)} is below its {word} {request!r}"
                yield Problem(what, task.source, _REFUSED, f"write limit_{word}={request!r} or more, or leave it out")


def images_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """An image is a name that a registry can have."""
    named = [
        (task.placement.image, f"image {task.placement.image!r} of {told(task)}", task.source)
        for task in all_tasks(pipeline)
    ]
    sidecar = pipeline.airflow_sidecar_image
    for image, what, where in [*named, (sidecar, f"airflow_sidecar_image {sidecar!r}", pipeline.source)]:
        if image is not None and (legal := kubernetes_names.image(image)):
            yield Problem(f"{what} is not the name of an image", where, _REFUSED, f"write {legal}")


def tolerations_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A toleration is one that Kubernetes reads, and that means something."""
    for task in all_tasks(pipeline):
        for toleration in task.placement.tolerations:
            for what, remedy in toleration_faults(toleration):
                yield Problem(f"a toleration of {told(task)} {what}", task.source, _REFUSED, remedy)


def labels_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """Node selectors and labels are made of labels, and those by which others find a pod are left to them."""
    for task in all_tasks(pipeline):
        for what, remedy in label_faults(task.placement.node_selector):
            yield Problem(f"node_selector of {told(task)} {what}", task.source, _REFUSED, remedy)
    for owner, where, labels in _of_all(pipeline, "labels"):
        for what, remedy in label_faults(labels):
            yield Problem(f"a label of {owner} {what}", where, _REFUSED, remedy)
        for key in labels:
            if owned := _OWNED_LABEL.fullmatch(key):
                effect = f"{_OWNERS[owned.lastgroup or '']} sets it, and finds the pod by it"
                yield Problem(f"a label of {owner} has the key {key!r}", where, effect, "choose another key")


def _of_all(pipeline: Pipeline, word: str) -> Iterator[tuple[str, Source, Any]]:
    """What the pipeline and each task say by ``word``, with how they are called and where they stand."""
    yield "the pipeline", pipeline.source, getattr(pipeline, word)
    for task in all_tasks(pipeline):
        yield told(task), task.source, getattr(task.placement, word)


def annotations_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """An annotation has a key like a label's, and any text."""
    for task in all_tasks(pipeline):
        for what, remedy in annotation_faults(task.placement.annotations):
            yield Problem(f"an annotation of {told(task)} {what}", task.source, _REFUSED, remedy)


def names_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """What a pod refers to by name has a name that Kubernetes takes."""
    for task in all_tasks(pipeline):
        for word in ("service_account_name", "priority_class_name"):
            name = getattr(task.placement, word)
            if name is not None and (legal := kubernetes_names.dns_subdomain(name)):
                what = f"{word} {name!r} of {told(task)} is not a legal name"
                yield Problem(what, task.source, _REFUSED, f"write {legal}")
        resource = task.placement.gpu_resource
        if resource is not None and (remedy := resource_fault(resource)):
            what = f"gpu_resource {resource!r} of {told(task)} is not the name of a resource"
            yield Problem(what, task.source, _REFUSED, remedy)
        if resource is not None and task.placement.gpu is None:
            what = f"gpu_resource {resource!r} of {told(task)} is given without gpu"
            yield Problem(what, task.source, "it would have no effect", "write gpu='1' too, or leave it out")
    for owner, where, secrets in _of_all(pipeline, "image_pull_secrets"):
        for name in secrets:
            if legal := kubernetes_names.dns_subdomain(name):
                what = f"image_pull_secrets of {owner} have {name!r}, which is not a legal name"
                yield Problem(what, where, _REFUSED, f"write {legal}")


def deadlines_are_seconds(pipeline: Pipeline) -> Iterator[Problem]:
    """An active deadline is a whole number of seconds, from 1 to what Kubernetes can count."""
    for task in all_tasks(pipeline):
        deadline = task.placement.active_deadline
        if deadline is not None and not 1 <= deadline <= _LONGEST_DEADLINE:
            what = f"active_deadline {deadline} of {told(task)} is not from 1 to {_LONGEST_DEADLINE} seconds"
            yield Problem(what, task.source, _REFUSED, "write how long its pod may be there, in seconds: 3600")


def affinities_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """An affinity has the shape that Kubernetes gives it."""
    for task in all_tasks(pipeline):
        for what, remedy in affinity_faults(task.placement.affinity):
            yield Problem(f"affinity of {told(task)} {what}", task.source, _REFUSED, remedy)


def volumes_have_one_source(pipeline: Pipeline) -> Iterator[Problem]:
    """A volume has a legal name of its own and exactly one source."""
    seen: set[str] = set()
    for volume in pipeline.volumes:
        for what, remedy in _volume_faults(volume):
            yield Problem(f"volume {volume.name!r} {what}", pipeline.source, _REFUSED, remedy)
        if volume.name in seen:
            yield Problem(f"two volumes are named {volume.name!r}", pipeline.source, _REFUSED, "rename one of them")
        seen.add(volume.name)


def _volume_faults(volume: Volume) -> Iterator[tuple[str, str]]:
    if legal := kubernetes_names.dns_label(volume.name):
        yield "has a name that Kubernetes does not take", f"write {legal}"
    given = [source for source in _SOURCES if getattr(volume, source) not in (None, False)]
    if not given:
        yield "has no source", f"give one of {', '.join(_SOURCES)}"
    if len(given) > 1:
        yield f"has {len(given)} sources, {listed(given)}", "keep one of them, or make two volumes"
    for source in ("persistent_volume_claim", "config_map", "secret"):
        name = getattr(volume, source)
        if name is not None and (legal := kubernetes_names.dns_subdomain(name)):
            yield f"names the {source} {name!r}", f"write {legal}"
    if volume.host_path is not None and not volume.host_path.startswith("/"):
        yield f"has the relative host_path {volume.host_path!r}", "write an absolute folder of the node: '/data'"
    if isinstance(volume.empty_dir, str) and (wrong := quantities.memory_fault(volume.empty_dir)):
        yield f"has the size limit {volume.empty_dir!r}, which {wrong[0]}", wrong[1]
    elif not isinstance(volume.empty_dir, (str, bool, type(None))):
        yield f"has empty_dir={volume.empty_dir!r}", "write True, or a size limit: '1Gi'"


def mounts_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A mount names a volume of the flow and a place of its own."""
    volumes = [volume.name for volume in pipeline.volumes]
    for task in all_tasks(pipeline):
        for what, remedy in _mount_faults(task, volumes):
            yield Problem(f"{told(task)} mounts {what}", task.source, _REFUSED, remedy)


def _mount_faults(task: Task, volumes: list[str]) -> Iterator[tuple[str, str]]:
    at: dict[str, VolumeMount] = {}
    for mount in task.placement.volume_mounts:
        if mount.name not in volumes:
            has = did_you_mean(mount.name, volumes) or f"the flow's volumes are: {listed(volumes)}"
            yield f"the volume {mount.name!r}, which the flow does not have", f"{has}; name it in @flow(volumes=[...])"
        path = mount.mount_path
        if not path.startswith("/") or ":" in path or ".." in path.split("/"):
            yield f"{mount.name!r} at {path!r}", "write an absolute path of the container without ':' and '..': '/data'"
        if mount.sub_path is not None and (mount.sub_path.startswith("/") or ".." in mount.sub_path.split("/")):
            yield f"the sub_path {mount.sub_path!r}", "write a path inside the volume, without a leading '/' and '..'"
        place = path.rstrip("/")
        if place in at:
            yield f"{at[place].name!r} and {mount.name!r} both at {path!r}", "give each mount its own mount_path"
        at.setdefault(place, mount)


CHECKS = (
    quantities_are_legal,
    limits_reach_requests,
    images_are_legal,
    tolerations_are_legal,
    labels_are_legal,
    annotations_are_legal,
    names_are_legal,
    deadlines_are_seconds,
    affinities_are_legal,
    volumes_have_one_source,
    mounts_are_legal,
    presets_are_legal,
)
