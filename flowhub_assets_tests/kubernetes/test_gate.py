from __future__ import annotations

import time
from collections import Counter
from typing import Any

import pytest

from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import api, batch, cluster, image_python, job, names, script, until

__all__ = ["api", "batch", "cluster", "image_python"]

COUNT = "import time\nfor n in range(600): print(n, flush=True); time.sleep(0.1)"


def alone(cluster: KubeDouble) -> Any:
    """A client that tries nothing again by itself."""
    from kubernetes import client, config

    settings = client.Configuration()
    config.load_kube_config(str(cluster.kubeconfig), client_configuration=settings)
    settings.retries = False
    return client.CoreV1Api(client.ApiClient(settings))


def test_calls_are_counted_by_verb_and_resource(cluster: KubeDouble, api: Any, batch: Any) -> None:
    from kubernetes.watch import Watch

    batch.create_namespaced_job("default", job("print(1)"))
    until(lambda: batch.read_namespaced_job_status("j", "default").status.succeeded)
    pod = names(api.list_namespaced_pod("default"))[0]
    cluster.calls.clear()
    batch.read_namespaced_job_status("j", "default")
    batch.read_namespaced_job("j", "default")
    api.read_namespaced_pod_log(pod, "default")
    api.read_namespaced_pod_log(pod, "default", follow=True)
    list(Watch().stream(api.list_namespaced_pod, "default", timeout_seconds=1))
    api.list_namespaced_pod("default")
    api.patch_namespaced_pod(pod, "default", {"metadata": {"labels": {"a": "b"}}})
    batch.delete_namespaced_job("j", "default")
    assert cluster.calls == Counter(
        {
            ("get", "jobs/status"): 1,
            ("get", "jobs"): 1,
            ("get", "pods/log"): 1,
            ("follow", "pods/log"): 1,
            ("watch", "pods"): 1,
            ("list", "pods"): 1,
            ("patch", "pods"): 1,
            ("delete", "jobs"): 1,
        }
    )


@pytest.mark.parametrize("answering", [True, False])
def test_an_outage_cuts_what_is_open_and_ends(cluster: KubeDouble, api: Any, answering: bool) -> None:
    from kubernetes.client import ApiException
    from urllib3.exceptions import HTTPError

    api.create_namespaced_pod("default", script(COUNT))
    until(lambda: api.read_namespaced_pod("p", "default").status.phase == "Running")
    following = api.read_namespaced_pod_log("p", "default", follow=True, _preload_content=False)
    watching = alone(cluster).list_namespaced_pod("default", watch=True, _preload_content=False)
    lines, changes = following.stream(), watching.stream()
    assert next(lines)
    assert next(changes)
    cluster.down(1.0, answering=answering)
    for stream in (lines, changes):
        with pytest.raises(HTTPError):
            for _ in stream:
                pass
    with pytest.raises(ApiException if answering else HTTPError) as told:
        alone(cluster).list_namespaced_pod("default")
    if answering:
        assert told.value.status == 503

    def answers() -> bool:
        try:
            return bool(alone(cluster).read_namespaced_pod("p", "default").status.phase == "Running")
        except (ApiException, HTTPError):
            return False

    until(answers)


def test_the_later_of_two_outages_counts(cluster: KubeDouble) -> None:
    from kubernetes.client import ApiException

    cluster.down(0.1, answering=True)
    cluster.down(60, answering=True)
    time.sleep(0.3)
    with pytest.raises(ApiException, match="503"):
        alone(cluster).list_namespaced_pod("default")


def test_a_slow_api_is_slow(cluster: KubeDouble) -> None:
    from urllib3.exceptions import HTTPError

    cluster.slow(5)
    with pytest.raises(HTTPError):
        alone(cluster).list_namespaced_pod("default", _request_timeout=0.2)
    cluster.slow(0)
    assert names(alone(cluster).list_namespaced_pod("default")) == []
