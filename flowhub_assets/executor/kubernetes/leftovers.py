"""What the run worker of a run that has ended could not take away, because it was killed: found by the run's label."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import kubernetes
from dagster import DagsterRun
from dagster_k8s import K8sRunLauncher

from flowhub_assets.executor.kubernetes.cluster import Cluster
from flowhub_assets.executor.kubernetes.jobs import step_selector
from flowhub_assets.executor.kubernetes.pod_state import job_state

#: Seconds for which the API may not answer; then it is told.
_PATIENCE = 20.0


def remove_leftovers(launcher: object, run: DagsterRun, *, all_of_it: bool) -> list[str]:
    """Deletes the Jobs of a run's steps that are not over; ``all_of_it``: the others and the ConfigMaps, too.

    ``launcher`` is the instance's K8sRunLauncher. Returns the names of the Jobs that went. Raises ApiException, and
    what a broken connection raises.
    """
    assert isinstance(launcher, K8sRunLauncher)
    if launcher.load_incluster_config:
        kubernetes.config.load_incluster_config()
    else:
        kubernetes.config.load_kube_config(launcher.kubeconfig_file)
    cluster = Cluster(_namespace(run.run_config) or launcher.job_namespace, _PATIENCE)
    selector = step_selector(run.run_id)
    found, _ = cluster.list("jobs", selector)
    names = [job["metadata"]["name"] for job in found if all_of_it or not job_state(job).over]
    for name in names:
        cluster.delete_job(name)
    if all_of_it:
        cluster.delete_config_maps(selector)
    return names


def _namespace(run_config: Mapping[str, Any]) -> str | None:
    """That of the steps' Jobs, where the run's own config names another than the launcher's."""
    found: Any = run_config
    for key in ("execution", "config", "step_handler"):
        found = found.get(key) or {}
    return next((one["job_namespace"] for one in found.values() if (one or {}).get("job_namespace")), None)
