from __future__ import annotations

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import api, batch, cluster, image_python, job, names, until

__all__ = ["api", "batch", "cluster", "image_python"]

SLEEP = "import time; time.sleep(60)"
DISRUPTED = {"rules": [{"action": "Ignore", "onPodConditions": [{"type": "DisruptionTarget", "status": "True"}]}]}


def ended(batch: Any, name: str = "j") -> Any:
    def look() -> Any:
        found = batch.read_namespaced_job_status(name, "default")
        over = [one for one in found.status.conditions or [] if one.type in ("Complete", "Failed")]
        return (found, over[0]) if over else None

    return until(look)


def running(api: Any, name: str = "j") -> str:
    """The name of the one pod of a Job that runs."""

    def look() -> list[str]:
        listed = api.list_namespaced_pod(
            "default", label_selector=f"job-name={name}", field_selector="status.phase=Running"
        )
        return [one.metadata.name for one in listed.items if not one.metadata.deletion_timestamp]

    return str(until(look)[0])


def test_a_job_makes_its_pod_and_is_complete(api: Any, batch: Any) -> None:
    made = batch.create_namespaced_job("default", job("print('done')"))
    uid = made.metadata.uid
    assert (made.spec.backoff_limit, made.spec.completions, made.spec.parallelism) == (6, 1, 1)
    found, condition = ended(batch)
    assert (condition.type, condition.reason) == ("Complete", "CompletionsReached")
    status = found.status
    assert (status.succeeded, status.failed, status.active, status.ready) == (1, None, None, 0)
    assert status.start_time <= status.completion_time <= datetime.now(UTC)
    (pod,) = api.list_namespaced_pod("default", label_selector=f"batch.kubernetes.io/controller-uid={uid}").items
    assert re.fullmatch(r"j-[a-z0-9]{5}", pod.metadata.name)
    own = {"job-name": "j", "batch.kubernetes.io/job-name": "j", "controller-uid": uid, "task": "j"}
    assert own.items() <= pod.metadata.labels.items()
    (owner,) = pod.metadata.owner_references
    assert (owner.kind, owner.name, owner.uid, owner.controller) == ("Job", "j", uid, True)
    events = api.list_namespaced_event("default", field_selector="involvedObject.kind=Job,involvedObject.name=j").items
    assert [event.reason for event in events] == ["SuccessfulCreate", "Completed"]
    assert names(batch.list_namespaced_job("default", field_selector="status.successful=1")) == ["j"]


@pytest.mark.parametrize("limit", [0, 2])
def test_a_job_is_tried_again_as_often_as_its_backoff_limit_says(api: Any, batch: Any, limit: int) -> None:
    batch.create_namespaced_job("default", job("raise SystemExit(3)", backoffLimit=limit))
    found, condition = ended(batch)
    assert (condition.type, condition.reason) == ("Failed", "BackoffLimitExceeded")
    assert [one.type for one in found.status.conditions] == ["FailureTarget", "Failed"]
    assert (found.status.failed, found.status.completion_time) == (limit + 1, None)
    assert len(names(api.list_namespaced_pod("default"))) == limit + 1


def test_a_job_past_its_deadline_ends_its_pods(api: Any, batch: Any) -> None:
    batch.create_namespaced_job("default", job(SLEEP, activeDeadlineSeconds=1))
    found, condition = ended(batch)
    assert (condition.reason, found.status.active) == ("DeadlineExceeded", None)
    assert names(api.list_namespaced_pod("default")) == []


def test_exit_codes_can_fail_a_job_at_once(api: Any, batch: Any) -> None:
    codes = {"containerName": "main", "operator": "In", "values": [42]}
    policy = {"rules": [{"action": "FailJob", "onExitCodes": codes}]}
    batch.create_namespaced_job("default", job("raise SystemExit(42)", podFailurePolicy=policy))
    found, condition = ended(batch)
    assert (condition.reason, found.status.failed) == ("PodFailurePolicy", 1)
    assert re.search(
        r"Container main for pod default/j-\w{5} failed with exit code 42 matching FailJob rule", condition.message
    )


