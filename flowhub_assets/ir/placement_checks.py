"""Checks of where tasks run: what Kubernetes would refuse, said before anything is sent to it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from flowhub_assets.ir import kubernetes_names, quantities
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.placement import Toleration, Volume, VolumeMount
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import all_tasks, told

_REFUSED = "Kubernetes would refuse the pod"
_QUANTITIES = (
    ("cpu", quantities.cpu_fault),
    ("limit_cpu", quantities.cpu_fault),
    ("memory", quantities.memory_fault),
    ("limit_memory", quantities.memory_fault),
    ("gpu", quantities.gpu_fault),
)
_OPERATORS = ("Equal", "Exists")
_EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
_SOURCES = ("persistent_volume_claim", "config_map", "secret", "host_path", "empty_dir")


def quantities_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """cpu, memory and gpu are amounts that Kubernetes takes, and that are meant."""
    for task in all_tasks(pipeline):
        for word, fault in _QUANTITIES:
            text = getattr(task.placement, word)
            wrong = fault(text) if text is not None else None
            if wrong:
                yield Problem(f"{word} {text!r} of {told(task)} {wrong[0]}", task.source, _REFUSED, wrong[1])


def limits_reach_requests(pipeline: Pipeline) -> Iterator[Problem]:
    """A limit is not below the request."""
    for task in all_tasks(pipeline):
        for word in ("cpu", "memory"):
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
            for what, remedy in _toleration_faults(toleration):
                yield Problem(f"a toleration of {told(task)} {what}", task.source, _REFUSED, remedy)


def _toleration_faults(toleration: Toleration) -> Iterator[tuple[str, str]]:
    operator, effect = toleration.operator, toleration.effect
    if operator not in _OPERATORS:
        hint = did_you_mean(str(operator), _OPERATORS) or f"it is one of {listed(_OPERATORS)}"
        yield f"has the operator {operator!r}", hint
    if effect is not None and effect not in _EFFECTS:
        hint = did_you_mean(str(effect), _EFFECTS) or f"it is one of {listed(_EFFECTS)}"
        yield f"has the effect {effect!r}", hint
    if operator == "Exists" and toleration.value:
        yield f"asks whether {toleration.key!r} exists and for the value {toleration.value!r}", "write operator='Equal'"
    if operator == "Equal" and not toleration.key:
        yield "has no key", "write key='...', or operator='Exists' to tolerate every taint"
    if toleration.key and (legal := kubernetes_names.qualified_name(toleration.key)):
        yield f"has the key {toleration.key!r}", f"write {legal}"
    if toleration.value and (legal := kubernetes_names.label_value(toleration.value)):
        yield f"has the value {toleration.value!r}", f"write {legal}"
    if toleration.toleration_seconds is not None and effect != "NoExecute":
        yield f"has toleration_seconds with the effect {effect!r}", "write effect='NoExecute', or leave the seconds out"


def node_selectors_are_labels(pipeline: Pipeline) -> Iterator[Problem]:
    """A node selector is made of labels."""
    for task in all_tasks(pipeline):
        selector: Mapping[str, object] = task.placement.node_selector
        for key, value in selector.items():
            what = f"node_selector of {told(task)} has"
            if legal := kubernetes_names.qualified_name(key):
                yield Problem(f"{what} the key {key!r}", task.source, _REFUSED, f"write {legal}")
            if not isinstance(value, str):
                remedy = f"write {_as_text(value)}"
                yield Problem(f"{what} {key!r}: {value!r}, not a string", task.source, _REFUSED, remedy)
            elif legal := kubernetes_names.label_value(value):
                yield Problem(f"{what} {key!r}: {value!r}", task.source, _REFUSED, f"write {legal}")


def _as_text(value: object) -> str:
    return repr(str(value).lower() if isinstance(value, bool) else str(value))


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
    node_selectors_are_labels,
    volumes_have_one_source,
    mounts_are_legal,
)
