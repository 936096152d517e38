"""Every pod by the PodSecurity standard "restricted", and with a root file system that is read only.

https://kubernetes.io/docs/concepts/security/pod-security-standards/
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from flowhub_assets.deploy_check.layers import at
from flowhub_assets.deploy_check.manifests import Manifest
from flowhub_assets.from_yaml.positions import Path
from flowhub_assets.from_yaml.problem import FileProblem

_EFFECT = "a namespace that enforces PodSecurity restricted refuses the pod"
_READ_ONLY = "what the container runs could change the program that it runs"
_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_CONTAINERS = ("initContainers", "containers", "ephemeralContainers")

#: Path in the pod's spec, what is wrong, what follows, what to do.
Fault = tuple[Path, str, str, str]


def security_problems(manifests: Iterable[Manifest]) -> Iterator[FileProblem]:
    """What each pod may and need not, without the official chart's own PostgreSQL: see deploy/README.md."""
    for manifest in manifests:
        base = manifest.pod_path
        if base is None or _is_charts_postgresql(manifest):
            continue
        for path, what, effect, remedy in faults(at(manifest.data, *base) or {}):
            yield manifest.problem((*base, *path), what, effect, remedy)


def _is_charts_postgresql(manifest: Manifest) -> bool:
    return bool(at(manifest.data, "metadata", "labels", "app") == "postgresql")


def faults(spec: Mapping[str, Any]) -> Iterator[Fault]:
    """What a pod's spec does that it must not, or leaves open."""
    whole = spec.get("securityContext") or {}
    for key in ("hostNetwork", "hostPID", "hostIPC"):
        if spec.get(key):
            yield (key,), f"{key} is true", _EFFECT, "take it out"
    for index, volume in enumerate(spec.get("volumes") or []):
        for kind in set(volume) - {"name"} - _VOLUMES:
            yield ("volumes", index, kind), f"a volume of the node: {kind}", _EFFECT, "mount a claim or an emptyDir"
    for key in _CONTAINERS:
        for index, container in enumerate(spec.get(key) or []):
            for path, what, effect, remedy in _of_container(container, whole):
                yield (key, index, *path), f"container {container.get('name')!r}: {what}", effect, remedy


def _of_container(container: Mapping[str, Any], whole: Mapping[str, Any]) -> Iterator[Fault]:
    own = container.get("securityContext") or {}
    place = ("securityContext",)
    either = {**whole, **own}
    if either.get("runAsNonRoot") is not True:
        yield place, "runAsNonRoot is not true", _EFFECT, "set it in the pod's securityContext"
    if either.get("runAsUser") == 0:
        yield place, "runAsUser is 0, root", _EFFECT, "name a user above 0, 65532 say"
    if at(either, "seccompProfile", "type") not in ("RuntimeDefault", "Localhost"):
        yield place, "there is no seccompProfile", _EFFECT, "set seccompProfile: {type: RuntimeDefault}"
    if own.get("privileged"):
        yield place, "it is privileged", _EFFECT, "take it out"
    if own.get("allowPrivilegeEscalation") is not False:
        yield place, "allowPrivilegeEscalation is not false", _EFFECT, "set it in the container's securityContext"
    if "ALL" not in (at(own, "capabilities", "drop") or []):
        yield place, "it keeps capabilities", _EFFECT, "set capabilities: {drop: [ALL]}"
    if set(at(own, "capabilities", "add") or []) - {"NET_BIND_SERVICE"}:
        yield place, "it adds capabilities", _EFFECT, "take them out"
    if any(port.get("hostPort") for port in container.get("ports") or []):
        yield ("ports",), "it takes a port of the node", _EFFECT, "make a Service instead"
    if own.get("readOnlyRootFilesystem") is not True:
        yield place, "its root file system can be written", _READ_ONLY, "set readOnlyRootFilesystem: true"
