"""One step in a pod of its own image, which knows nothing of Dagster: made, followed line by line, judged."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from functools import partial

from kubernetes.client.rest import ApiException

from flowhub_assets.errors import TaskCancelled, TaskKilled
from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS
from flowhub_assets.executor.kubernetes.jobs import RunJobs
from flowhub_assets.executor.kubernetes.judging import Trouble
from flowhub_assets.executor.kubernetes.manifests import job_name, step_job
from flowhub_assets.executor.kubernetes.pod_log import PodLog
from flowhub_assets.executor.own_images import PodStep
from flowhub_assets.runtime.step_context import Cancellation

#: Seconds between two looks while nothing is told.
_LOOK = 1.0
#: Seconds after the end of a log for which its pod may not be over: then the log is asked for again.
_LATE_END = 5.0


class KubernetesOwnImages:
    """The pods of one run; ``dagster_job`` is the name of what runs. See own_images.OwnImages."""

    def __init__(self, jobs: RunJobs, dagster_job: str) -> None:
        self.jobs = jobs
        self._dagster_job = dagster_job

    def run(
        self, step: PodStep, on_line: Callable[[str], None], tell: Callable[[str], None], cancellation: Cancellation
    ) -> str:
        """As OwnImages.run says. Raises TaskKilled if the API takes no ConfigMap, TaskCancelled if it is stopped."""
        self._prepare(step)
        start = self._last_start(step)
        while True:
            name = self._name(step, start)
            if not self.jobs.is_there(name):
                tell(f"Running in the pod of Job {name}, image {step.pod['spec']['containers'][0].get('image')}.")
                labels = {"dagster/job": self._dagster_job, "dagster/op": step.step_key, **self.jobs.labels}
                self.jobs.make(step_job(name, labels, step.pod))
            else:
                tell(f"Going on with Job {name}, which an earlier run worker has made.")
            # Whoever stops the run deletes all of its Jobs: an end of the log wakes this thread, or this does.
            with cancellation.on_set(partial(self.jobs.watch.wake, name)):
                found = self._follow(name, step, on_line, cancellation)
            if cancellation.is_set():
                raise TaskCancelled(f"step {step.step_key!r} was stopped, because the run was")
            if found is not None:
                self._give_up(name)
            if found is None or not found.disrupted or start >= self.jobs.settings.disruptions:
                return found.why if found else ""
            start += 1
            tell(f"Starting it again ({start} of {self.jobs.settings.disruptions}): {found.why}")

    def _prepare(self, step: PodStep) -> None:
        try:
            self.jobs.begin()
            for config_map in step.config_maps:
                self.jobs.make_config_map(config_map)
        except (ApiException, TimeoutError, *CONNECTION_ERRORS) as error:
            raise TaskKilled(
                f"step {step.step_key!r} could not be started: {error}",
                effect="Its pod would not have the code that it is to run.",
                remedy="The service account of the run worker needs the rights of deploy/helm/values.yaml.",
            ) from None

    def _name(self, step: PodStep, start: int) -> str:
        return job_name(self.jobs.run_id, step.step_key, step.attempt, start)

    def _last_start(self, step: PodStep) -> int:
        """Of a step that a run worker before this one has started several times, the last one counts."""
        start = 0
        while self.jobs.is_there(self._name(step, start + 1)):
            start += 1
        return start

    def _give_up(self, name: str) -> None:
        """A pod that has not ended, one that waits for its image say, must not run when its step has failed."""
        pod = self.jobs.last_pod(name)
        if pod is None or not pod.over:
            self.jobs.take_away(name)

    def _follow(
        self, name: str, step: PodStep, on_line: Callable[[str], None], cancellation: Cancellation
    ) -> Trouble | None:
        """Reads the log until the pod is over. What is wrong with it then; None for a good end."""
        settings = self.jobs.settings
        log = PodLog(self.jobs.cluster, step.container, settings.patience.node)
        whole_since, last_try = 0.0, math.inf
        while not cancellation.is_set():
            pod = self.jobs.last_pod(name)
            if pod is not None and pod.over:
                last_try = min(last_try, time.monotonic() + settings.api_patience)
            if pod is not None and pod.started and pod.gone is None and not whole_since:
                whole_since = time.monotonic() if log.read(pod.name, on_line) else 0.0
                pod = self.jobs.last_pod(name) or pod
            if pod is None or not pod.over or not pod.started or pod.gone is not None or whole_since:
                if found := self.jobs.trouble_of(name):
                    return found
                if pod is not None and pod.phase == "Succeeded":
                    return None
            elif time.monotonic() > last_try:
                return self.jobs.trouble_of(name) or Trouble(f"its log could not be read: {log.error}", pod=pod.name)
            if whole_since and time.monotonic() - whole_since > _LATE_END:
                whole_since = 0.0
            self.jobs.watch.wait(name, _LOOK)
        return None
