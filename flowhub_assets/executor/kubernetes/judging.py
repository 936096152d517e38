"""Whether a step in a Job goes on, and if not, why: what its pod and its Job say, held against time limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from flowhub_assets.executor.kubernetes.pod_state import (
    CONFIG_REASONS,
    IMAGE_REASONS,
    NEVER_REASONS,
    JobState,
    PodState,
)

#: Seconds after its deletion was due for which a pod's node may still not have said that it is gone.
_LATE_DELETION = 60.0
#: A process that was ended by SIGKILL.
_KILLED = 137


@dataclass(frozen=True)
class Patience:
    """Seconds: ``start`` until a pod runs, ``image`` while its image cannot be pulled or its Secrets are not there."""

    start: float = 600.0
    image: float = 120.0


@dataclass(frozen=True)
class Trouble:
    """Why a step's pod will not end well. ``disrupted``: the cluster took it away, and another one may do better."""

    why: str
    disrupted: bool = False
    #: The pod whose events tell more; "" for its Job's.
    pod: str = ""


def trouble(
    job: JobState | None, pods: Sequence[PodState], age: float, now: float, patience: Patience
) -> Trouble | None:
    """What is wrong; None while nothing is, and after a good end.

    ``pods`` are the Job's, the latest last; ``age`` is how long ago the Job was made, ``now`` the time, in seconds.
    """
    pod = pods[-1] if pods else None
    if job is not None and job.failed == "DeadlineExceeded":
        return Trouble(f"it took longer than its active deadline: {job.failed_why}", pod=pod.name if pod else "")
    if pod is not None:
        return _of_pod(pod, now, patience)
    if job is not None and job.gone:
        return Trouble("its Job was deleted")
    if job is not None and job.failed:
        return Trouble(f"its Job failed ({job.failed}): {job.failed_why}")
    if age > patience.start:
        return Trouble(f"no pod was made for it within {patience.start:.0f} s")
    return None


def _of_pod(pod: PodState, now: float, patience: Patience) -> Trouble | None:
    if pod.phase == "Succeeded":
        return None
    if pod.disrupted and pod.over:
        return Trouble(f"its pod was taken away by the cluster ({pod.disrupted})", disrupted=True, pod=pod.name)
    if pod.phase == "Failed":
        return Trouble(_how_it_ended(pod), pod=pod.name)
    if pod.gone:
        return Trouble("its pod was deleted while it ran", disrupted=True, pod=pod.name)
    if pod.deleting is not None and now - pod.deleting > _LATE_DELETION:
        return Trouble("its node does not answer any more", disrupted=True, pod=pod.name)
    if pod.phase == "Pending":
        return _of_waiting(pod, now - pod.created, patience)
    return None


def _of_waiting(pod: PodState, age: float, patience: Patience) -> Trouble | None:
    reason, message = pod.waiting
    told = f"{reason}: {message}".rstrip(": ")
    if reason in NEVER_REASONS:
        return Trouble(f"its image {_images(pod)} cannot be ({told})", pod=pod.name)
    if reason in IMAGE_REASONS and age > patience.image:
        what = f"its image {_images(pod)} could not be pulled within {patience.image:.0f} s ({told})"
        return Trouble(what, pod=pod.name)
    if reason in CONFIG_REASONS and age > patience.image:
        return Trouble(f"its container could not be made within {patience.image:.0f} s ({told})", pod=pod.name)
    if age > patience.start:
        why = pod.unschedulable or told or "nothing says why"
        return Trouble(f"its pod did not start within {patience.start:.0f} s ({why})", pod=pod.name)
    return None


def _how_it_ended(pod: PodState) -> str:
    reason, message = pod.ended
    if reason == "OOMKilled":
        limit = f": its limit is {pod.memory_limit}" if pod.memory_limit else ""
        return f"it was killed, out of memory (OOMKilled){limit}"
    if reason == "DeadlineExceeded":
        return f"it took longer than its active deadline: {message}"
    told = f" ({reason}{f': {message}' if message else ''})" if reason and reason != "Error" else ""
    if pod.exit_code == _KILLED:
        return f"its process was ended by SIGKILL{told}; out of memory, most likely, if nobody sent it"
    if pod.exit_code is not None:
        return f"its process ended with exit code {pod.exit_code}{told}"
    return f"its pod failed{told}"


def _images(pod: PodState) -> str:
    return ", ".join(map(repr, pod.images))
