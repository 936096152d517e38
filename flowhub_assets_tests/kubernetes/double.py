"""A double of the Kubernetes API over HTTP that starts the command of each container as a local process.

    with KubeDouble(folder, python=image_python, images={"user/code:1": other_python}) as cluster:
        ...  # any client, with KUBECONFIG=cluster.kubeconfig or http://127.0.0.1:{cluster.port}
    cluster.posted, cluster.refused, cluster.all_pods, cluster.logs(name), cluster.left(), cluster.objects
    cluster.calls[verb, resource]  # ("list", "pods"), ("follow", "pods/log"), ("watch", "jobs"); calls.clear() resets
    cluster.fail(what, applies, times=1, seconds=0, message="")  # the next pods: "image", "pending", "quota",
        # "evicted", "preempted", "drained", "terminated", "lost", "oom", "killed", "deleted"
    cluster.evict(name), preempt, drain, terminate, lose_node, oom, kill, delete_pod  # a running pod, now
    cluster.down(seconds, answering=False), cluster.slow(seconds), cluster.forget()  # no API; delay; 410 for watches
    python -m flowhub_assets_tests.kubernetes FOLDER --python P --image NAME=P  # as a process; /control: control.py

Pods, Jobs with their controller, ConfigMaps, Secrets and Events: create, get, list, watch, put, patch, delete, with
ownerReferences and garbage collection; logs, exec and eviction of pods. Manifests are held to the schema of Kubernetes
1.30, unknown fields refused, and to an API server's rules for names, labels, mounts and resources (422); pods of the
namespaces in ``restricted`` also to PodSecurity's level of that name (403). Memory limits are enforced.

A process gets the variables that its pod names, ``variables``, and PATH (its image's folder first), HOME, HOSTNAME and
TMPDIR. Paths in command, args and variables that begin with a mount's path are replaced by the folder that stands for
it, since no local process has a folder of its own at /opt/flowhub: the one thing that is not as in a cluster.
Containers are never restarted. Times are short: a grace is ``longest_grace`` seconds at most, a back-off a fraction.
"""

from __future__ import annotations

import asyncio
import sys
import threading
from collections import Counter
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from pathlib import Path
from typing import Any, Self, TypeVar

import yaml

from flowhub_assets_tests.kubernetes.api import Api
from flowhub_assets_tests.kubernetes.cluster import Cluster
from flowhub_assets_tests.kubernetes.control import Control
from flowhub_assets_tests.kubernetes.events import Events
from flowhub_assets_tests.kubernetes.gate import Gate
from flowhub_assets_tests.kubernetes.objects import Objects
from flowhub_assets_tests.kubernetes.pod import Failing, Machine
from flowhub_assets_tests.kubernetes.pod_routes import PodRoutes
from flowhub_assets_tests.kubernetes.scheduling import ENDLESS, Node
from flowhub_assets_tests.kubernetes.store import Store

_CLOSING_SECONDS = 30.0

Result = TypeVar("Result")
Manifest = Mapping[str, Any]


