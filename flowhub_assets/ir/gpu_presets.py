"""Kinds of GPU by name, ``gpu='a100'`` or ``'a100:2'``; what the name means stands in the profile of the cluster.

    env={'cluster': {'BUCKET': ..., 'GPU': {
        'a100': {'node_selector': {'gpu': 'a100'}, 'tolerations': [{'key': 'nvidia.com/gpu', 'operator': 'Exists'}]},
        'mig': {'resource': 'nvidia.com/mig-1g.5gb'},
        'training': None,
    }}}

A preset that is None asks for no GPU: the profile of a cluster without any says so of what is nice to have.

A profile without GPU is that of a machine, where the name means nothing: a task runs there wherever the machine has it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Any, Optional

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir import kubernetes_names
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.placement import Placement, Toleration
from flowhub_assets.ir.placement_faults import label_faults, toleration_faults
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import told, with_changed_tasks

#: Where a profile keeps its presets.
GPU = "GPU"

_KEYS = ("resource", "node_selector", "tolerations")
#: A YAML file says nodeSelector everywhere else.
_SELECTOR_KEYS = ("node_selector", "nodeSelector")
_TOLERATION_KEYS = {
    "key": "key",
    "operator": "operator",
    "value": "value",
    "effect": "effect",
    "toleration_seconds": "toleration_seconds",
    "tolerationSeconds": "toleration_seconds",
}
#: A count may begin with a digit only, and so no preset does.
_NAME = re.compile(r"[A-Za-z]([A-Za-z0-9_.-]{0,61}[A-Za-z0-9])?", re.ASCII)
_ASKED = re.compile(rf"(?P<preset>{_NAME.pattern})(:(?P<count>[1-9][0-9]{{0,5}}))?", re.ASCII)
_LEGAL_NAME = "at most 63 letters, digits, '-', '_' and '.', a letter first and a letter or digit last"


def preset_and_count(gpu: str) -> tuple[Optional[str], str]:
    """What ``gpu`` asks for: the preset's name, None for a plain count, and how many ('1' where it does not say)."""
    match = _ASKED.fullmatch(gpu)
    return (match["preset"], match["count"] or "1") if match else (None, gpu)


def gpu_fault(text: str) -> Optional[tuple[str, str]]:
    """What is wrong with what a task says of its GPUs, and what to write instead; None if nothing is."""
    if (text.isascii() and text.isdigit()) or _ASKED.fullmatch(text):
        return None
    return (
        "is not a whole number of GPUs, which Kubernetes does not share, and not a preset's name",
        "write '1', '2' and so on, or a preset of the profile: 'a100', 'a100:2'",
    )


def unresolved(tasks: Iterable[Task]) -> list[Task]:
    """Those of ``tasks`` whose GPU still is a preset's name."""
    return [task for task in tasks if task.placement.gpu and preset_and_count(task.placement.gpu)[0] is not None]


def with_gpu_presets(pipeline: Pipeline, profile_name: str, profile: Mapping[str, Any]) -> Pipeline:
    """``pipeline`` with the GPUs of its tasks as counts, and the presets' node selectors and tolerations in the tasks'.

    What a task says itself goes before. Without GPU in ``profile``, the pipeline comes back as it is, names and all.
    Raises DefinitionError for a preset that is not there or cannot be used.
    """
    if profile.get(GPU) is None:
        return pipeline
    return with_changed_tasks(pipeline, lambda task: replace(task, placement=placed(task, profile_name, profile)))


def placed(task: Task, profile_name: str, profile: Mapping[str, Any]) -> Placement:
    """The placement of one task, by the rules of ``with_gpu_presets``."""
    placement, presets = task.placement, profile.get(GPU)
    name, count = preset_and_count(placement.gpu or "")
    if name is None or presets is None:
        return placement
    _require_usable(task, name, profile_name, presets)
    preset = presets[name]
    if preset is None:
        return replace(placement, gpu=None, gpu_resource=None)
    tolerations = [_toleration(item) for item in preset.get("tolerations", ())]
    return replace(
        placement,
        gpu=count,
        gpu_resource=placement.gpu_resource or preset.get("resource"),
        node_selector={**_selector(preset), **placement.node_selector},
        tolerations=(*placement.tolerations, *(one for one in tolerations if one not in placement.tolerations)),
    )


