"""The Job controller of the Kubernetes double: makes a Job's pods, counts their ends, says how the Job ended.

After pkg/controller/job of Kubernetes 1.31 and later: a Job that fails is first FailureTarget, and Failed once its pods
have ended. Completions are not indexed, and pods are never restarted in place.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from flowhub_assets_tests.kubernetes.collector import Collector
from flowhub_assets_tests.kubernetes.events import Events
from flowhub_assets_tests.kubernetes.failure_policy import by_policy
from flowhub_assets_tests.kubernetes.objects import Refused
from flowhub_assets_tests.kubernetes.store import Change, Document, Store, stamp

_LETTERS = "bcdfghjklmnpqrstvwxz2456789"
_LONGEST_PREFIX = 58
_LONGEST_BACKOFF = 2.0
TERMINAL = ("Succeeded", "Failed")


def with_defaults(job: Mapping[str, Any], uid: str) -> Document:
    """A Job as the API server stores it: defaults, selector, and the labels of its pods."""
    spec, name = job["spec"], job["metadata"]["name"]
    own = {f"{prefix}{word}": value for prefix in ("", "batch.kubernetes.io/") for word, value in _labels(name, uid)}
    template = spec["template"]
    labels = {**((template.get("metadata") or {}).get("labels") or {}), **own}
    defaults = {
        "parallelism": 1,
        "completions": 1,
        "backoffLimit": 6,
        "completionMode": "NonIndexed",
        "suspend": False,
        "podReplacementPolicy": "Failed" if spec.get("podFailurePolicy") else "TerminatingOrFailed",
        "selector": {"matchLabels": {"batch.kubernetes.io/controller-uid": uid}},
    }
    template = {**template, "metadata": {**(template.get("metadata") or {}), "labels": labels}}
    metadata = {**job["metadata"], "uid": uid, "generation": 1}
    metadata.setdefault("labels", dict(template["metadata"]["labels"]))
    told = {key: value for key, value in spec.items() if value is not None}
    return {**job, "metadata": metadata, "spec": {**defaults, **told, "template": template}, "status": {}}


def _labels(name: str, uid: str) -> tuple[tuple[str, str], tuple[str, str]]:
    return ("job-name", name), ("controller-uid", uid)


def random_name(prefix: str) -> str:
    """A name as the API server makes one from ``generateName``."""
    return prefix[:_LONGEST_PREFIX] + "".join(secrets.choice(_LETTERS) for _ in range(5))


@dataclass
class _Run:
    """What the controller knows of one Job: its pods as they last were, by uid, and those already counted."""

    uid: str
    pods: dict[str, Document] = field(default_factory=dict)
    gone: set[str] = field(default_factory=set)
    counted: set[str] = field(default_factory=set)
    succeeded: int = 0
    failed: int = 0
    broken: str = ""
    next_pod: float = 0.0
    wake: asyncio.Event = field(default_factory=asyncio.Event)

    def living(self) -> list[Document]:
        """Pods that are there and have not ended, those on their way out too."""
        return [pod for uid, pod in self.pods.items() if uid not in self.gone and not _is_over(pod)]

    def active(self) -> list[Document]:
        return [pod for pod in self.living() if "deletionTimestamp" not in pod["metadata"]]


class JobController:
    """``make_pod`` takes a pod's manifest or raises Refused; ``go`` runs a coroutine in the double's loop."""

    def __init__(
        self,
        store: Store,
        events: Events,
        collector: Collector,
        make_pod: Callable[[Document], None],
        go: Callable[..., object],
    ) -> None:
        self.backoff_seconds = 0.1
        self._store = store
        self._events = events
        self._collector = collector
        self._make_pod = make_pod
        self._go = go
        self._runs: dict[str, _Run] = {}

    def see(self, change: Change) -> None:
        if change.kind == "Job":
            uid = change.last["metadata"]["uid"]
            if change.before is None and change.after is not None:
                self._runs[uid] = _Run(uid)
                self._go(self._control(self._runs[uid]))
            elif run := self._runs.get(uid):
                run.wake.set()
        elif change.kind == "Pod":
            for reference in change.last["metadata"].get("ownerReferences") or []:
                if reference.get("controller") and (run := self._runs.get(reference["uid"])):
                    run.pods[change.last["metadata"]["uid"]] = change.last
                    if change.after is None:
                        run.gone.add(change.last["metadata"]["uid"])
                    run.wake.set()

    async def _control(self, run: _Run) -> None:
        while (job := self._store.by_uid(run.uid)) is not None:
            run.wake.clear()
            patience = self._reconcile(run, job)
            try:
                await asyncio.wait_for(run.wake.wait(), patience)
            except TimeoutError:
                continue
        self._runs.pop(run.uid, None)

    def _reconcile(self, run: _Run, job: Document) -> float | None:
        """Does what is to be done now; returns the seconds after which to look again at the latest."""
        if "deletionTimestamp" in job["metadata"]:
            return None
        spec, status = job["spec"], dict(job["status"])
        if ending := _ending(status):
            return self._after_end(job, ending)
        self._count(run, job)
        if "startTime" not in status and not spec["suspend"]:
            status["startTime"] = stamp()
        patience: float | None = None
        if target := _condition(status, "FailureTarget"):
            if not run.living():
                status = self._finish(job, status, "Failed", target["reason"], target["message"])
        elif why := self._why_it_fails(run, job, status):
            status = _with_condition(status, "FailureTarget", *why)
            for pod in run.active():
                self._delete_pod(job, pod)
            run.wake.set()
        elif run.succeeded >= spec["completions"]:
            words = ("CompletionsReached", "Reached expected number of succeeded pods")
            status = self._finish(job, _with_condition(status, "SuccessCriteriaMet", *words), "Complete", *words)
        elif not spec["suspend"]:
            patience = self._make_pods(run, job)
            patience = _least(patience, self._until_deadline(job, status))
        self._write(run, job, status)
        return patience

    def _why_it_fails(self, run: _Run, job: Document, status: Document) -> tuple[str, str] | None:
        if run.broken:
            return "PodFailurePolicy", run.broken
        if run.failed > job["spec"]["backoffLimit"]:
            return "BackoffLimitExceeded", "Job has reached the specified backoff limit"
        left = self._until_deadline(job, status)
        if left is not None and left <= 0:
            return "DeadlineExceeded", "Job was active longer than specified deadline"
        return None

    def _until_deadline(self, job: Document, status: Document) -> float | None:
        seconds = job["spec"].get("activeDeadlineSeconds")
        if seconds is None or "startTime" not in status:
            return None
        return float(seconds) - _age(status["startTime"])

    def _count(self, run: _Run, job: Document) -> None:
        only_failed = job["spec"]["podReplacementPolicy"] == "Failed"
        for uid, pod in run.pods.items():
            if uid in run.counted:
                continue
            phase = pod["status"]["phase"]
            leaving = uid in run.gone or ("deletionTimestamp" in pod["metadata"] and not only_failed)
            if phase == "Succeeded":
                run.succeeded += 1
            elif phase == "Failed" or leaving:
                action, message = by_policy(job["spec"].get("podFailurePolicy"), pod)
                if action == "FailJob":
                    run.broken = message
                run.failed += action != "Ignore"
                now = asyncio.get_running_loop().time()
                run.next_pod = now + min(_LONGEST_BACKOFF, self.backoff_seconds * 2 ** max(0, run.failed - 1))
            else:
                continue
            run.counted.add(uid)

    def _make_pods(self, run: _Run, job: Document) -> float | None:
        spec = job["spec"]
        there = len(run.living() if spec["podReplacementPolicy"] == "Failed" else run.active())
        missing = min(spec["parallelism"], spec["completions"] - run.succeeded) - there
        left = run.next_pod - asyncio.get_running_loop().time()
        if missing > 0 and left > 0:
            return left
        for _ in range(missing):
            pod = _pod_of(job)
            try:
                self._make_pod(pod)
            except Refused as error:
                self._events.tell(job, "Warning", "FailedCreate", f"Error creating: {error}")
                run.next_pod = asyncio.get_running_loop().time() + 0.2
                return 0.2
            made = self._store.get("Pod", pod["metadata"]["namespace"], pod["metadata"]["name"])
            assert made is not None
            run.pods[made["metadata"]["uid"]] = made
            self._events.tell(job, "Normal", "SuccessfulCreate", f"Created pod: {made['metadata']['name']}")
        return None

    def _delete_pod(self, job: Document, pod: Document) -> None:
        self._collector.delete(pod, "Background")
        self._events.tell(job, "Normal", "SuccessfulDelete", f"Deleted pod: {pod['metadata']['name']}")

    def _finish(self, job: Document, status: Document, kind: str, reason: str, message: str) -> Document:
        if kind == "Complete":
            self._events.tell(job, "Normal", "Completed", "Job completed")
            status = {**status, "completionTime": stamp()}
        else:
            self._events.tell(job, "Warning", reason, message)
        return _with_condition(status, kind, reason, message)

    def _after_end(self, job: Document, ending: Document) -> float | None:
        seconds = job["spec"].get("ttlSecondsAfterFinished")
        if seconds is None:
            return None
        left = float(seconds) - _age(ending["lastTransitionTime"])
        if left > 0:
            return left
        self._collector.delete(job, "Foreground")
        return None

    def _write(self, run: _Run, job: Document, status: Document) -> None:
        active = run.active()
        leaving = len(run.living()) - len(active)
        ready = [pod for pod in active if {"type": "Ready", "status": "True"} in pod["status"].get("conditions", [])]
        counts = {"active": len(active), "succeeded": run.succeeded, "failed": run.failed}
        told = {key: value for key, value in status.items() if key not in counts}
        told |= {key: value for key, value in counts.items() if value}
        told |= {"ready": len(ready), "terminating": leaving, "uncountedTerminatedPods": {}}
        current = self._store.by_uid(run.uid)
        if current is not None:
            self._store.put({**current, "status": told})


def _pod_of(job: Document) -> Document:
    template, metadata = job["spec"]["template"], job["metadata"]
    owner = {"apiVersion": "batch/v1", "kind": "Job", "name": metadata["name"], "uid": metadata["uid"]}
    own = {
        **{key: value for key, value in template["metadata"].items() if key in ("labels", "annotations")},
        "name": random_name(f"{metadata['name']}-"),
        "generateName": f"{metadata['name']}-",
        "namespace": metadata["namespace"],
        "ownerReferences": [{**owner, "controller": True, "blockOwnerDeletion": True}],
    }
    return {"apiVersion": "v1", "kind": "Pod", "metadata": own, "spec": template["spec"]}


def _is_over(pod: Document) -> bool:
    return pod["status"]["phase"] in TERMINAL


def _condition(status: Mapping[str, Any], kind: str) -> Document | None:
    return next((found for found in status.get("conditions", []) if found["type"] == kind), None)


def _ending(status: Mapping[str, Any]) -> Document | None:
    return _condition(status, "Complete") or _condition(status, "Failed")


def _with_condition(status: Document, kind: str, reason: str, message: str) -> Document:
    now = stamp()
    told = {"type": kind, "status": "True", "reason": reason, "message": message}
    told |= {"lastProbeTime": now, "lastTransitionTime": now}
    return {**status, "conditions": [*status.get("conditions", []), told]}


def _age(moment: str) -> float:
    return (datetime.now(UTC) - datetime.fromisoformat(moment)).total_seconds()


def _least(*seconds: float | None) -> float | None:
    return min((one for one in seconds if one is not None), default=None)
