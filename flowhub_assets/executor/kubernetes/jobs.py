"""The Jobs and ConfigMaps of one run: made in the background, children of the run's own Job, judged by what is seen."""

from __future__ import annotations

import contextlib
import json
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

from kubernetes.client.rest import ApiException

from flowhub_assets.executor.daemon_threads import DaemonThreads
from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS, Cluster
from flowhub_assets.executor.kubernetes.judging import Patience, Trouble, trouble
from flowhub_assets.executor.kubernetes.pod_state import JobState, PodState
from flowhub_assets.executor.kubernetes.run_watch import RunWatch

Manifest = Mapping[str, Any]

RUN_LABEL = "dagster/run-id"
COMPONENT_LABEL = "app.kubernetes.io/component"
COMPONENT = "step_worker"
#: The most warnings of the cluster that a message repeats.
_MOST_EVENTS = 3
#: Seconds for which the end of a run waits for calls that are under way.
_LAST_CALLS = 10.0
#: Without the right to delete several at once, one after the other.
_NOT_SEVERAL = (403, 405)


@dataclass(frozen=True)
class JobSettings:
    """``patience`` with a pod that does not start, ``api_patience`` seconds with an API that does not answer.

    ``disruptions`` is how often a step is started again whose pod the cluster took away.
    """

    patience: Patience = field(default_factory=Patience)
    api_patience: float = 60.0
    disruptions: int = 3


