"""Dagster's K8sRunLauncher, for clusters whose API is away now and then: a run has one worker, and keeps it.

Dagster's own takes an API that does not answer for a run worker that has died: after a few looks it has started a
second worker beside the first one, or has called the run failed that goes on.

    run_launcher:
      module: flowhub_assets.executor.kubernetes.run_launcher
      class: SteadyK8sRunLauncher
      config: {...}  # that of dagster_k8s.K8sRunLauncher
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from dagster import DagsterRun, DagsterRunStatus
from dagster_k8s import K8sRunLauncher
from kubernetes.client.rest import ApiException
from typing_extensions import override

from flowhub_assets.executor.dagster_private import CheckRunHealthResult, WorkerStatus, worker_health
from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS

#: Seconds for connecting to the API, and for its answer.
_WAIT = {"_request_timeout": (5.0, 20.0)}
#: Seconds for which the making of a run worker's Job is tried again, and between two tries.
_PATIENCE, _PAUSE = 90.0, 1.0
#: Statuses of an API server that may do better in a moment, and of one that knows of a Job of that name.
_PASSING, _THERE_ALREADY = (408, 429, 500, 502, 503, 504), 409


class SteadyK8sRunLauncher(K8sRunLauncher):
    """Its run workers are those that the API tells of; where it tells nothing, nothing is concluded."""

    def __init__(self, *arguments: Any, **config: Any) -> None:
        super().__init__(*arguments, **config)
        self._api_client.create_namespaced_job_with_retries = self._create_patiently

    @override
    def check_run_worker_health(self, run: DagsterRun) -> CheckRunHealthResult:
        """Of all Jobs that were made to be the run's worker: one that was resumed has several."""
        try:
            jobs = self._jobs_of_workers(run)
        except (ApiException, *CONNECTION_ERRORS) as error:
            return worker_health(WorkerStatus.RUNNING, f"Nothing is known, the Kubernetes API does not answer: {error}")
        if not jobs:
            return worker_health(WorkerStatus.UNKNOWN, "The run has no Job")
        states = [job.status for job in jobs]
        if any(state.active or not (state.failed or state.succeeded) for state in states):
            return worker_health(WorkerStatus.RUNNING)
        if run.status in (DagsterRunStatus.STARTED, DagsterRunStatus.CANCELING):
            return worker_health(WorkerStatus.FAILED, "Run has not completed but K8s job has no active pods")
        failed = not any(state.succeeded for state in states)
        return worker_health(WorkerStatus.FAILED, "K8s job failed") if failed else worker_health(WorkerStatus.SUCCESS)

    def _jobs_of_workers(self, run: DagsterRun) -> Sequence[Any]:
        namespace = self.get_container_context_for_run(run).namespace
        selector = f"dagster/run-id={run.run_id},app.kubernetes.io/component=run_worker"
        found = self._api_client.batch_api.list_namespaced_job(namespace, label_selector=selector, **_WAIT)
        return [job for job in found.items if job.metadata.deletion_timestamp is None]

    def _create_patiently(self, body: Any, namespace: str) -> None:
        """In the place of dagster-k8s' own, which gives up where the API is away for half a minute."""
        until, asked_before = time.monotonic() + _PATIENCE, False
        while True:
            try:
                self._api_client.batch_api.create_namespaced_job(namespace, body, **_WAIT)
                return
            except (ApiException, *CONNECTION_ERRORS) as error:
                status = error.status if isinstance(error, ApiException) else None
                if status == _THERE_ALREADY and asked_before:
                    return  # a try whose answer was lost has made it
                if (status is not None and status not in _PASSING) or time.monotonic() + _PAUSE > until:
                    raise
            asked_before = True
            time.sleep(_PAUSE)