@pytest.mark.parametrize("disruption", ["evict", "preempt", "drain", "lose_node", "terminate"])
def test_a_disrupted_pod_is_run_again_and_not_counted(
    cluster: KubeDouble, api: Any, batch: Any, disruption: str
) -> None:
    told = job(SLEEP, backoffLimit=0, podFailurePolicy=DISRUPTED)
    batch.create_namespaced_job("default", told)
    first = running(api)
    getattr(cluster, disruption)(first)
    until(lambda: running(api) != first)
    status = batch.read_namespaced_job_status("j", "default").status
    assert (status.failed, status.conditions, status.active) == (None, None, 1)


def test_without_the_policy_a_disrupted_pod_counts(cluster: KubeDouble, api: Any, batch: Any) -> None:
    batch.create_namespaced_job("default", job(SLEEP, backoffLimit=0))
    cluster.evict(running(api))
    assert ended(batch)[1].reason == "BackoffLimitExceeded"


def test_a_finished_job_goes_after_its_time_with_its_pods(api: Any, batch: Any) -> None:
    batch.create_namespaced_job("default", job("pass", ttlSecondsAfterFinished=0))
    until(lambda: not names(batch.list_namespaced_job("default")))
    until(lambda: not names(api.list_namespaced_pod("default")))


@pytest.mark.parametrize("policy", ["Background", "Foreground"])
def test_a_deleted_job_takes_its_pods_along(cluster: KubeDouble, api: Any, batch: Any, policy: str) -> None:
    batch.create_namespaced_job("default", job(SLEEP))
    running(api)
    batch.delete_namespaced_job("j", "default", propagation_policy=policy)
    if policy == "Background":
        assert names(batch.list_namespaced_job("default")) == []
    until(lambda: not cluster.left())


def test_a_job_deleted_without_a_policy_leaves_its_pods(api: Any, batch: Any) -> None:
    batch.create_namespaced_job("default", job(SLEEP))
    pod = running(api)
    _, _, headers = batch.delete_namespaced_job_with_http_info("j", "default")
    assert "child pods are preserved by default" in headers["Warning"]
    assert names(batch.list_namespaced_job("default")) == []
    found = api.read_namespaced_pod(pod, "default")
    assert (found.status.phase, found.metadata.owner_references) == ("Running", None)


def test_a_quota_keeps_a_job_without_pods(cluster: KubeDouble, api: Any, batch: Any) -> None:
    cluster.fail("quota", times=1)
    batch.create_namespaced_job("default", job("pass"))
    assert ended(batch)[1].type == "Complete"
    told = api.list_namespaced_event("default", field_selector="reason=FailedCreate").items
    assert "is forbidden: exceeded quota" in told[0].message


def test_a_hundred_jobs_at_once_are_all_done(cluster: KubeDouble, api: Any, batch: Any) -> None:
    for number in range(100):
        batch.create_namespaced_job("default", job("", name=f"j-{number}", container={"command": ["true"]}))
    done = {"field_selector": "status.successful=1"}
    until(lambda: len(names(batch.list_namespaced_job("default", **done))) == 100, 90)
    batch.delete_collection_namespaced_job("default", propagation_policy="Background")
    until(lambda: not names(api.list_namespaced_pod("default")))


def test_a_suspended_job_waits(api: Any, batch: Any) -> None:
    batch.create_namespaced_job("default", job("pass", suspend=True))
    assert batch.read_namespaced_job_status("j", "default").status.start_time is None
    batch.patch_namespaced_job("j", "default", {"spec": {"suspend": False}})
    assert ended(batch)[1].type == "Complete"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metadata": {"name": "j" * 64}}, "no more than 63"),
        ({"spec": {"backofflimit": 1}}, "backofflimit"),
        ({"spec": {"podFailurePolicy": {"rules": [{"action": "Ignore"}]}}}, "rules"),
    ],
)
def test_a_job_that_an_api_server_refuses(batch: Any, change: dict[str, Any], said: str) -> None:
    from kubernetes.client import ApiException

    told = job("pass")
    for part, values in change.items():
        told[part] |= values
    with pytest.raises(ApiException, match=said) as refused:
        batch.create_namespaced_job("default", told)
    assert refused.value.status == 422
