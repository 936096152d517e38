"""Where a task runs, in Kubernetes' terms. Plain data: checks.py says what is legal."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Optional


@dataclass(frozen=True)
class Toleration:
    """A Kubernetes toleration. ``operator`` is Equal or Exists; ``toleration_seconds`` counts only with NoExecute."""

    key: Optional[str] = None
    operator: str = "Equal"
    value: Optional[str] = None
    effect: Optional[str] = None
    toleration_seconds: Optional[int] = None


@dataclass(frozen=True)
class VolumeMount:
    """Mounts the flow's volume ``name`` at ``mount_path`` of the task's container."""

    name: str
    mount_path: str
    sub_path: Optional[str] = None
    read_only: bool = False


@dataclass(frozen=True)
class Volume:
    """A volume of the flow's pods, with exactly one source.

    ``persistent_volume_claim``, ``config_map`` and ``secret`` are names of such objects in the flow's
    namespace, ``host_path`` is a folder of the node, ``empty_dir`` is True or a size limit ('1Gi').
    """

    name: str
    persistent_volume_claim: Optional[str] = None
    config_map: Optional[str] = None
    secret: Optional[str] = None
    host_path: Optional[str] = None
    empty_dir: object = None


@dataclass(frozen=True)
class Placement:
    """What a task asks of the cluster. Quantities are Kubernetes' ('500m', '2', '4Gi'); None asks for nothing.

    ``cpu``, ``memory`` and ``ephemeral_storage`` are requests. ``gpu`` is how many of the resource ``gpu_resource``
    (nvidia.com/gpu where none is named), which Kubernetes takes as a limit; or the name of a preset of the profile,
    'a100', with how many behind a colon, 'a100:2': see gpu_presets. With ``image`` the task runs in that image, which
    needs Python and nothing else. ``affinity`` is in Kubernetes' own words. ``labels`` and ``annotations`` are the
    pod's; ``image_pull_secrets`` names secrets. ``active_deadline`` is in seconds: how long the pod may be there.
    """

    image: Optional[str] = None
    cpu: Optional[str] = None
    memory: Optional[str] = None
    gpu: Optional[str] = None
    limit_cpu: Optional[str] = None
    limit_memory: Optional[str] = None
    tolerations: tuple[Toleration, ...] = ()
    node_selector: Mapping[str, str] = field(default_factory=dict)
    volume_mounts: tuple[VolumeMount, ...] = ()
    ephemeral_storage: Optional[str] = None
    limit_ephemeral_storage: Optional[str] = None
    gpu_resource: Optional[str] = None
    affinity: Mapping[str, Any] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)
    annotations: Mapping[str, str] = field(default_factory=dict)
    service_account_name: Optional[str] = None
    image_pull_secrets: tuple[str, ...] = ()
    priority_class_name: Optional[str] = None
    active_deadline: Optional[int] = None
