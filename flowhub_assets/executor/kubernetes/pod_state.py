"""What the API says of a pod and of its Job, as far as it decides how a step goes on. Plain data from plain JSON."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: Why a container waits that will not start as long as nobody changes anything: the kubelet tries for ever.
IMAGE_REASONS = ("ErrImagePull", "ImagePullBackOff", "ErrImageNeverPull", "RegistryUnavailable", "ImageInspectError")
CONFIG_REASONS = ("CreateContainerConfigError", "CreateContainerError", "RunContainerError")
#: An image by this name cannot be, whatever the registry has.
NEVER_REASONS = ("InvalidImageName",)

#: The reasons of a failed pod that has no condition DisruptionTarget: what the cluster did, not the program in it.
#: "Evicted" is none of them: without the condition, the pod took more disk than it may.
_CLUSTERS_REASONS = ("NodeLost", "NodeShutdown", "Shutdown", "Terminated", "Preempting", "NodeAffinity")
#: The kubelet's, for a pod that the scheduler has sent and for which there is no place on the node: OutOfcpu and so on.
_NO_PLACE = ("OutOf", "UnexpectedAdmissionError", "TopologyAffinityError")


@dataclass(frozen=True)
class PodState:
    """``phase`` is Kubernetes' own; ``waiting`` and ``ended`` are (reason, message) of its container, or empty.

    ``exit_code`` is the container's, None while it runs. ``disrupted`` is why the cluster took the pod away (preempted,
    evicted, its node gone), "" where it did not. ``unschedulable`` is what the scheduler says. ``deadline`` is in
    seconds. Times, in seconds since 1970: ``created``; ``placed``, when its node took it; ``deleting``, when it is to
    be gone; ``gone``, when the API was seen to have it no more.
    """

    name: str
    phase: str = "Pending"
    created: float = 0.0
    placed: float | None = None
    waiting: tuple[str, str] = ("", "")
    ended: tuple[str, str] = ("", "")
    exit_code: int | None = None
    disrupted: str = ""
    unschedulable: str = ""
    started: bool = False
    deleting: float | None = None
    gone: float | None = None
    images: tuple[str, ...] = ()
    memory_limit: str = ""
    deadline: float | None = None

    @property
    def over(self) -> bool:
        """Whether its containers will not run any more."""
        return self.phase in ("Succeeded", "Failed") or self.gone is not None


@dataclass(frozen=True)
class JobState:
    """``failed`` and ``failed_why`` are reason and message of the condition Failed; ``gone``: it is there no more.

    ``failed_at`` is when, in seconds since 1970; ``deadline`` is in seconds; ``owners`` are the uids of the objects
    with which it goes.
    """

    name: str
    failed: str = ""
    failed_why: str = ""
    complete: bool = False
    gone: bool = False
    deadline: float | None = None
    owners: tuple[str, ...] = ()
    failed_at: float = 0.0

    @property
    def over(self) -> bool:
        """Whether it will make no pod any more."""
        return bool(self.failed) or self.complete or self.gone


def pod_state(pod: Mapping[str, Any], *, gone: float | None = None) -> PodState:
    """The state of a pod from its document. https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/"""
    metadata, spec, status = pod["metadata"], pod.get("spec") or {}, pod.get("status") or {}
    states = [*_states(status, "initContainerStatuses"), *_states(status, "containerStatuses")]
    main = _states(status, "containerStatuses")
    ended = _worst(states)
    return PodState(
        name=metadata["name"],
        phase=status.get("phase") or "Pending",
        created=_seconds(metadata.get("creationTimestamp")) or 0.0,
        placed=_seconds(status.get("startTime")),
        waiting=_first(states, "waiting"),
        ended=(status.get("reason") or ended.get("reason") or "", status.get("message") or ended.get("message") or ""),
        exit_code=ended.get("exitCode"),
        disrupted=_disrupted(status),
        unschedulable=_condition(status, "PodScheduled", "False").get("message") or "",
        started=any("running" in state or "terminated" in state for state in main),
        deleting=_seconds(metadata.get("deletionTimestamp")),
        gone=gone,
        images=tuple(container.get("image") or "" for container in spec.get("containers") or ()),
        memory_limit=_memory_limit(spec),
        deadline=spec.get("activeDeadlineSeconds"),
    )


def job_state(job: Mapping[str, Any], *, gone: bool = False) -> JobState:
    """The state of a Job from its document."""
    status = job.get("status") or {}
    # FailureTarget comes first, while the Job's pods are still being ended.
    failed = _condition(status, "Failed", "True") or _condition(status, "FailureTarget", "True")
    return JobState(
        name=job["metadata"]["name"],
        failed=failed.get("reason") or "",
        failed_why=failed.get("message") or "",
        complete=bool(_condition(status, "Complete", "True")),
        gone=gone,
        deadline=(job.get("spec") or {}).get("activeDeadlineSeconds"),
        owners=tuple(owner.get("uid") or "" for owner in job["metadata"].get("ownerReferences") or ()),
        failed_at=_seconds(failed.get("lastTransitionTime")) or 0.0,
    )


def _states(status: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return [one.get("state") or {} for one in status.get(kind) or ()]


def _first(states: Sequence[Mapping[str, Any]], kind: str) -> tuple[str, str]:
    found: Mapping[str, Any] = next((state[kind] for state in states if state.get(kind)), {})
    return found.get("reason") or "", found.get("message") or ""


def _worst(states: Sequence[Mapping[str, Any]]) -> Mapping[str, Any]:
    """The end of the first container that ended badly; of any, where none did."""
    ended: list[Mapping[str, Any]] = [state["terminated"] for state in states if state.get("terminated")]
    bad = [one for one in ended if one.get("exitCode")]
    return (bad or ended or [{}])[0]


def _condition(status: Mapping[str, Any], kind: str, value: str) -> Mapping[str, Any]:
    found = (one for one in status.get("conditions") or () if one.get("type") == kind and one.get("status") == value)
    return next(found, {})


def _disrupted(status: Mapping[str, Any]) -> str:
    # Kubernetes 1.26 and later: https://kubernetes.io/docs/concepts/workloads/pods/disruptions/#pod-disruption-conditions
    target = _condition(status, "DisruptionTarget", "True")
    if target:
        return f"{target.get('reason') or 'DisruptionTarget'}: {target.get('message') or ''}".rstrip(": ")
    reason = status.get("reason") or ""
    if status.get("phase") == "Failed" and (reason in _CLUSTERS_REASONS or reason.startswith(_NO_PLACE)):
        return f"{reason}: {status.get('message') or ''}".rstrip(": ")
    return ""


def _memory_limit(spec: Mapping[str, Any]) -> str:
    for container in spec.get("containers") or ():
        limit = ((container.get("resources") or {}).get("limits") or {}).get("memory")
        if limit:
            return str(limit)
    return ""


def _seconds(text: str | None) -> float | None:
    return datetime.fromisoformat(text).timestamp() if text else None
