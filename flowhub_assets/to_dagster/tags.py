"""Placement → the op tag ``dagster-k8s/config``, in the words of Kubernetes' own API.

dagster-k8s reads the tag when it makes a step's pod. https://docs.dagster.io lists its sections;
the values inside are Kubernetes' Container, PodSpec and ObjectMeta.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any

from flowhub_assets.executor.placement import CHILD, HEAVY, LIGHT, OWN_IMAGE, PLACEMENT_TAG, POD
from flowhub_assets.ir import quantities
from flowhub_assets.ir.checks import require_placement
from flowhub_assets.ir.gpu_presets import placed, unresolved
from flowhub_assets.ir.kubernetes_spec import container, pod_metadata, pod_spec
from flowhub_assets.ir.pipeline import Loop, Pipeline, Source, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount
from flowhub_assets.ir.task_tree import with_nested
from flowhub_assets.resources.queues import PRIORITY_TAG
from flowhub_assets.resources.settings import deployed_profile

KUBERNETES_TAG = "dagster-k8s/config"

_NOTHING_ASKED = Placement()
_BY_WEIGHT = (LIGHT, CHILD, POD, HEAVY, OWN_IMAGE)


def op_tags(pipeline: Pipeline, task: Task) -> dict[str, Any]:
    """The tags of a task's op: where it runs, its Kubernetes config, where it asks for any, and its priority.

    Raises DefinitionError where the GPU that it asks for is none of the presets of the code location's profile.
    """
    deployed = deployed_placement(pipeline, task)
    config = kubernetes_config(
        deployed,
        volumes=pipeline.volumes,
        labels=pipeline.labels,
        annotations=pipeline.annotations,
        service_account_name=pipeline.service_account_name,
        image_pull_secrets=pipeline.image_pull_secrets,
    )
    tags: dict[str, Any] = {
        PLACEMENT_TAG: placement(replace(task, placement=deployed)),
        **({KUBERNETES_TAG: config} if config else {}),
    }
    if task.priority:
        tags[PRIORITY_TAG] = str(task.priority)
    return tags


def deployed_placement(pipeline: Pipeline, task: Task) -> Placement:
    """What ``task`` asks for in the code location's own profile, whatever profile a run names.

    A preset's name stays where that profile has no presets, a laptop's say, and counts as nvidia.com/gpu. Raises
    DefinitionError for a preset that it has not among others.
    """
    if not unresolved((task,)):
        return task.placement
    return placed(task, *deployed_profile(pipeline.profiles))


def placement(task: Task) -> str:
    """OWN_IMAGE for what has one, HEAVY for what asks for a process of its own, POD for what asks for more.

    All else runs in the run worker or a child of it.
    """
    if task.placement.image:
        return OWN_IMAGE
    if task.run_on in ("cpu", "gpu"):
        return HEAVY
    if task.run_on == "engine":
        return LIGHT
    return CHILD if task.placement == _NOTHING_ASKED else POD


def asks_most(loop: Loop) -> Task:
    """The task of a loop's body whose placement an iteration has: they run in one step."""
    return max(with_nested(loop.tasks), key=lambda task: _BY_WEIGHT.index(placement(task)))


def kubernetes_tags(
    *,
    image: str | None = None,
    cpu: str | float | None = None,
    memory: str | float | None = None,
    gpu: str | int | None = None,
    limit_cpu: str | float | None = None,
    limit_memory: str | float | None = None,
    tolerations: Sequence[Toleration] = (),
    node_selector: Mapping[str, str] | None = None,
    volume_mounts: Sequence[VolumeMount] = (),
    volumes: Sequence[Volume] = (),
    ephemeral_storage: str | float | None = None,
    limit_ephemeral_storage: str | float | None = None,
    gpu_resource: str | None = None,
    affinity: Mapping[str, Any] | None = None,
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    service_account_name: str | None = None,
    image_pull_secrets: Sequence[str] = (),
    priority_class_name: str | None = None,
    active_deadline: int | None = None,
) -> dict[str, Any]:
    """The tags of a plain Dagster asset or op, by the words of @task; each volume that is mounted is in ``volumes``.

    ``@asset(op_tags=kubernetes_tags(cpu="2", gpu="1"))``, ``@op(tags=kubernetes_tags(memory="4Gi"))``.
    ``gpu`` may name a preset of the code location's profile in pyproject.toml. Raises DefinitionError for what
    Kubernetes would refuse.
    """
    asked = Placement(
        image=image,
        cpu=_quantity(cpu),
        memory=_quantity(memory),
        gpu=_quantity(gpu),
        limit_cpu=_quantity(limit_cpu),
        limit_memory=_quantity(limit_memory),
        tolerations=tuple(tolerations),
        node_selector=dict(node_selector or {}),
        volume_mounts=tuple(volume_mounts),
        ephemeral_storage=_quantity(ephemeral_storage),
        limit_ephemeral_storage=_quantity(limit_ephemeral_storage),
        gpu_resource=gpu_resource,
        affinity=dict(affinity or {}),
        labels=dict(labels or {}),
        annotations=dict(annotations or {}),
        service_account_name=service_account_name,
        image_pull_secrets=tuple(image_pull_secrets),
        priority_class_name=priority_class_name,
        active_deadline=active_deadline,
    )
    here = _line_of_caller()
    require_placement("kubernetes_tags", asked, tuple(volumes), here)
    task = Task("kubernetes_tags", (), here, placement=asked)
    config = kubernetes_config(deployed_placement(Pipeline("", (), here), task), volumes=volumes)
    return {KUBERNETES_TAG: config} if config else {}


def _quantity(amount: str | float | None) -> str | None:
    return None if amount is None else quantities.written(amount)


def _line_of_caller() -> Source:
    frame = sys._getframe(2)
    return Source(frame.f_code.co_filename, frame.f_lineno)


def kubernetes_config(
    placement: Placement,
    *,
    volumes: Iterable[Volume] = (),
    labels: Mapping[str, str] | None = None,
    annotations: Mapping[str, str] | None = None,
    service_account_name: str | None = None,
    image_pull_secrets: Iterable[str] = (),
) -> dict[str, Any]:
    """The value of ``dagster-k8s/config`` for a placement; empty when it asks for nothing.

    Only those of ``volumes`` that the placement mounts come along. The active deadline is the Job's.
    """
    pod = pod_spec(placement, volumes, service_account_name, image_pull_secrets)
    deadline = pod.pop("activeDeadlineSeconds", None)
    sections = {
        "container_config": container(placement),
        "pod_spec_config": pod,
        "pod_template_spec_metadata": pod_metadata(placement, labels, annotations),
        "job_spec_config": {} if deadline is None else {"activeDeadlineSeconds": deadline},
    }
    return {name: section for name, section in sections.items() if section}
