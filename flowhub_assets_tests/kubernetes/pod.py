"""A pod of the Kubernetes double: from its scheduling to its end, told in its document as a cluster tells it."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowhub_assets_tests.kubernetes import container as kubelet
from flowhub_assets_tests.kubernetes.events import Events
from flowhub_assets_tests.kubernetes.objects import Objects
from flowhub_assets_tests.kubernetes.process import Container
from flowhub_assets_tests.kubernetes.scheduling import ENDLESS, Node, demand, place
from flowhub_assets_tests.kubernetes.store import Document, Store, stamp

_RETRY_SECONDS = 0.2
_KILL_SECONDS = 5.0
_NO_ROOM = (
    "0/1 nodes are available: 1 Insufficient cpu. preemption: 0/1 nodes are available: "
    "1 No preemption victims found for incoming pod."
)
_STARTS = ("image", "pending")
TERMINAL = ("Succeeded", "Failed")


@dataclass(frozen=True)
class Failing:
    """What goes wrong with a pod: see KubeDouble.fail."""

    what: str
    seconds: float = 0.0
    message: str = ""


@dataclass
class Machine:
    """What all pods share: folders, the Python of each image (``other`` of those not named), objects, nodes, times."""

    folder: Path
    images: Mapping[str, Path]
    other: Path
    objects: Objects
    store: Store
    events: Events
    variables: Mapping[str, str] = field(default_factory=dict)
    nodes: Sequence[Node] = (ENDLESS,)
    longest_grace: float = 5.0
    node_lost_seconds: float = 0.3
    pods: dict[tuple[str, str], Pod] = field(default_factory=dict)
    pulled: set[str] = field(default_factory=set)

    def python(self, image: str) -> Path:
        return self.images.get(image, self.other)

    def schedule(self, pod: Pod) -> tuple[Node | None, str]:
        """A node for a pod, or why there is none."""
        taken = [(other.node, other.demand) for other in self.pods.values() if other.node and not other.is_terminal]
        return place(pod.spec, self.nodes, taken)


class Pod:
    """``posted`` is the manifest as it came; the store holds what a GET answers. Lives in the double's loop."""

    def __init__(self, posted: Mapping[str, Any], machine: Machine, failing: Failing | None = None) -> None:
        self.posted = posted
        self.machine = machine
        self.failing = failing
        self.node = ""
        self.spec = {"serviceAccountName": "default", "schedulerName": "default-scheduler", **posted["spec"]}
        self.demand = demand(self.spec)
        self.inits = [Container(spec, self.publish) for spec in self.spec.get("initContainers") or []]
        self.mains = [Container(spec, self.publish) for spec in self.spec["containers"]]
        self.conditions: list[dict[str, str]] = []
        self.unschedulable = ""
        self.ended_otherwise: dict[str, str] = {}
        self.frozen: list[dict[str, Any]] | None = None
        self.stopping = False
        self.gone = asyncio.Event()
        self.started = ""
        self._document: Document = machine.store.put({**posted, "spec": self.spec, "status": {"phase": "Pending"}})
        self.folder = machine.folder / "pods" / str(self.metadata["uid"])
        self.root = self.folder / "root"

    @property
    def metadata(self) -> dict[str, Any]:
        """As stored; as it last was where the pod is gone."""
        metadata = self._document["metadata"]
        stored = self.machine.store.get("Pod", metadata["namespace"], metadata["name"])
        return dict(stored["metadata"] if stored and stored["metadata"]["uid"] == metadata["uid"] else metadata)

    @property
    def name(self) -> str:
        return str(self._document["metadata"]["name"])

    @property
    def namespace(self) -> str:
        return str(self._document["metadata"]["namespace"])

    @property
    def containers(self) -> list[Container]:
        return [*self.inits, *self.mains]

    @property
    def is_terminal(self) -> bool:
        return self.phase() in TERMINAL

    def container(self, name: str) -> Container | None:
        return next((container for container in self.containers if container.name == name), None)

    def event(self, kind: str, reason: str, message: str) -> None:
        self.machine.events.tell(self.document(), kind, reason, message)

    def phase(self) -> str:
        """As the kubelet's getPhase, for pods that are never restarted."""
        if self.ended_otherwise and (self.frozen is not None or not self._running()):
            return self.ended_otherwise["phase"]
        if self.frozen is not None:
            return "Running"
        if any(container.exit_code for container in self.inits):
            return "Failed"
        if any(container.exit_code is None for container in self.inits):
            return "Pending"
        states = {next(iter(container.state)) for container in self.mains}
        if "waiting" in states:
            return "Pending"
        if "running" in states:
            return "Running"
        return "Failed" if any(container.exit_code for container in self.mains) else "Succeeded"

    def document(self) -> Document:
        phase = self.phase()
        status: dict[str, Any] = {"phase": phase, "conditions": self._conditions(phase), "qosClass": "Burstable"}
        if self.node:
            status |= {"hostIP": "127.0.0.1", "podIP": "127.0.0.1", "podIPs": [{"ip": "127.0.0.1"}]}
            status |= {"startTime": self.started}
            mains = [container.status() for container in self.mains]
            status["containerStatuses"] = mains if self.frozen is None else self.frozen
            if self.inits:
                status["initContainerStatuses"] = [container.status() for container in self.inits]
        if phase == self.ended_otherwise.get("phase"):
            status |= self.ended_otherwise
        elif self.frozen is not None:
            status |= {"reason": "NodeLost", "message": f"Node {self.node} which was running pod is unresponsive"}
        spec = {**self.spec, **({"nodeName": self.node} if self.node else {})}
        return {"apiVersion": "v1", "kind": "Pod", "metadata": self.metadata, "spec": spec, "status": status}

    def _conditions(self, phase: str) -> list[dict[str, str]]:
        initialized = bool(self.node) and all(container.exit_code == 0 for container in self.inits)
        ready = phase == "Running" and self.frozen is None and all("running" in one.state for one in self.mains)
        why = {"Succeeded": {"reason": "PodCompleted"}, "Failed": {"reason": "PodFailed"}}.get(phase, {})
        unready = {} if ready else why or {"reason": "NodeLost" if self.frozen is not None else "ContainersNotReady"}
        scheduled: dict[str, str] = {"type": "PodScheduled", "status": str(bool(self.node))}
        if self.unschedulable and not self.node:
            scheduled |= {"reason": "Unschedulable", "message": self.unschedulable}
            return [scheduled, *self.conditions]
        return [
            *self.conditions,
            {"type": "Initialized", "status": str(initialized)},
            {"type": "Ready", "status": str(ready), **unready},
            {"type": "ContainersReady", "status": str(ready), **unready},
            scheduled,
        ]

    def publish(self) -> None:
        """Puts what the pod is now into the store."""
        if not self.gone.is_set():
            self._document = self.machine.store.put(self.document())

    def condition(self, kind: str, reason: str, message: str) -> None:
        told = {"type": kind, "status": "True", "reason": reason, "message": message, "lastTransitionTime": stamp()}
        self.conditions.append(told)
        self.publish()

    async def live(self) -> None:
        """From its scheduling to the end of its containers; is cancelled when the pod is gone."""
        await self._get_node()
        self.event("Normal", "Scheduled", f"Successfully assigned {self.namespace}/{self.name} to {self.node}")
        self.publish()
        (self.root / "tmp").mkdir(parents=True)
        deadline = asyncio.create_task(self._end_at_deadline())
        try:
            folders = await self._mount()
            for container in self.inits:
                await self._run(container, folders)
                if container.exit_code != 0:
                    for left in self.containers:
                        if left.exit_code is None and left is not container:
                            left.become(waiting={"reason": "PodInitializing"})
                    return
            await asyncio.gather(*(self._run(container, folders) for container in self.mains))
        finally:
            deadline.cancel()

    async def _get_node(self) -> None:
        told = self.failing if self.failing is not None and self.failing.what == "pending" else None
        begun = asyncio.get_running_loop().time()
        while True:
            node, message = self.machine.schedule(self)
            waited = asyncio.get_running_loop().time() - begun
            if told is not None and (not told.seconds or waited < told.seconds):
                message = told.message or _NO_ROOM
                node = None
            if node is not None:
                self.node, self.unschedulable, self.started = node.name, "", stamp()
                return
            if message != self.unschedulable:
                self.unschedulable = message
                self.event("Warning", "FailedScheduling", message)
                self.publish()
            await asyncio.sleep(_RETRY_SECONDS / 4)

    async def _mount(self) -> dict[str, Path]:
        """The folder of each volume; waits for a ConfigMap or Secret that is not there."""
        while True:
            try:
                claims = self.machine.folder / "claims"
                return kubelet.volumes(self.document(), self.folder / "volumes", claims, self.machine.objects)
            except kubelet.MountError as error:
                self.event("Warning", "FailedMount", str(error))
            await asyncio.sleep(_RETRY_SECONDS)

    async def _run(self, container: Container, folders: Mapping[str, Path]) -> None:
        """Starts a container and waits for its end; one that cannot be started waits, as in a cluster."""
        await self._pull(container)
        await self._configure(container)
        if self.stopping:
            return
        plain = container.variables
        message_file = self.folder / "last-words" / container.name
        message_file.parent.mkdir(exist_ok=True)
        mounts = kubelet.mounts(container.spec, folders, lambda text: kubelet.expand(text, plain))
        words_path = container.spec.get("terminationMessagePath") or "/dev/termination-log"
        is_mounted = any(words_path.startswith(path.rstrip("/") + "/") for path, _ in mounts)
        own = [] if is_mounted else [(words_path, message_file)]
        container.place = kubelet.Place(self.document(), self.root, [*own, *mounts])
        words = kubelet.command(container.spec, container.place, plain)
        container.variables = self._surroundings(container)
        if is_mounted:
            message_file = Path(container.place.real(words_path))
        self.event("Normal", "Created", f"Created container: {container.name}")
        begun = datetime.now(UTC)
        try:
            await container.run(words, lambda: self._on_start(container), message_file)
        except (OSError, ValueError) as error:
            message = f"failed to create containerd task: runc create failed: exec: {words[:1]}: {error}: unknown"
            self.event("Warning", "Failed", f"Error: {message}")
            container.terminated(128, "StartError", begun, message)

    async def _pull(self, container: Container) -> None:
        image = container.spec["image"]
        told = self.failing if self.failing is not None and self.failing.what == "image" else None
        if image in self.machine.pulled and container.spec.get("imagePullPolicy") != "Always" and told is None:
            self.event("Normal", "Pulled", f'Container image "{image}" already present on machine')
            return
        begun = asyncio.get_running_loop().time()
        while (
            told is not None
            and not self.stopping
            and (not told.seconds or asyncio.get_running_loop().time() - begun < told.seconds)
        ):
            self.event("Normal", "Pulling", f'Pulling image "{image}"')
            message = (
                told.message
                or f'failed to pull and unpack image "{image}": failed to resolve reference "{image}": not found'
            )
            self.event("Warning", "Failed", f'Failed to pull image "{image}": {message}')
            self.event("Warning", "Failed", "Error: ErrImagePull")
            container.become(waiting={"reason": "ErrImagePull", "message": message})
            await asyncio.sleep(_RETRY_SECONDS)
            self.event("Normal", "BackOff", f'Back-off pulling image "{image}"')
            self.event("Warning", "Failed", "Error: ImagePullBackOff")
            message = f'Back-off pulling image "{image}": ErrImagePull: {message}'
            container.become(waiting={"reason": "ImagePullBackOff", "message": message})
            await asyncio.sleep(_RETRY_SECONDS * 5)
        if told is not None:
            self.event("Normal", "Pulling", f'Pulling image "{image}"')
        self.machine.pulled.add(image)
        self.event("Normal", "Pulled", f'Successfully pulled image "{image}" in 1ms (1ms including waiting).')

    async def _configure(self, container: Container) -> None:
        """The variables that the pod names; waits for what they are taken from."""
        while not self.stopping:
            try:
                where = kubelet.Place(self.document(), self.root, [])
                container.variables = kubelet.environment(container.spec, where, self.machine.objects)
            except kubelet.ConfigError as error:
                self.event("Warning", "Failed", f"Error: {error}")
                container.become(waiting={"reason": "CreateContainerConfigError", "message": str(error)})
                await asyncio.sleep(_RETRY_SECONDS)
            else:
                return

    def _surroundings(self, container: Container) -> dict[str, str]:
        """The pod's own variables, and what every image or runtime sets."""
        assert container.place is not None
        python = self.machine.python(container.spec["image"])
        return {
            "PATH": ":".join([str(python.parent), "/usr/local/bin", "/usr/bin", "/bin"]),
            "HOSTNAME": self.name,
            "HOME": str(self.root),
            # A container has a /tmp of its own.
            "TMPDIR": str(self.root / "tmp"),
            **self.machine.variables,
            **{name: container.place.real(value) for name, value in container.variables.items()},
        }

    def _on_start(self, container: Container) -> None:
        if self.stopping:
            container.signal(signal.SIGKILL)
        elif self._is_to_be_held() and container is self.mains[0]:
            container.signal(signal.SIGSTOP)
        self.event("Normal", "Started", f"Started container {container.name}")

    def _is_to_be_held(self) -> bool:
        """Whether its end comes at once: then no quick process is to get through before."""
        return self.failing is not None and not self.failing.seconds and self.failing.what not in _STARTS

    async def _end_at_deadline(self) -> None:
        deadline = self.spec.get("activeDeadlineSeconds")
        if deadline is not None:
            await asyncio.sleep(deadline)
            message = "Pod was active on the node longer than the specified deadline"
            self.event("Normal", "DeadlineExceeded", message)
            await self.end("DeadlineExceeded", message)

    def _running(self) -> list[Container]:
        return [container for container in self.containers if "running" in container.state]

    async def end(self, reason: str, message: str, grace: float | None = None) -> None:
        """Ends its containers; the pod stays, Failed for this reason."""
        self.stopping = True
        self.ended_otherwise = {"phase": "Failed", "reason": reason, "message": message}
        await self.stop(grace)
        self.publish()

    async def stop(self, grace: float | None = None) -> None:
        """SIGTERM, and SIGKILL to what is left after its grace, in seconds."""
        wanted = self.spec.get("terminationGracePeriodSeconds", 30) if grace is None else grace
        seconds = min(float(wanted), self.machine.longest_grace)
        for number, patience in ((signal.SIGTERM, seconds), (signal.SIGKILL, _KILL_SECONDS)):
            running = self._running()
            if not running or (number == signal.SIGTERM and not patience):
                continue
            for container in running:
                container.signal(number)
            with suppress(TimeoutError):
                await asyncio.wait_for(asyncio.gather(*(container.ended() for container in running)), patience)

    def leave(self, grace: float | None = None) -> None:
        """Marks the pod as one that is being deleted."""
        self.stopping = True
        seconds = self.spec.get("terminationGracePeriodSeconds", 30) if grace is None else grace
        leaving = {"deletionTimestamp": stamp(), "deletionGracePeriodSeconds": int(seconds)}
        document = self.document()
        document["metadata"] = {**document["metadata"], **leaving}
        self._document = self.machine.store.put(document)

    async def delete(self, grace: float | None = None) -> None:
        """Ends its containers, then it is gone."""
        if self.gone.is_set():
            return
        if "deletionTimestamp" not in self.metadata:
            self.leave(grace)
        if self._running() and grace != 0:
            for container in self._running():
                self.event("Normal", "Killing", f"Stopping container {container.name}")
        await self.stop(grace)
        self.remove()

    def remove(self) -> None:
        """It is gone, whatever its containers do."""
        if self.gone.is_set():
            return
        self.gone.set()
        self._document = {**self._document, "metadata": self.metadata}
        self.machine.store.remove("Pod", self.namespace, self.name)
        self.machine.pods.pop((self.namespace, self.name), None)
        for container in self.containers:
            container.tell()