class RunJobs:
    """The Jobs of the steps of one run. May be used by many threads."""

    def __init__(self, cluster: Cluster, run_id: str, settings: JobSettings) -> None:
        self.cluster = cluster
        self.run_id = run_id
        self.settings = settings
        self.labels = step_labels(run_id)
        self.selector = step_selector(run_id)
        self.watch = RunWatch(cluster, self.selector)
        self._threads = DaemonThreads("flowhub-job")
        self._made: dict[str, float] = {}  # Job → time.monotonic() of its making
        self._refused: dict[str, str] = {}  # Job → why the API does not take it
        self._config_maps: set[str] = set()
        self._lock = threading.Lock()
        self._calls = 0  # under way, in the background
        self._called = threading.Condition()
        self._begun = False
        self._ending = False
        self._leaving = False
        self._owner: Mapping[str, Any] | None = None

    def begin(self) -> None:
        """Begins to watch, if nobody has; knows then which Jobs there are. Raises TimeoutError."""
        with self._lock:
            if not self._begun:
                self._owner = self.cluster.job_of_this_pod()
                self.watch.start(self.settings.api_patience)
                self._begun = True
                for job in self.watch.jobs():
                    self._adopt(job)

    def make(self, job: Manifest) -> None:
        """Makes a Job in the background, after ``begin``; ``trouble_of`` tells if the API refuses it."""
        name = job["metadata"]["name"]
        self._made[name] = time.monotonic()
        self._in_background(partial(self._make, name, job))

    def make_config_map(self, config_map: Manifest) -> None:
        """Makes a ConfigMap that is there as long as the run's own Job is; once. Raises ApiException."""
        name = config_map["metadata"]["name"]
        with self._lock:
            if name not in self._config_maps:
                made = self.cluster.create_config_map(self._as_child(config_map))
                if not made and self._owner is not None:
                    self.cluster.give_config_map_to(name, self._owner)  # of the run worker before this one
                self._config_maps.add(name)

    def is_there(self, name: str) -> bool:
        """Whether there is, or was in this run, a Job of that name."""
        return name in self._made or self.watch.job(name) is not None

    def last_pod(self, name: str) -> PodState | None:
        """The latest pod of a Job."""
        pods = self.watch.pods_of(name)
        return pods[-1] if pods else None

    def trouble_of(self, name: str) -> Trouble | None:
        """Why the Job's step will not end well, with what the cluster says of it; None while it may."""
        if name in self._refused:
            return Trouble(self._refused[name])
        age = time.monotonic() - self._made.setdefault(name, time.monotonic())
        found = trouble(self.watch.job(name), self.watch.pods_of(name), age, time.time(), self.settings.patience)
        return found and self._with_events(found, name)

    def take_away(self, name: str) -> None:
        """Deletes a Job and its pods, in the background: a pod that has not started must not do so any more."""
        self._in_background(partial(_quietly, self.cluster.delete_job, name))

    def take_all_away(self) -> None:
        """Deletes all that was made for this run's steps, also by run workers before this one; makes nothing more."""
        self._ending = True
        self._wait_for_calls()
        try:
            self.cluster.delete_jobs(self.selector)
        except ApiException as error:
            if error.status in _NOT_SEVERAL:
                for name in {*self._made, *(job.name for job in self.watch.jobs())}:
                    _quietly(self.cluster.delete_job, name)
        except CONNECTION_ERRORS:
            pass  # the sensors of to_dagster.leftovers look again
        _quietly(self.cluster.delete_config_maps, self.selector)

    def leave(self) -> None:
        """Another run worker goes on with this run: what there is stays."""
        self._leaving = True

    def close(self) -> None:
        """Nothing more will be asked. What no Job owns goes now."""
        self.watch.close()
        if self._config_maps and self._owner is None and not self._leaving:
            _quietly(self.cluster.delete_config_maps, self.selector)
        self._wait_for_calls()
        self._threads.close()

    def _in_background(self, call: Callable[[], object]) -> None:
        def work() -> None:
            try:
                call()
            finally:
                with self._called:
                    self._calls -= 1
                    self._called.notify_all()

        with self._called:
            self._calls += 1
        self._threads.run(work)

    def _wait_for_calls(self) -> None:
        with self._called:
            self._called.wait_for(lambda: not self._calls, _LAST_CALLS)

    def _make(self, name: str, job: Manifest) -> None:
        if self._ending:
            return
        try:
            self.cluster.create_job(self._as_child(job), given_up=lambda: self._ending)
        except (ApiException, *CONNECTION_ERRORS) as error:
            self._refused[name] = f"the Kubernetes API did not take its Job {name}: {_told(error)}"
            self.watch.wake(name)

    def _adopt(self, job: JobState) -> None:
        """A Job of the run worker before this one goes with this one's: Kubernetes deletes that one's in time."""
        if self._owner is not None and not job.over and self._owner["uid"] not in job.owners:
            self._in_background(partial(_quietly, self.cluster.give_job_to, job.name, self._owner))

    def _as_child(self, thing: Manifest) -> dict[str, Any]:
        """The object with the run's labels and, inside the cluster, the run's own Job as its owner."""
        metadata = {**thing["metadata"], "labels": {**(thing["metadata"].get("labels") or {}), **self.labels}}
        if self._owner is not None:
            metadata["ownerReferences"] = [dict(self._owner)]
        return {**thing, "metadata": metadata}

    def _with_events(self, found: Trouble, name: str) -> Trouble:
        about = ("Pod", found.pod) if found.pod else ("Job", name)
        events = [text for text in self.cluster.events_of(*about) if text not in found.why]
        told = "".join(f"\n  {text}" for text in events[-_MOST_EVENTS:])
        return replace(found, why=f"{found.why}{f'. Kubernetes says of {about[1]}:{told}' if told else ''}")


def step_labels(run_id: str) -> dict[str, str]:
    """The labels by which all that is made for a run's steps is found; those that dagster-k8s gives."""
    return {RUN_LABEL: run_id, COMPONENT_LABEL: COMPONENT}


def step_selector(run_id: str) -> str:
    """The label selector for ``step_labels``."""
    return ",".join(f"{key}={value}" for key, value in step_labels(run_id).items())


def _quietly(call: Callable[..., None], *about: object) -> None:
    """What cannot be deleted goes with the run's own Job, or after its time to live."""
    with contextlib.suppress(ApiException, *CONNECTION_ERRORS):
        call(*about)


def _told(error: BaseException) -> str:
    """The API's own words, without the headers and the rest of its answer."""
    try:
        return str(json.loads(getattr(error, "body", ""))["message"])
    except (ValueError, TypeError, KeyError):
        return f"{type(error).__name__}: {error}"
