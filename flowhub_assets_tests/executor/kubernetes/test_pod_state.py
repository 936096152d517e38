"""What is read from the documents of pods and Jobs, as real clusters write them."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.executor.kubernetes.pod_state import job_state, pod_state

CREATED = "2026-01-01T00:00:00Z"
PLACED = "2026-01-01T00:00:10Z"


def pod(*, deadline: int | None = None, deleted: bool = False, **status: Any) -> dict[str, Any]:
    metadata = {"name": "p", "creationTimestamp": CREATED, **({"deletionTimestamp": PLACED} if deleted else {})}
    limits = {"limits": {"memory": "1Gi"}}
    spec = {"containers": [{"name": "base", "image": "team/own:1", "resources": limits}]}
    return {"metadata": metadata, "spec": {**spec, "activeDeadlineSeconds": deadline}, "status": status}


def container(**state: Any) -> list[dict[str, Any]]:
    return [{"name": "base", "state": state}]


def condition(kind: str, status: str = "True", **words: str) -> dict[str, str]:
    return {"type": kind, "status": status, **words}


def test_a_pod_of_which_nothing_is_known_yet() -> None:
    found = pod_state({"metadata": {"name": "p"}})
    assert (found.phase, found.over, found.started, found.placed, found.gone) == ("Pending", False, False, None, None)


def test_times_limits_and_images() -> None:
    found = pod_state(pod(startTime=PLACED, deadline=30, deleted=True))
    assert found.placed is not None
    assert found.placed - found.created == 10
    assert found.deleting == found.placed
    assert (found.images, found.memory_limit, found.deadline) == (("team/own:1",), "1Gi", 30)


def test_one_that_waits_for_its_image() -> None:
    waiting = {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}
    found = pod_state(pod(phase="Pending", containerStatuses=container(waiting=waiting)))
    assert found.waiting == ("ImagePullBackOff", "Back-off pulling image")
    assert not found.started


def test_one_for_which_there_is_no_node() -> None:
    told = condition("PodScheduled", "False", reason="Unschedulable", message="0/1 nodes are available")
    assert pod_state(pod(phase="Pending", conditions=[told])).unschedulable == "0/1 nodes are available"


def test_the_end_of_the_container_that_ended_badly_counts() -> None:
    ends = [{"exitCode": 0, "reason": "Completed"}, {"exitCode": 137, "reason": "OOMKilled"}]
    states = [{"name": str(number), "state": {"terminated": end}} for number, end in enumerate(ends)]
    found = pod_state(pod(phase="Failed", containerStatuses=states))
    assert (found.exit_code, found.ended[0], found.started, found.over) == (137, "OOMKilled", True, True)


def test_what_the_pod_says_of_its_end_goes_before_what_its_container_says() -> None:
    ended = container(terminated={"exitCode": 137, "reason": "Error"})
    found = pod_state(pod(phase="Failed", reason="Evicted", message="too much disk", containerStatuses=ended))
    assert found.ended == ("Evicted", "too much disk")


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Failed", "reason": "Evicted", "conditions": [condition("DisruptionTarget", reason="Terminated")]},
        {"phase": "Running", "conditions": [condition("DisruptionTarget", reason="PreemptionByScheduler")]},
        {"phase": "Failed", "reason": "NodeShutdown", "message": "Pod was terminated"},
        {"phase": "Failed", "reason": "OutOfnvidia.com/gpu", "message": "Node didn't have enough resource"},
        {"phase": "Failed", "reason": "UnexpectedAdmissionError", "message": "no healthy devices"},
        {"phase": "Failed", "reason": "NodeAffinity"},
    ],
)
def test_what_the_cluster_did_is_a_disruption(status: dict[str, Any]) -> None:
    assert pod_state(pod(**status)).disrupted


@pytest.mark.parametrize(
    "status",
    [
        {"phase": "Failed", "reason": "Evicted", "message": "Pod ephemeral local storage usage exceeds the limit"},
        {"phase": "Failed", "reason": "DeadlineExceeded"},
        {"phase": "Running", "reason": "NodeLost"},
        {"phase": "Failed", "conditions": [condition("DisruptionTarget", "False")]},
        {"phase": "Failed", "containerStatuses": container(terminated={"exitCode": 137, "reason": "OOMKilled"})},
    ],
)
def test_what_the_pod_did_itself_or_has_not_ended_is_none(status: dict[str, Any]) -> None:
    assert not pod_state(pod(**status)).disrupted


def test_the_state_of_a_job() -> None:
    owner = {"kind": "Job", "name": "dagster-run-1", "uid": "u"}
    told = [condition("FailureTarget", reason="DeadlineExceeded", message="Job was active longer")]
    metadata = {"name": "j", "ownerReferences": [owner]}
    found = job_state({"metadata": metadata, "spec": {"activeDeadlineSeconds": 5}, "status": {"conditions": told}})
    assert (found.failed, found.failed_why) == ("DeadlineExceeded", "Job was active longer")
    assert (found.deadline, found.owners, found.over) == (5, ("u",), True)
    assert not job_state({"metadata": {"name": "j"}}).over
    done = job_state({"metadata": {"name": "j"}, "status": {"conditions": [condition("Complete")]}})
    assert done.complete
    assert done.over
