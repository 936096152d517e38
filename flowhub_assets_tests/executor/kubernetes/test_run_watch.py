"""What the two watches of a run know, also of what happened while the API was away or had forgotten."""

from __future__ import annotations

from collections.abc import Iterator

import kubernetes
import pytest

from flowhub_assets.executor.kubernetes.cluster import Cluster
from flowhub_assets.executor.kubernetes.pod_state import PodState
from flowhub_assets.executor.kubernetes.run_watch import RunWatch
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import cluster, image_python, job, until

__all__ = ["cluster", "image_python"]

WAITS = "import time; time.sleep(60)"


@pytest.fixture
def watch(cluster: KubeDouble) -> Iterator[RunWatch]:
    kubernetes.config.load_kube_config(str(cluster.kubeconfig))
    calls = Cluster("default", 20.0)
    calls.create_job(job(WAITS, "there"))
    watch = RunWatch(calls, "task in (there, made)")
    watch.start(20.0)
    calls.create_job({**job(WAITS, "made"), "metadata": {"name": "made", "labels": {"task": "made"}}})
    yield watch
    watch.close()


def pod(watch: RunWatch, name: str) -> PodState | None:
    return next(iter(watch.pods_of(name)), None)


def runs(watch: RunWatch, name: str) -> bool:
    found = pod(watch, name)
    return found is not None and found.started


def is_gone(watch: RunWatch, name: str) -> bool:
    found = pod(watch, name)
    return found is not None and found.gone is not None


def test_it_knows_what_was_there_and_what_comes(watch: RunWatch) -> None:
    until(lambda: runs(watch, "there") and runs(watch, "made"))
    assert watch.job("nobody") is None
    assert watch.pods_of("nobody") == []
    until(lambda: {one.name for one in watch.jobs()} >= {"made"})


def test_it_sees_an_end_and_wakes_who_waits_for_it(cluster: KubeDouble, watch: RunWatch) -> None:
    until(lambda: runs(watch, "made"))
    cluster.oom("made")

    def ended() -> bool:
        watch.wait("made", 1.0)
        found = pod(watch, "made")
        return found is not None and found.ended[0] == "OOMKilled"

    until(ended)


def test_what_was_deleted_while_nobody_watched_is_gone(cluster: KubeDouble, watch: RunWatch) -> None:
    until(lambda: runs(watch, "made") and runs(watch, "there"))
    cluster.down(0.7)
    cluster.delete_pod("made")
    until(lambda: is_gone(watch, "made"))
    assert not is_gone(watch, "there")


def test_a_watch_whose_past_is_forgotten_begins_anew(cluster: KubeDouble, watch: RunWatch) -> None:
    until(lambda: runs(watch, "there"))
    cluster.down(0.3, answering=True)
    cluster.forget()
    cluster.preempt("there")
    until(lambda: is_gone(watch, "there"))


def test_an_api_that_does_not_answer_is_told(cluster: KubeDouble) -> None:
    kubernetes.config.load_kube_config(str(cluster.kubeconfig))
    cluster.down(60)
    with pytest.raises(TimeoutError, match="did not answer within 1 s"):
        RunWatch(Cluster("default", 1.0), "a=b").start(1.0)
