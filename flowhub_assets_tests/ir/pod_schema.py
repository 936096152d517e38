"""A pod's spec held against Kubernetes' own schema, the oldest and the newest that we support."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kubernetes_validate

VERSIONS = ("1.29", "1.34")


def schema_faults(spec: Mapping[str, Any]) -> list[str]:
    """What Kubernetes' schema says of a pod with ``spec``, for each version; it has one container if it names none."""
    whole = {"containers": [{"name": "base", "image": "image:v1"}], **spec}
    pod = {"apiVersion": "v1", "kind": "Pod", "metadata": {"name": "pod"}, "spec": whole}
    faults = []
    for version in VERSIONS:
        try:
            kubernetes_validate.validate(pod, version, strict=True)
        except kubernetes_validate.ValidationError as error:
            faults.append(f"{version}: {error}")
    return faults
