"""PodSecurity's level "restricted": what the admission of a namespace that enforces it says of a pod.

After the Pod Security Standards (kubernetes.io/docs/concepts/security/pod-security-standards), for Linux pods; texts as
the API server's.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

_VOLUMES = {"configMap", "csi", "downwardAPI", "emptyDir", "ephemeral", "persistentVolumeClaim", "projected", "secret"}
_PROFILES = ("RuntimeDefault", "Localhost")
_SAFE_SYSCTLS = {
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.ip_unprivileged_port_start",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
}

Spec = Mapping[str, Any]


def restricted_faults(spec: Spec) -> list[str]:
    """What a pod's spec does that "restricted" forbids, one text for each control; an empty list if nothing."""
    whole = spec.get("securityContext") or {}
    found = [*_host_faults(spec), *_volume_faults(spec)]

    def told(control: str, bad: Iterable[str], remedy: str) -> None:
        if names := [f'"{name}"' for name in bad]:
            plural = "containers" if len(names) > 1 else "container"
            found.append(f"{control} ({plural} {', '.join(names)} {remedy})")

    told(
        "privileged",
        _those(spec, lambda own: own.get("privileged")),
        "must not set securityContext.privileged=true",
    )
    told(
        "allowPrivilegeEscalation != false",
        _those(spec, lambda own: own.get("allowPrivilegeEscalation") is not False),
        "must set securityContext.allowPrivilegeEscalation=false",
    )
    told(
        "unrestricted capabilities",
        _those(spec, lambda own: "ALL" not in _capabilities(own, "drop")),
        'must set securityContext.capabilities.drop=["ALL"]',
    )
    told(
        "unrestricted capabilities",
        _those(spec, lambda own: set(_capabilities(own, "add")) - {"NET_BIND_SERVICE"}),
        "must not include anything but NET_BIND_SERVICE in securityContext.capabilities.add",
    )
    told(
        "procMount",
        _those(spec, lambda own: own.get("procMount") not in (None, "Default")),
        'must not set securityContext.procMount to anything but "Default"',
    )
    told(
        "runAsNonRoot != true",
        _those(spec, lambda own: own.get("runAsNonRoot", whole.get("runAsNonRoot")) is not True),
        "or pod must set securityContext.runAsNonRoot=true",
    )
    told(
        "runAsUser=0",
        _those(spec, lambda own: own.get("runAsUser", whole.get("runAsUser")) == 0),
        "must not set runAsUser=0",
    )
    told(
        "seccompProfile",
        _those(spec, lambda own: (_seccomp(own) or _seccomp(whole)) not in _PROFILES),
        'or pod must set securityContext.seccompProfile.type to "RuntimeDefault" or "Localhost"',
    )
    return found


def forbidden(name: str, spec: Spec) -> str:
    """The API server's message about a pod that violates the level; empty for one that does not."""
    found = restricted_faults(spec)
    return f'pods "{name}" is forbidden: violates PodSecurity "restricted:latest": {", ".join(found)}' if found else ""


def _host_faults(spec: Spec) -> list[str]:
    found = []
    if shared := [f"{word}=true" for word in ("hostNetwork", "hostPID", "hostIPC") if spec.get(word)]:
        found.append(f"host namespaces ({', '.join(shared)})")
    ports = [
        str(port["hostPort"]) for one in _containers(spec) for port in one.get("ports") or [] if port.get("hostPort")
    ]
    if ports:
        found.append(f"hostPort (container uses hostPorts {', '.join(ports)})")
    whole = spec.get("securityContext") or {}
    sysctls = [one["name"] for one in whole.get("sysctls") or [] if one["name"] not in _SAFE_SYSCTLS]
    if sysctls:
        found.append(f"forbidden sysctls ({', '.join(sysctls)})")
    for context in (whole, *(one.get("securityContext") or {} for one in _containers(spec))):
        options = context.get("seLinuxOptions") or {}
        if options.get("user") or options.get("role"):
            found.append("seLinuxOptions (may not set user or role)")
        if (context.get("appArmorProfile") or {}).get("type") == "Unconfined":
            found.append('forbidden AppArmor profile ("Unconfined")')
        if (context.get("windowsOptions") or {}).get("hostProcess"):
            found.append("hostProcess")
    return found


def _volume_faults(spec: Spec) -> list[str]:
    bad = {
        volume["name"]: next((kind for kind in volume if kind not in _VOLUMES | {"name"}), None)
        for volume in spec.get("volumes") or []
    }
    told = [f'volume "{name}" uses restricted volume type "{kind}"' for name, kind in bad.items() if kind]
    return [f"restricted volume types ({', '.join(told)})"] if told else []


def _those(spec: Spec, is_bad: Callable[[Spec], object]) -> list[str]:
    return [one["name"] for one in _containers(spec) if is_bad(one.get("securityContext") or {})]


def _containers(spec: Spec) -> list[Spec]:
    return [*(spec.get("initContainers") or []), *spec["containers"], *(spec.get("ephemeralContainers") or [])]


def _capabilities(context: Spec, part: str) -> list[str]:
    return list((context.get("capabilities") or {}).get(part) or [])


def _seccomp(context: Spec) -> str | None:
    return (context.get("seccompProfile") or {}).get("type")
