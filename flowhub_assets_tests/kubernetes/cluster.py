"""The control plane of the Kubernetes double: what is created, and by whom each change is noticed. One event loop."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Collection, Coroutine, Mapping
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

from flowhub_assets_tests.kubernetes import disruptions, memory
from flowhub_assets_tests.kubernetes.admission import faults, job_faults
from flowhub_assets_tests.kubernetes.collector import Collector
from flowhub_assets_tests.kubernetes.job import JobController, random_name, with_defaults
from flowhub_assets_tests.kubernetes.objects import Refused, as_stored, check_object
from flowhub_assets_tests.kubernetes.pod import Failing, Machine, Pod
from flowhub_assets_tests.kubernetes.restricted import forbidden
from flowhub_assets_tests.kubernetes.store import Bell, Change, Document

Manifest = Mapping[str, Any]
PLURALS = {"Pod": "pods", "Job": "jobs.batch", "ConfigMap": "configmaps", "Secret": "secrets", "Event": "events"}


@dataclass
class Rule:
    """``times`` is how many pods are still to fail so."""

    failing: Failing
    applies: Callable[[Manifest], bool]
    times: int


class Cluster:
    """``restricted`` names the namespaces that enforce PodSecurity's level of that name."""

    def __init__(self, machine: Machine, loop: asyncio.AbstractEventLoop, restricted: Collection[str]) -> None:
        self.machine = machine
        self.store = machine.store
        self.restricted = restricted
        self.posted: list[dict[str, Any]] = []
        self.refused: list[str] = []
        self.all_pods: list[Pod] = []
        self.rules: list[Rule] = []
        self.bell = Bell(loop)
        self.collector = Collector(self.store, self._end_pod)
        self.jobs = JobController(self.store, machine.events, self.collector, self.make_pod, self.go)
        self._loop = loop
        self._tasks: set[asyncio.Task[Any]] = set()

    async def start(self) -> None:
        self.store.on_change.append(self._on_change)
        self.go(memory.enforce(lambda: [one for pod in list(self.machine.pods.values()) for one in pod.containers]))

    async def stop(self) -> None:
        """Ends every process and every task."""
        self.store.on_change.clear()
        pods = list(self.machine.pods.values())
        for pod in pods:
            pod.stopping = True
        await asyncio.gather(*(pod.stop(grace=0) for pod in pods))
        for pod in pods:
            pod.remove()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def go(self, work: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        return task

    def create(self, body: Document) -> Document:
        """Takes what was posted, its namespace and kind set; raises Refused."""
        kind, metadata = body["kind"], body["metadata"]
        if not metadata.get("name") and metadata.get("generateName"):
            metadata["name"] = random_name(metadata["generateName"])
        name = metadata.get("name")
        if kind in ("Pod", "Job"):
            self._check_workload(body)
        else:
            check_object(body)
        if self.store.get(kind, metadata["namespace"], name) is not None:
            raise Refused(f'{PLURALS[kind]} "{name}" already exists', 409, "AlreadyExists")
        if kind == "Pod":
            self.make_pod(body)
        elif kind == "Job":
            self.posted.append(deepcopy(body))
            self.store.put(with_defaults(body, str(uuid.uuid4())))
        else:
            self.store.put(as_stored(body))
        made = self.store.get(kind, metadata["namespace"], name)
        assert made is not None
        return made

    def _check_workload(self, body: Manifest) -> None:
        kind, name = body["kind"], body["metadata"].get("name")
        if found := (faults if kind == "Pod" else job_faults)(body):
            self.refused += found
            raise Refused(f'{kind if kind == "Pod" else "Job.batch"} "{name}" is invalid: {"; ".join(found)}')
        spec = body["spec"] if kind == "Pod" else body["spec"]["template"]["spec"]
        if spec.get("restartPolicy") != "Never" or (kind == "Job" and body["spec"].get("completionMode") == "Indexed"):
            text = "this double never restarts a container and knows no indexed Jobs: restartPolicy must be Never"
            raise Refused(text, 501, "NotImplemented")

    def make_pod(self, manifest: Document) -> None:
        """A pod that is valid begins to live; raises Refused where its namespace does not take it."""
        name, namespace = manifest["metadata"]["name"], manifest["metadata"]["namespace"]
        if namespace in self.restricted and (text := forbidden(name, manifest["spec"])):
            self.refused.append(text)
            raise Refused(text, 403, "Forbidden")
        failing = self._failing(manifest)
        if failing is not None and failing.what == "quota":
            text = "exceeded quota: double, requested: pods=1, used: pods=10, limited: pods=10"
            raise Refused(f'pods "{name}" is forbidden: {failing.message or text}', 403, "Forbidden")
        self.posted.append(manifest)
        pod = Pod(manifest, self.machine, failing)
        self.machine.pods[namespace, name] = pod
        self.all_pods.append(pod)
        living = self.go(pod.live())
        if failing is not None and failing.what in disruptions.BY_NAME:
            self.go(disruptions.befall(pod, failing))
        self.go(_until_gone(pod, living))

    def _failing(self, manifest: Manifest) -> Failing | None:
        for rule in self.rules:
            if rule.times and rule.applies(manifest):
                rule.times -= 1
                return rule.failing
        return None

    def _end_pod(self, document: Mapping[str, Any], grace: float | None) -> None:
        metadata = document["metadata"]
        pod = self.machine.pods.get((metadata["namespace"], metadata["name"]))
        if pod is None or pod.gone.is_set():
            return
        if "deletionTimestamp" in pod.metadata and grace != 0:
            return
        pod.leave(grace)
        # Of a node that is lost no kubelet says that the containers have ended.
        if pod.frozen is None or grace == 0:
            self.go(pod.delete(grace))

    def _on_change(self, change: Change) -> None:
        self.bell.ring()
        self._loop.call_soon_threadsafe(self._see, change)

    def _see(self, change: Change) -> None:
        self.jobs.see(change)
        self.collector.see(change)


async def _until_gone(pod: Pod, living: asyncio.Task[Any]) -> None:
    await pod.gone.wait()
    living.cancel()
