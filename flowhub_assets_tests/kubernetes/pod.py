"""A pod of the Kubernetes double: its containers are local processes, its status is what a cluster would tell."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from flowhub_assets_tests.kubernetes import container as kubelet
from flowhub_assets_tests.kubernetes.objects import Objects

_GRACE_SECONDS = 5.0  # a cluster waits for up to 30
_NODE = "node"


@dataclass(frozen=True)
class Failing:
    """What goes wrong with a pod, after ``seconds``: "image", "evicted", "oom" or "lost" (the pod is gone)."""

    what: str
    seconds: float = 0.0
    message: str = ""


@dataclass
class Machine:
    """What all pods share: folders, the Python of each image (``other`` of those not named), ConfigMaps, Secrets."""

    folder: Path
    images: Mapping[str, Path]
    other: Path
    objects: Objects

    def python(self, image: str) -> Path:
        return self.images.get(image, self.other)


@dataclass
class Container:
    """One container; ``state`` as in containerStatuses, ``lines`` its log with the time of each line."""

    spec: Mapping[str, Any]
    state: dict[str, Any] = field(default_factory=lambda: {"waiting": {"reason": "ContainerCreating"}})
    lines: list[tuple[datetime, bytes]] = field(default_factory=list)
    process: asyncio.subprocess.Process | None = None
    place: kubelet.Place | None = None
    variables: dict[str, str] = field(default_factory=dict)
    news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def name(self) -> str:
        return str(self.spec["name"])

    @property
    def exit_code(self) -> int | None:
        """None while it has not ended."""
        return self.state["terminated"]["exitCode"] if "terminated" in self.state else None

    def become(self, **state: Any) -> None:
        self.state = state
        self.tell()

    def tell(self) -> None:
        """Wakes whoever follows the log."""
        told, self.news = self.news, asyncio.Event()
        told.set()

    def signal(self, number: int) -> None:
        if self.process is not None and self.process.returncode is None:
            with suppress(ProcessLookupError):
                os.killpg(self.process.pid, number)

    def status(self) -> dict[str, Any]:
        return {
            "name": self.name,
            "image": self.spec["image"],
            "imageID": "",
            "ready": "running" in self.state,
            "started": "running" in self.state,
            "restartCount": 0,
            "state": self.state,
            "lastState": {},
        }


def stamp(moment: datetime | None = None) -> str:
    return (moment or datetime.now(UTC)).strftime("%Y-%m-%dT%H:%M:%SZ")


class Pod:
    """``posted`` is the manifest as it came; ``document()`` what a GET answers."""

    def __init__(self, posted: Mapping[str, Any], machine: Machine, uid: str, failing: Failing | None = None) -> None:
        self.posted = posted
        self.machine = machine
        self.failing = failing
        self.metadata = {**posted["metadata"], "uid": uid, "creationTimestamp": stamp(), "resourceVersion": "1"}
        self.spec = {"nodeName": _NODE, "serviceAccountName": "default", **posted["spec"]}
        self.inits = [Container(spec) for spec in self.spec.get("initContainers") or []]
        self.mains = [Container(spec) for spec in self.spec["containers"]]
        self.events: list[dict[str, Any]] = []
        self.ended_otherwise: dict[str, str] | None = None
        self.gone = asyncio.Event()
        self.folder = machine.folder / "pods" / uid
        self.root = self.folder / "root"

    @property
    def name(self) -> str:
        return str(self.metadata["name"])

    @property
    def containers(self) -> list[Container]:
        return [*self.inits, *self.mains]

    def container(self, name: str) -> Container | None:
        return next((container for container in self.containers if container.name == name), None)

    def event(self, kind: str, reason: str, message: str) -> None:
        number = len(self.events) + 1
        place = {"namespace": self.metadata["namespace"]}
        about = {"kind": "Pod", "apiVersion": "v1", "name": self.name, "uid": self.metadata["uid"], **place}
        self.events.append(
            {
                "metadata": {
                    "name": f"{self.name}.{number:x}",
                    "uid": f"{self.metadata['uid']}-{number}",
                    "resourceVersion": str(number),
                    **place,
                },
                "involvedObject": about,
                "reason": reason,
                "message": message,
                "type": kind,
                "count": 1,
                "firstTimestamp": stamp(),
                "lastTimestamp": stamp(),
            }
        )

    def phase(self) -> str:
        """As the kubelet's getPhase, for pods that are never restarted."""
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

    def document(self) -> dict[str, Any]:
        started = [container for container in self.mains if "waiting" not in container.state]
        ready = str(len(started) == len(self.mains))
        conditions = {"PodScheduled": "True", "Initialized": str(self.phase() != "Pending"), "Ready": ready}
        status: dict[str, Any] = {
            "phase": self.phase(),
            "conditions": [{"type": name, "status": value} for name, value in conditions.items()],
            "startTime": self.metadata["creationTimestamp"],
            "containerStatuses": [container.status() for container in self.mains],
            "qosClass": "Burstable",
        }
        if self.inits:
            status["initContainerStatuses"] = [container.status() for container in self.inits]
        return {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": self.metadata,
            "spec": self.spec,
            "status": {**status, **(self.ended_otherwise or {})},
        }

    async def live(self) -> None:
        """From Scheduled to the end of its containers, or until it is deleted."""
        self.event("Normal", "Scheduled", f"Successfully assigned {self.metadata['namespace']}/{self.name} to {_NODE}")
        (self.root / "tmp").mkdir(parents=True)
        try:
            claims = self.machine.folder / "claims"
            manifest = {"metadata": self.metadata, "spec": self.spec}
            folders = kubelet.volumes(manifest, self.folder / "volumes", claims, self.machine.objects)
        except kubelet.MountError as error:
            self.event("Warning", "FailedMount", str(error))
            return
        deadline = self.spec.get("activeDeadlineSeconds")
        ends = asyncio.create_task(self._end_otherwise(self.failing, deadline))
        try:
            for container in self.inits:
                await self._run(container, folders)
                if container.exit_code != 0:
                    for left in self.containers:
                        if left.exit_code is None and left is not container:
                            left.become(waiting={"reason": "PodInitializing"})
                    return
            await asyncio.gather(*(self._run(container, folders) for container in self.mains))
        finally:
            ends.cancel()

    async def _run(self, container: Container, folders: Mapping[str, Path]) -> None:
        """Starts a container and waits for its end; a container that cannot be started waits, as in a cluster."""
        image = container.spec["image"]
        if self.failing is not None and self.failing.what == "image":
            message = self.failing.message or f'failed to pull and unpack image "{image}": not found'
            self.event("Warning", "Failed", f'Failed to pull image "{image}": {message}')
            container.become(waiting={"reason": "ErrImagePull", "message": message})
            return
        manifest = {"metadata": self.metadata, "spec": self.spec}
        try:
            place = kubelet.Place(manifest, self.root, [])
            container.variables = kubelet.environment(container.spec, place, self.machine.objects)
        except kubelet.ConfigError as error:
            self.event("Warning", "Failed", f"Error: {error}")
            container.become(waiting={"reason": "CreateContainerConfigError", "message": str(error)})
            return
        plain = container.variables
        mounts = kubelet.mounts(container.spec, folders, lambda text: kubelet.expand(text, plain))
        container.place = kubelet.Place(manifest, self.root, mounts)
        words = kubelet.command(container.spec, container.place, plain)
        container.variables = self._surroundings(container)
        started = datetime.now(UTC)
        # A pipe of our own: asyncio's wait() ends only when all who have inherited its pipe have let go of it.
        out, into = os.pipe()
        log = await _stream(out)
        try:
            container.process = await self.start(container, words, stdout=into, stderr=asyncio.subprocess.STDOUT)
        except (OSError, ValueError) as error:
            message = f"failed to create containerd task: runc create failed: exec: {words[:1]}: {error}: unknown"
            self.event("Warning", "Failed", f"Error: {message}")
            self._terminated(container, 128, "StartError", started, message)
            return
        finally:
            os.close(into)
        if self.failing is not None and not self.failing.seconds and container is self.mains[0]:
            # Held until its end comes, so that no quick process gets through.
            container.signal(signal.SIGSTOP)
        self.event("Normal", "Started", f"Started container {container.name}")
        container.become(running={"startedAt": stamp(started)})
        await self._await_end(container, started, log)

    def _surroundings(self, container: Container) -> dict[str, str]:
        """The pod's own variables, and what every image or runtime sets."""
        assert container.place is not None
        python = self.machine.python(container.spec["image"])
        return {
            "PATH": f"{python.parent}{os.pathsep}/usr/local/bin{os.pathsep}/usr/bin{os.pathsep}/bin",
            "HOSTNAME": self.name,
            "HOME": str(self.root),
            # A container has a /tmp of its own.
            "TMPDIR": str(self.root / "tmp"),
            **{name: container.place.real(value) for name, value in container.variables.items()},
        }

    async def start(self, container: Container, words: list[str], **streams: Any) -> asyncio.subprocess.Process:
        """A process with what the container has; raises OSError or ValueError where the words cannot be started."""
        assert container.place is not None
        if not words:
            raise ValueError("no command specified")
        if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
            # Whoever ignores it hands that on, and a shell then cannot trap it.
            if shutil.which(words[0], path=container.variables.get("PATH")) is None:
                raise FileNotFoundError(f"{words[0]}: no such file or directory")
            words = ["/usr/bin/env", "--default-signal=INT", *words]
        return await asyncio.create_subprocess_exec(
            *words,
            cwd=container.place.working_folder(container.spec),
            env=container.variables,
            stdin=streams.pop("stdin", asyncio.subprocess.DEVNULL),
            stdout=streams.pop("stdout", asyncio.subprocess.PIPE),
            start_new_session=True,
            **streams,
        )

    async def _await_end(self, container: Container, started: datetime, log: asyncio.StreamReader) -> None:
        process = container.process
        assert process is not None
        reading = asyncio.create_task(_read_lines(log, container))
        code = await process.wait()
        # What it has started ends with it: it was process 1 of its container.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(process.pid, signal.SIGKILL)
        with suppress(TimeoutError):
            await asyncio.wait_for(reading, _GRACE_SECONDS)
        reason = "Error" if code else "Completed"
        if code == -signal.SIGKILL and not self.ended_otherwise:
            reason = "OOMKilled"
        self._terminated(container, 128 - code if code < 0 else code, reason, started)

    def _terminated(
        self, container: Container, code: int, reason: str, started: datetime, message: str | None = None
    ) -> None:
        if message is None and code and container.spec.get("terminationMessagePolicy") == "FallbackToLogsOnError":
            message = b"".join(line for _, line in container.lines[-80:])[-2048:].decode(errors="replace")
        ended: dict[str, Any] = {"exitCode": code, "reason": reason}
        ended |= {"startedAt": stamp(started), "finishedAt": stamp()}
        container.become(terminated=ended | ({"message": message} if message else {}))

    async def _end_otherwise(self, failing: Failing | None, deadline: float | None) -> None:
        if failing is not None and failing.what != "image":
            while not all("running" in container.state or container.exit_code is not None for container in self.mains):
                await asyncio.sleep(0.005)
            await asyncio.sleep(failing.seconds)
            if failing.what == "oom":
                self.mains[0].signal(signal.SIGKILL)
            elif failing.what == "evicted":
                message = failing.message or "The node was low on resource: memory."
                self.event("Warning", "Evicted", message)
                self._kill_all("Failed", "Evicted", message)
            else:
                await self.delete(grace=0)
        elif deadline is not None:
            await asyncio.sleep(deadline)
            self._kill_all("Failed", "DeadlineExceeded", "Pod was active longer than the specified deadline")

    def _kill_all(self, phase: str, reason: str, message: str) -> None:
        self.ended_otherwise = {"phase": phase, "reason": reason, "message": message}
        for container in self.containers:
            container.signal(signal.SIGKILL)

    async def delete(self, grace: float | None = None) -> None:
        """SIGTERM, and SIGKILL to what is left after its grace; then it is gone."""
        self.metadata["deletionTimestamp"] = stamp()
        wanted = self.spec.get("terminationGracePeriodSeconds", 30) if grace is None else grace
        for number, seconds in ((signal.SIGTERM, min(float(wanted), _GRACE_SECONDS)), (signal.SIGKILL, _GRACE_SECONDS)):
            running = [container for container in self.containers if "running" in container.state]
            if number == signal.SIGTERM and not seconds:
                continue
            for container in running:
                container.signal(number)
            ends = asyncio.gather(*(_ended(container) for container in running))
            with suppress(TimeoutError):
                await asyncio.wait_for(ends, seconds)
        self.gone.set()
        for container in self.containers:
            container.tell()


async def _ended(container: Container) -> None:
    while "running" in container.state:
        await container.news.wait()


async def _stream(descriptor: int) -> asyncio.StreamReader:
    reader = asyncio.StreamReader()
    protocol = asyncio.StreamReaderProtocol(reader)
    await asyncio.get_running_loop().connect_read_pipe(lambda: protocol, os.fdopen(descriptor, "rb", buffering=0))
    return reader


async def _read_lines(stream: asyncio.StreamReader, container: Container) -> None:
    rest = b""
    while chunk := await stream.read(65536):
        *whole, rest = (rest + chunk).split(b"\n")
        now = datetime.now(UTC)
        container.lines += [(now, line + b"\n") for line in whole]
        if whole:
            container.tell()
    if rest:
        container.lines.append((datetime.now(UTC), rest))


def log_lines(container: Container, start: int, timestamps: bool) -> Iterator[bytes]:
    """The lines from number ``start`` on, as the kubelet gives them."""
    for moment, line in container.lines[start:]:
        yield (moment.strftime("%Y-%m-%dT%H:%M:%S.%f000Z ").encode() if timestamps else b"") + line
