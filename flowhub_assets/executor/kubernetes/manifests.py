"""Jobs as the executor makes them: whoever is to run again is started by the run worker, never by Kubernetes."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from typing import Any

Manifest = Mapping[str, Any]

#: The module in which the process of a step in the code location's image runs.
STEP_IN_POD = "flowhub_assets.executor.kubernetes.step_in_pod"
#: Seconds for which a Job that is over stays to be looked at, where no run's Job owns it.
_TIME_TO_LIVE = 24 * 60 * 60
#: The longest value of a label.
_LONGEST_LABEL = 63


def step_job(name: str, labels: Mapping[str, str], pod: Manifest) -> dict[str, Any]:
    """The Job ``name`` that runs ``pod``, a dict with "metadata" and "spec", once. ``labels`` are those of both."""
    labels = {key: label(text) for key, text in labels.items()}
    metadata = dict(pod.get("metadata") or {})
    metadata.pop("namespace", None)
    spec = dict(pod["spec"])
    # Kubernetes counts a pod's deadline from its start, a Job's from its making, waiting included.
    deadline = spec.pop("activeDeadlineSeconds", None)
    return without_restarts(
        {
            "apiVersion": "batch/v1",
            "kind": "Job",
            "metadata": {"name": name, "labels": labels},
            "spec": {
                "backoffLimit": 0,
                "ttlSecondsAfterFinished": _TIME_TO_LIVE,
                **({"activeDeadlineSeconds": deadline} if deadline else {}),
                "template": {
                    "metadata": {**metadata, "labels": {**(metadata.get("labels") or {}), **labels}},
                    "spec": {**spec, "restartPolicy": "Never"},
                },
            },
        }
    )


def without_restarts(job: Manifest) -> dict[str, Any]:
    """The Job with a policy by which Kubernetes makes no second pod after one that it had to take away.

    Two pods of one step would write the same events. https://kubernetes.io/docs/concepts/workloads/controllers/job/
    """
    spec = job["spec"]
    if spec["template"]["spec"].get("restartPolicy") != "Never" or "podFailurePolicy" in spec:
        return dict(job)
    rule = {"action": "FailJob", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}
    return {**job, "spec": {**spec, "podFailurePolicy": {"rules": [rule]}}}


def ends_at_once(job: Manifest) -> dict[str, Any]:
    """The Job with its process inside step_in_pod, which decides what SIGTERM means.

    Its container has no command but args, as dagster-k8s makes it: the image's entrypoint stays.
    """
    pod = job["spec"]["template"]
    first, *others = pod["spec"]["containers"]
    wrapped = {**first, "args": ["python", "-m", STEP_IN_POD, *first["args"]]}
    template = {**pod, "spec": {**pod["spec"], "containers": [wrapped, *others]}}
    return {**job, "spec": {**job["spec"], "template": template}}


def job_name(run_id: str, step_key: str, attempt: int, start: int) -> str:
    """The same for the same try, so that a run worker finds what the one before it has made."""
    known = hashlib.sha256(f"{run_id}/{step_key}".encode()).hexdigest()[:32]
    return f"flowhub-step-{known}-{attempt}" + (f"-r{start}" if start else "")


def label(text: str) -> str:
    """``text`` as the value of a label: shortened, other letters replaced."""
    return re.sub(r"[^a-zA-Z0-9\-_.]", "-", text[:_LONGEST_LABEL]).strip("-_.")