def _require_usable(task: Task, name: str, profile_name: str, presets: Any) -> None:
    if isinstance(presets, Mapping) and name not in presets:
        near = did_you_mean(name, presets)
        raise DefinitionError(
            f"gpu {task.placement.gpu!r} of {told(task)} names no preset of the profile {profile_name!r}",
            where=task.source,
            effect="nothing says which nodes and which GPUs are meant",
            remedy=f"{f'{near} ' if near else ''}its presets are: {listed(presets)}; add {name!r} under {GPU} there",
        )
    for what, remedy in preset_faults(presets):
        raise DefinitionError(
            f"{GPU} of the profile {profile_name!r} {what}",
            where=task.source,
            effect=f"{told(task)} asks for the preset {name!r}",
            remedy=remedy,
        )


def presets_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """The presets of GPUs that a profile has can be used."""
    profiles: Mapping[str, object] = pipeline.profiles
    for name, profile in profiles.items():
        if isinstance(profile, Mapping) and profile.get(GPU) is not None:
            for what, remedy in preset_faults(profile[GPU]):
                effect = "no task could ask for it"
                yield Problem(f"{GPU} of the profile {name!r} {what}", pipeline.source, effect, remedy)


def preset_faults(presets: object) -> Iterator[tuple[str, str]]:
    """What is wrong with the presets of a profile, and what to write instead."""
    if not isinstance(presets, Mapping):
        yield f"is a {type(presets).__name__}, not presets by name", f"write '{GPU}': {_EXAMPLE}"
        return
    for name, preset in presets.items():
        if not isinstance(name, str) or not _NAME.fullmatch(name):
            yield f"has a preset with the name {name!r}", f"write {_LEGAL_NAME}"
        elif preset is not None and not isinstance(preset, Mapping):
            yield f"has the preset {name!r}, which is a {type(preset).__name__}", f"write {_EXAMPLE}"
        elif preset is not None:
            for what, remedy in _faults(preset):
                yield f"has the preset {name!r}, which {what}", remedy


_EXAMPLE = "{'a100': {'node_selector': {'gpu': 'a100'}, 'tolerations': [{'key': 'gpu', 'operator': 'Exists'}]}}"


def _faults(preset: Mapping[Any, Any]) -> Iterator[tuple[str, str]]:
    for key in preset:
        if key not in (*_KEYS, *_SELECTOR_KEYS):
            yield f"has the key {key!r}", did_you_mean(str(key), _KEYS) or f"it takes {listed(_KEYS)}"
    resource = preset.get("resource")
    if resource is not None and (legal := resource_fault(resource)):
        yield f"names the resource {resource!r}", legal
    selector = _selector(preset)
    if not isinstance(selector, Mapping):
        yield f"has a node_selector that is a {type(selector).__name__}", "write {'label': 'value'}"
    else:
        for what, remedy in label_faults(selector):
            yield f"has a node_selector that {what}", remedy
    tolerations = preset.get("tolerations", ())
    if not isinstance(tolerations, (list, tuple)):
        yield f"has tolerations that are a {type(tolerations).__name__}", "write [{'key': 'gpu', 'operator': 'Exists'}]"
        return
    for item in tolerations:
        for what, remedy in _written_toleration_faults(item):
            yield f"has a toleration that {what}", remedy


def _selector(preset: Mapping[Any, Any]) -> Any:
    return next((preset[key] for key in _SELECTOR_KEYS if key in preset), {})


def resource_fault(resource: object) -> str:
    """What a legal name of a resource of GPUs looks like; '' for one."""
    legal = isinstance(resource, str) and "/" in resource and not kubernetes_names.qualified_name(resource)
    return "" if legal else "write what the device plugin calls it: 'nvidia.com/gpu', 'nvidia.com/mig-1g.5gb'"


def _written_toleration_faults(item: object) -> Iterator[tuple[str, str]]:
    if not isinstance(item, Mapping):
        yield f"is a {type(item).__name__}", "write {'key': 'gpu', 'operator': 'Exists'}"
        return
    for key, value in item.items():
        if key not in _TOLERATION_KEYS:
            remedy = did_you_mean(str(key), _TOLERATION_KEYS) or f"it takes {listed(Toleration.__dataclass_fields__)}"
            yield f"has the key {key!r}", remedy
            return
        wanted = int if _TOLERATION_KEYS[key] == "toleration_seconds" else str
        if value is not None and type(value) is not wanted:
            yield f"has {key} {value!r}", "write a whole number" if wanted is int else "write a text, in quotes"
            return
    yield from toleration_faults(_toleration(item))


def _toleration(item: Mapping[str, Any]) -> Toleration:
    return Toleration(**{_TOLERATION_KEYS[key]: value for key, value in item.items()})
