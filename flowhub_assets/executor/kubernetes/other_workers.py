"""A run has one worker: what of those before this one still runs is ended before this one goes on.

Dagster starts another run worker where the Kubernetes API did not tell that the one before lives, or its node did not
answer for a while. Two of them would run each light step twice, and end the run twice.
"""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from typing import Any

from kubernetes.client.rest import ApiException

from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS, Cluster

_SELECTOR = "dagster/run-id={},app.kubernetes.io/component=run_worker"
_LIVING = ("Pending", "Running")
#: Seconds that a node has to kill a process; the API has forgotten the pod by then.
_KILLED_WITHIN = 1.0


def end_workers_before_this_one(cluster: Cluster, run_id: str) -> Sequence[str]:
    """Kills them, at once: whoever may still write would write what is no longer so. The names of their pods.

    Nothing is done outside of the cluster, or without the right to list and delete pods.
    """
    try:
        pods = cluster.list_patiently("pods", _SELECTOR.format(run_id))
        own = next((pod for pod in pods if _name(pod) == os.environ.get("HOSTNAME")), None)
        before = [pod for pod in pods if own is not None and _lives(pod) and _age(pod) < _age(own)]
        for pod in before:
            cluster.kill_pod(_name(pod))
    except (ApiException, *CONNECTION_ERRORS):
        return []
    if before:
        time.sleep(_KILLED_WITHIN)
    return [_name(pod) for pod in before]


def _name(pod: Mapping[str, Any]) -> str:
    return str(pod["metadata"]["name"])


def _lives(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") in _LIVING


def _age(pod: Mapping[str, Any]) -> tuple[str, str]:
    # Of two that were made in one second only one may end the other.
    return str(pod["metadata"].get("creationTimestamp") or ""), _name(pod)
