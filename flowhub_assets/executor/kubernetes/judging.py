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

#: Seconds after the end of a pod that somebody deleted in which its Job tells why: another watch brings that.
_JOBS_WORD = 3.0
#: A process that was ended by SIGKILL.
_KILLED = 137


@dataclass(frozen=True)
class Patience:
    """Seconds: ``start`` until a pod runs, ``image`` while its image cannot be pulled or its Secrets are not there.

    ``node`` is how long after its deletion was due its node may not have said that it is gone.
    """

    start: float = 600.0
    image: float = 120.0
    node: float = 60.0


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
        return Trouble(_too_long(job.deadline, job.failed_why), pod=pod.name if pod else "")
    if pod is not None:
        return _of_pod(job, pod, now, patience)
    if job is not None and job.gone:
        return Trouble("its Job was deleted")
    if job is not None and job.failed:
        return _of_unseen(job, now)
    if age > patience.start:
        return Trouble(f"no pod was made for it within {patience.start:.0f} s")
    return None


def _of_unseen(job: JobState, now: float) -> Trouble | None:
    """A Job that has failed and whose pod nobody has seen: one that had failed by itself would still be there."""
    told = f"its Job failed ({job.failed}): {job.failed_why}"
    if job.failed == "PodFailurePolicy":
        return Trouble(told, disrupted="DisruptionTarget" in job.failed_why)
    if job.failed != "BackoffLimitExceeded":
        return Trouble(told)
    if now - job.failed_at <= _JOBS_WORD:
        return None  # the pod's own word may be on its way
    return Trouble(f"its pod was deleted while it ran, and {told}", disrupted=True)


def _of_pod(job: JobState | None, pod: PodState, now: float, patience: Patience) -> Trouble | None:
    if pod.phase == "Succeeded":
        return None
    if pod.disrupted and pod.over:
        return Trouble(f"its pod was taken away by the cluster ({pod.disrupted})", disrupted=True, pod=pod.name)
    if pod.over and (pod.gone is not None or pod.deleting is not None):
        return _of_deleted(job, pod, now)
    if pod.phase == "Failed":
        return Trouble(_how_it_ended(pod), pod=pod.name)
    if pod.deleting is not None and now - pod.deleting > patience.node:
        return Trouble("its node does not answer any more", disrupted=True, pod=pod.name)
    if pod.phase == "Pending" and pod.deleting is None:
        return _of_waiting(pod, now, patience)
    return None


def _of_deleted(job: JobState | None, pod: PodState, now: float) -> Trouble | None:
    """A pod that is deleted ends as if it had failed, whoever deletes it: its Job knows whether it was the Job."""
    if job is not None and job.gone:
        return Trouble("its Job was deleted", pod=pod.name)
    since = pod.gone if pod.gone is not None else pod.deleting
    if (job is None or not job.failed) and now - (since or 0.0) <= _JOBS_WORD:
        return None
    return Trouble("its pod was deleted while it ran", disrupted=True, pod=pod.name)


def _of_waiting(pod: PodState, now: float, patience: Patience) -> Trouble | None:
    reason, message = pod.waiting
    # Before it had a node nobody has tried to pull its image.
    age, on_node = now - pod.created, now - (pod.placed or pod.created)
    told = f"{reason}: {message}".rstrip(": ")
    if reason in NEVER_REASONS:
        return Trouble(f"its image {_images(pod)} cannot be ({told})", pod=pod.name)
    if reason in IMAGE_REASONS and on_node > patience.image:
        what = f"its image {_images(pod)} could not be pulled within {patience.image:.0f} s ({told})"
        return Trouble(what, pod=pod.name)
    if reason in CONFIG_REASONS and on_node > patience.image:
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
        return _too_long(pod.deadline, message)
    told = f" ({reason}{f': {message}' if message else ''})" if reason and reason != "Error" else ""
    if pod.exit_code == _KILLED:
        guess = "" if told else "; out of memory, most likely, if nobody sent it"
        return f"its process was ended by SIGKILL{told}{guess}"
    if pod.exit_code is not None:
        return f"its process ended with exit code {pod.exit_code}{told}"
    return f"its pod failed{told}"


def _too_long(deadline: float | None, message: str) -> str:
    limit = f" of {deadline:g} s" if deadline is not None else ""
    return f"it took longer than its active deadline{limit}: {message}"


def _images(pod: PodState) -> str:
    return ", ".join(map(repr, pod.images))
