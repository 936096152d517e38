"""What the Jobs and pods of one run are at, told by two watches: no step asks for itself."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from kubernetes.client.rest import ApiException

from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS, Cluster, Gone
from flowhub_assets.executor.kubernetes.pod_state import JobState, PodState, job_state, pod_state

#: Seconds for which one watch lasts.
_LASTS = 60
#: Seconds before the API is asked again that has not answered; the longest such pause.
_PAUSE, _LONGEST_PAUSE = 0.2, 3.0

_JOB_OF_POD = ("batch.kubernetes.io/job-name", "job-name")


class RunWatch:
    """``jobs`` and ``pods_of`` as the API told them last. Call ``start`` first; ``close`` ends the watches."""

    def __init__(self, cluster: Cluster, selector: str) -> None:
        self._cluster = cluster
        self._selector = selector
        self._jobs: dict[str, JobState] = {}
        self._pods: dict[str, dict[str, PodState]] = {}  # Job → pod → state
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        # Hundreds of threads may wait, each for its own Job: an event wakes the one that it is about.
        self._of_job: dict[str, threading.Condition] = {}
        self._listed = {"jobs": False, "pods": False}
        self._closed = False
        self._started = False

    def start(self, seconds: float) -> None:
        """Begins to watch, once. Returns when the API has told what is there; raises TimeoutError if it does not."""
        with self._changed:
            if not self._started:
                self._started = True
                for kind in self._listed:
                    thread = threading.Thread(target=self._follow, args=(kind,), name=f"flowhub-{kind}", daemon=True)
                    thread.start()
            if not self._changed.wait_for(lambda: all(self._listed.values()), seconds):
                raise TimeoutError(f"the Kubernetes API did not answer within {seconds:.0f} s")

    def job(self, name: str) -> JobState | None:
        """None while the API has not told of it."""
        return self._jobs.get(name)

    def jobs(self) -> list[JobState]:
        """Those that the API has told of."""
        with self._changed:
            return list(self._jobs.values())

    def pods_of(self, job: str) -> list[PodState]:
        """The pods of a Job that were seen, the latest last."""
        with self._changed:
            return sorted(self._pods.get(job, {}).values(), key=lambda pod: pod.created)

    def wait(self, job: str, seconds: float) -> None:
        """Until something of a Job or its pods changes, so long at most."""
        with self._changed:
            self._of_job.setdefault(job, threading.Condition(self._lock)).wait(seconds)

    def wake(self, job: str) -> None:
        """Whoever waits for the Job looks again."""
        with self._changed:
            if job in self._of_job:
                self._of_job[job].notify_all()

    def close(self) -> None:
        """The threads end with the watch that they are in, or with the process."""
        self._closed = True

    def _follow(self, kind: str) -> None:
        pause = _PAUSE
        while not self._closed:
            try:
                version = self._list(kind)
                pause = _PAUSE
                while not self._closed:
                    version = self._watch(kind, version)
            except Gone:
                continue
            except (ApiException, ValueError, KeyError, *CONNECTION_ERRORS):
                # It is away, or too busy: what is known stays known until it is back and is asked for everything.
                time.sleep(pause)
                pause = min(pause * 2, _LONGEST_PAUSE)

    def _list(self, kind: str) -> str:
        found, version = self._cluster.list(kind, self._selector)
        with self._changed:
            self._forget_others(kind, {one["metadata"]["name"] for one in found})
            for one in found:
                self._take(kind, one, gone=False)
            self._listed[kind] = True
            self._changed.notify_all()
            for job in self._of_job:
                self.wake(job)
        return version

    def _watch(self, kind: str, version: str) -> str:
        for event, found in self._cluster.watch(kind, self._selector, version, _LASTS):
            version = found["metadata"].get("resourceVersion") or version
            if event == "BOOKMARK":
                continue
            with self._changed:
                self._take(kind, found, gone=event == "DELETED")
            if self._closed:
                break
        return version

    def _take(self, kind: str, found: Mapping[str, Any], *, gone: bool) -> None:
        if kind == "jobs":
            job = job_state(found, gone=gone)
            self._jobs[job.name] = job
            self.wake(job.name)
            return
        labels = found["metadata"].get("labels") or {}
        owner = next((labels[label] for label in _JOB_OF_POD if label in labels), None)
        if owner is not None:
            pod = pod_state(found, gone=time.time() if gone else None)
            self._pods.setdefault(owner, {})[pod.name] = pod
            self.wake(owner)

    def _forget_others(self, kind: str, names: set[str]) -> None:
        """What was there and is no more was deleted while nobody watched."""
        if kind == "jobs":
            for name, job in self._jobs.items():
                if name not in names:
                    self._jobs[name] = replace(job, gone=True)
            return
        for pods in self._pods.values():
            for name, pod in pods.items():
                if name not in names and pod.gone is None:
                    pods[name] = replace(pod, gone=time.time())
