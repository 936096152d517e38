from __future__ import annotations

from typing import Any

import pytest
from kubernetes import config

from flowhub_assets.executor.kubernetes.cluster import Cluster
from flowhub_assets.executor.kubernetes.other_workers import end_workers_before_this_one
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import api, cluster, image_python, script, until

__all__ = ["api", "cluster", "image_python"]

WORKS = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(60)"


def worker(api: Any, name: str, run_id: str = "r", component: str = "run_worker", text: str = WORKS) -> None:
    pod = script(text, name)
    pod["metadata"]["labels"] |= {"dagster/run-id": run_id, "app.kubernetes.io/component": component}
    api.create_namespaced_pod("default", pod)


def phases(cluster: KubeDouble, api: Any) -> dict[str, str]:
    return {pod.metadata.name: pod.status.phase for pod in api.list_namespaced_pod("default").items}


@pytest.fixture
def ours(cluster: KubeDouble) -> Cluster:
    config.load_kube_config(str(cluster.kubeconfig))
    return Cluster("default", 10)


def test_workers_before_this_one_are_killed_and_no_others(
    cluster: KubeDouble, api: Any, ours: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(api, "a-ended", text="pass")
    worker(api, "a-first")
    worker(api, "b-own")
    worker(api, "c-later")
    worker(api, "a-other", run_id="s")
    worker(api, "a-step", component="step_worker")
    running = ("a-first", "b-own", "c-later", "a-other", "a-step")
    until(lambda: phases(cluster, api) == {"a-ended": "Succeeded", **dict.fromkeys(running, "Running")})
    monkeypatch.setenv("HOSTNAME", "b-own")
    cluster.down(0.5)
    assert end_workers_before_this_one(ours, "r") == ["a-first"]
    assert sorted(phases(cluster, api)) == ["a-ended", "a-other", "a-step", "b-own", "c-later"]
    assert end_workers_before_this_one(ours, "r") == []


def test_outside_of_the_cluster_nothing_is_ended(
    cluster: KubeDouble, api: Any, ours: Cluster, monkeypatch: pytest.MonkeyPatch
) -> None:
    worker(api, "a-first")
    monkeypatch.setenv("HOSTNAME", "elsewhere")
    assert end_workers_before_this_one(ours, "r") == []
    assert "a-first" in phases(cluster, api)


def test_an_api_that_stays_away_keeps_nobody_from_going_on(ours: Cluster, cluster: KubeDouble) -> None:
    impatient = Cluster("default", 0.1)
    cluster.down(60)
    assert end_workers_before_this_one(impatient, "r") == []
