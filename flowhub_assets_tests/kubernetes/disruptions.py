"""What a cluster does to a running pod, each as the control plane or the kubelet does it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Awaitable, Callable

from flowhub_assets_tests.kubernetes.pod import Failing, Pod

_DISRUPTED = "DisruptionTarget"
# pkg/kubelet/eviction/eviction_manager.go, localStorageEviction: there the pod gets no condition.
_OWN_EXCESS = ("Pod ephemeral local storage usage exceeds", "Usage of EmptyDir volume", "Container ")


async def evict(pod: Pod, message: str = "") -> None:
    """By the kubelet, for want of memory: the pod stays, Failed. For its own excess of disk if the message says so."""
    message = message or "The node was low on resource: memory."
    pod.event("Warning", "Evicted", message)
    if not message.startswith(_OWN_EXCESS):
        pod.condition(_DISRUPTED, "TerminationByKubelet", message)
    await pod.end("Evicted", message, grace=0)


async def preempt(pod: Pod, message: str = "") -> None:
    """By the scheduler, for a pod of a higher priority: it is deleted, with its grace."""
    pod.event(
        "Normal", "Preempted", message or f"Preempted by pod 00000000-0000-0000-0000-000000000000 on node {pod.node}"
    )
    why = "default-scheduler: preempting to accommodate a higher priority pod"
    pod.condition(_DISRUPTED, "PreemptionByScheduler", why)
    await pod.delete()


async def drain(pod: Pod, message: str = "") -> None:
    """By the eviction API, as ``kubectl drain`` asks for it: it is deleted, with its grace."""
    pod.condition(_DISRUPTED, "EvictionByEvictionAPI", message or "Eviction API: evicting")
    await pod.delete()


async def shut_down(pod: Pod, message: str = "") -> None:
    """By the kubelet of a node that shuts down: the pod stays, Failed."""
    message = message or "Pod was terminated in response to imminent node shutdown."
    pod.condition(_DISRUPTED, "TerminationByKubelet", message)
    await pod.end("Terminated", message)


async def lose_node(pod: Pod, message: str = "") -> None:
    """The pod's processes end unseen: first it is not ready, then marked as deleted, then collected."""
    pod.stopping = True
    pod.frozen = [container.status() | {"ready": False} for container in pod.mains]
    for container in pod.containers:
        container.signal(signal.SIGKILL)
        container.tell()
    pod.publish()
    pod.event("Warning", "NodeNotReady", message or "Node is not ready")
    await asyncio.sleep(pod.machine.node_lost_seconds)
    pod.event("Normal", "TaintManagerEviction", f"Marking for deletion Pod {pod.namespace}/{pod.name}")
    pod.condition(_DISRUPTED, "DeletionByTaintManager", "Taint manager: deleting due to NoExecute taint")
    pod.leave()
    await asyncio.sleep(pod.machine.node_lost_seconds)
    pod.ended_otherwise = {"phase": "Failed"}
    pod.publish()
    pod.remove()


async def oom(pod: Pod, message: str = "") -> None:
    """The kernel kills what holds too much memory."""
    pod.mains[0].oom = "running" in pod.mains[0].state
    pod.mains[0].signal(signal.SIGKILL)


async def kill(pod: Pod, message: str = "") -> None:
    """Somebody on the node kills the process: exit code 137, reason Error."""
    pod.mains[0].signal(signal.SIGKILL)


async def delete(pod: Pod, message: str = "") -> None:
    """By hand, with its grace."""
    await pod.delete()


BY_NAME: dict[str, Callable[[Pod, str], Awaitable[None]]] = {
    "evicted": evict,
    "preempted": preempt,
    "drained": drain,
    "terminated": shut_down,
    "lost": lose_node,
    "oom": oom,
    "killed": kill,
    "deleted": delete,
}


async def befall(pod: Pod, failing: Failing) -> None:
    """Waits until all main containers run, and ``failing.seconds`` more; then it happens."""
    while not all("running" in container.state or container.exit_code is not None for container in pod.mains):
        await asyncio.sleep(0.01)
    await asyncio.sleep(failing.seconds)
    if not pod.is_terminal and not pod.gone.is_set():
        await BY_NAME[failing.what](pod, failing.message)
