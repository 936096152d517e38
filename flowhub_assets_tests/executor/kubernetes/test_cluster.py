"""The API's calls against the double: tried again while it is away, answered by what it says otherwise."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import pairwise

import kubernetes
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kubernetes.client.rest import ApiException

from flowhub_assets.executor.kubernetes import cluster as module
from flowhub_assets.executor.kubernetes.cluster import CONNECTION_ERRORS, Cluster, Gone
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import cluster as double
from flowhub_assets_tests.kubernetes.fixtures import image_python, job, until

__all__ = ["double", "image_python"]

WAITS = "import time; time.sleep(60)"


@pytest.fixture
def cluster(double: KubeDouble) -> Cluster:
    kubernetes.config.load_kube_config(str(double.kubeconfig))
    return Cluster("default", 20.0)


@pytest.mark.parametrize("answering", [False, True])
def test_what_is_made_while_the_api_is_away_is_made_once_when_it_is_back(
    double: KubeDouble, cluster: Cluster, answering: bool
) -> None:
    double.down(0.8, answering=answering)
    cluster.create_job(job(WAITS, "one"))
    cluster.create_job(job(WAITS, "one"))
    assert [one["metadata"]["name"] for one in double.posted if one["kind"] == "Job"] == ["one"]
    cluster.delete_job("one")
    cluster.delete_job("one")
    until(lambda: double.left() == [])


def test_it_is_not_tried_for_longer_than_its_patience_nor_once_it_is_given_up(double: KubeDouble) -> None:
    double.down(60)
    kubernetes.config.load_kube_config(str(double.kubeconfig))
    with pytest.raises(CONNECTION_ERRORS):
        Cluster("default", 0.5).create_job(job(WAITS))
    with pytest.raises(CONNECTION_ERRORS):
        Cluster("default", 60.0).create_job(job(WAITS), given_up=lambda: True)


def test_what_the_api_refuses_is_told_at_once(double: KubeDouble, cluster: Cluster) -> None:
    with pytest.raises(ApiException) as refused:
        cluster.create_job(job(WAITS, "No Name"))
    assert refused.value.status == 422
    assert double.calls["create", "jobs"] == 1


def test_what_went_wrong_with_a_pod_is_told_and_what_went_well_is_not(double: KubeDouble, cluster: Cluster) -> None:
    double.fail("image")
    cluster.create_job(job(WAITS, "one"))
    pod = until(lambda: double.all_pods and double.all_pods[0].name)
    told = until(lambda: cluster.events_of("Pod", pod))
    assert any(text.startswith("Failed: Failed to pull image") for text in told), told
    assert not any("Scheduled" in text for text in told)
    assert len(told) == len(set(told))
    double.down(60)
    assert cluster.events_of("Pod", pod) == []


def test_a_watch_tells_what_happens_after_its_list_and_when_that_is_forgotten(
    double: KubeDouble, cluster: Cluster
) -> None:
    listed, version = cluster.list("jobs", "task=one")
    assert listed == []
    cluster.create_job({**job(WAITS, "one"), "metadata": {"name": "one", "labels": {"task": "one"}}})
    event, found = next(iter(cluster.watch("jobs", "task=one", version, 20)))
    assert (event, found["metadata"]["name"]) == ("ADDED", "one")
    double.forget()
    with pytest.raises(Gone):
        list(cluster.watch("jobs", "task=one", version, 20))


def test_an_owner_takes_the_place_of_the_one_before(double: KubeDouble, cluster: Cluster) -> None:
    for name in ("first", "second"):
        cluster.create_job(job(WAITS, name))
    jobs = {one["metadata"]["name"]: one["metadata"]["uid"] for one in cluster.list("jobs", "")[0]}
    first, second = (
        {"apiVersion": "batch/v1", "kind": "Job", "name": name, "uid": jobs[name]} for name in ("first", "second")
    )
    config_map = {"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code", "ownerReferences": [first]}}
    assert cluster.create_config_map(config_map)
    assert not cluster.create_config_map(config_map)
    cluster.give_config_map_to("code", second)
    cluster.give_job_to("second", first)
    cluster.delete_job("first")  # and what it owns
    until(lambda: double.left() == [])


class _Answer:
    """As urllib3's, in these chunks."""

    def __init__(self, chunks: Sequence[bytes]) -> None:
        self._chunks = chunks

    def stream(self, *_: object, **__: object) -> Iterator[bytes]:
        yield from self._chunks


@given(st.text("ab\n").map(str.encode), st.lists(st.integers(0, 40)))
def test_lines_are_the_same_however_they_are_cut_into_chunks(text: bytes, cuts: list[int]) -> None:
    places = [0, *sorted(cuts), len(text)]
    chunks = [text[start:end] for start, end in pairwise(places)]
    lines = text.split(b"\n")
    assert list(module._lines(_Answer(chunks))) == (lines if lines[-1] else lines[:-1])


@given(st.lists(st.text("ab\n", max_size=9).map(str.encode)))
def test_a_line_that_is_too_long_is_cut(chunks: list[bytes]) -> None:
    whole = list(module._lines(_Answer(chunks)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_LONGEST_LINE", 4)
        assert list(module._lines(_Answer(chunks))) == [line[:4] for line in whole]