class KubeDouble:
    """Answers from ``with`` on; no process of a pod outlives the block.

    ``python`` is that of every image that ``images`` does not name. Without ``nodes`` there is room for every pod, or
    for ``max_running`` at once.
    """

    def __init__(
        self,
        folder: Path,
        python: Path | None = None,
        images: Mapping[str, Path] | None = None,
        *,
        variables: Mapping[str, str] | None = None,
        nodes: Sequence[Node] = (),
        max_running: int | None = None,
        restricted: Collection[str] = (),
        longest_grace: float = 5.0,
        node_lost_seconds: float = 0.3,
    ) -> None:
        room = Node(allocatable={"pods": str(max_running)}, anything=True) if max_running is not None else ENDLESS
        store = Store()
        self.objects = Objects(store)
        self._machine = Machine(
            folder,
            dict(images or {}),
            python or Path(sys.executable),
            self.objects,
            store,
            Events(store),
            dict(variables or {}),
            list(nodes) or [room],
            longest_grace,
            node_lost_seconds,
        )
        self._loop = asyncio.new_event_loop()
        self._cluster = Cluster(self._machine, self._loop, restricted)
        self._control = Control(self._cluster)
        routes = [*Api(self._cluster).routes(), *PodRoutes(self._cluster).routes(), *self._control.routes()]
        self._gate = self._control.gate = Gate(routes)
        self._thread = threading.Thread(target=self._loop.run_forever, name="kube-double", daemon=True)
        self.kubeconfig = folder / "kubeconfig"
        self.posted = self._cluster.posted
        self.refused = self._cluster.refused
        self.all_pods = self._cluster.all_pods

    @property
    def port(self) -> int:
        return self._gate.port

    @property
    def calls(self) -> Counter[tuple[str, str]]:
        return self._gate.calls

    def fail(
        self,
        what: str,
        applies: Callable[[Manifest], bool] = lambda _: True,
        *,
        times: int = 1,
        seconds: float = 0.0,
        message: str = "",
    ) -> None:
        """Of the next pods to which it applies, ``times`` come to this end, ``seconds`` after they run.

        "image" (it cannot be pulled) and "pending" (no node has room) last for ``seconds``, for ever if that is 0;
        "quota" is a pod that is refused. Raises LookupError for an unknown word.
        """
        self._control.fail(Failing(what, seconds, message), applies, times)

    def evict(self, name: str, message: str = "") -> str:
        """Of the pod of this name, or the newest whose name begins so; returns its name, raises LookupError."""
        return self._befall(name, "evict", message)

    def preempt(self, name: str) -> str:
        return self._befall(name, "preempt")

    def drain(self, name: str) -> str:
        return self._befall(name, "drain")

    def terminate(self, name: str) -> str:
        """The kubelet of a node that shuts down ends the pod; it stays, Failed."""
        return self._befall(name, "terminate")

    def lose_node(self, name: str) -> str:
        return self._befall(name, "lose_node")

    def oom(self, name: str) -> str:
        return self._befall(name, "oom")

    def kill(self, name: str) -> str:
        return self._befall(name, "kill")

    def delete_pod(self, name: str) -> str:
        return self._befall(name, "delete_pod")

    def down(self, seconds: float, *, answering: bool = False) -> None:
        """Cuts every connection; then nobody listens or, ``answering``, every answer is 503. Processes live on."""
        self._call(self._gate.go_down(seconds, answering))

    def slow(self, seconds: float) -> None:
        """Every request waits so long from now on."""
        self._gate.delay = seconds

    def forget(self) -> None:
        """A watch from a version before now is answered with 410 Gone."""
        self._machine.store.forget()

    def left(self) -> list[str]:
        """``Kind namespace/name`` of what there still is, without Events and pods that have ended."""
        return self._control.left()

    def logs(self, name: str, container: str = "") -> str:
        """What a pod has written, also one that is gone; the last pod whose name begins so, its first container."""
        found = [pod.container(container or pod.mains[0].name) for pod in self.all_pods if pod.name.startswith(name)]
        lines = found[-1].lines if found and found[-1] else []
        return b"".join(line for _, line in lines).decode(errors="replace")

    def __enter__(self) -> Self:
        self._thread.start()
        self._call(self._start())
        kube_config(self.kubeconfig, f"http://127.0.0.1:{self.port}")
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self._call(self._stop())
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSING_SECONDS)
            self._loop.close()

    async def _start(self) -> None:
        await self._cluster.start()
        await self._gate.open()

    async def _stop(self) -> None:
        await self._cluster.stop()
        await self._gate.close()

    def _befall(self, name: str, word: str, message: str = "") -> str:
        async def act() -> str:
            return self._control.befall(name, word, message)

        return self._call(act())

    def _call(self, work: Coroutine[Any, Any, Result]) -> Result:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_CLOSING_SECONDS)


def kube_config(file: Path, server: str) -> None:
    """Writes a kubeconfig that leads to a server without credentials."""
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": "double", "cluster": {"server": server}}],
        "users": [{"name": "double", "user": {}}],
        "contexts": [{"name": "double", "context": {"cluster": "double", "user": "double"}}],
        "current-context": "double",
    }
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(yaml.safe_dump(config))
