"""Placement → the op tag ``dagster-k8s/config``, in the words of Kubernetes' own API.

dagster-k8s reads the tag when it makes a step's pod. https://docs.dagster.io lists its sections;
the values inside are Kubernetes' Container, PodSpec and ObjectMeta.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from flowhub_assets.executor.placement import CHILD, HEAVY, LIGHT, PLACEMENT_TAG
from flowhub_assets.ir import quantities
from flowhub_assets.ir.checks import require_placement
from flowhub_assets.ir.kubernetes_spec import container, pod_spec
from flowhub_assets.ir.pipeline import Pipeline, Source, Task
from flowhub_assets.ir.placement import Placement, Toleration, Volume, VolumeMount

KUBERNETES_TAG = "dagster-k8s/config"
PRIORITY_TAG = "dagster/priority"

_NOTHING_ASKED = Placement()


def op_tags(pipeline: Pipeline, task: Task) -> dict[str, Any]:
    """The tags of a task's op: where it runs, its Kubernetes config, where it asks for any, and its priority."""
    config = {}
    if task.placement != _NOTHING_ASKED or pipeline.volumes or pipeline.annotations or pipeline.service_account_name:
        config = kubernetes_config(
            task.placement,
            volumes=pipeline.volumes,
            annotations=pipeline.annotations,
            service_account_name=pipeline.service_account_name,
        )
    tags: dict[str, Any] = {PLACEMENT_TAG: placement(task), **({KUBERNETES_TAG: config} if config else {})}
    if task.priority:
        tags[PRIORITY_TAG] = str(task.priority)
    return tags


def placement(task: Task) -> str:
    """HEAVY, a process or pod of its own, for what asks for one; all else runs in the run worker or a child of it."""
    if task.run_on in ("cpu", "gpu") or task.placement.image:
        return HEAVY
    return CHILD if task.run_on is None else LIGHT


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
) -> dict[str, Any]:
    """The tags of a plain Dagster asset or op, by the words of @task; each volume that is mounted is in ``volumes``.

    ``@asset(op_tags=kubernetes_tags(cpu="2", gpu="1"))``, ``@op(tags=kubernetes_tags(memory="4Gi"))``.
    Raises DefinitionError for what Kubernetes would refuse.
    """
    placement = Placement(
        image=image,
        cpu=_quantity(cpu),
        memory=_quantity(memory),
        gpu=_quantity(gpu),
        limit_cpu=_quantity(limit_cpu),
        limit_memory=_quantity(limit_memory),
        tolerations=tuple(tolerations),
        node_selector=dict(node_selector or {}),
        volume_mounts=tuple(volume_mounts),
    )
    here = _line_of_caller()
    require_placement("kubernetes_tags", placement, tuple(volumes), here)
    config = kubernetes_config(placement, volumes=volumes)
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
    annotations: Mapping[str, str] | None = None,
    service_account_name: str | None = None,
) -> dict[str, Any]:
    """The value of ``dagster-k8s/config`` for a placement; empty when it asks for nothing.

    Only those of ``volumes`` that the placement mounts come along.
    """
    metadata = {"annotations": dict(annotations)} if annotations else {}
    sections = {
        "container_config": container(placement),
        "pod_spec_config": pod_spec(placement, volumes, service_account_name),
        "pod_template_spec_metadata": metadata,
    }
    return {name: section for name, section in sections.items() if section}
