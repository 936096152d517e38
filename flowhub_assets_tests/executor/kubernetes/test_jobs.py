"""The Jobs of one run: made once, adopted, refused in the API's words, and taken away for good."""

from __future__ import annotations

from functools import partial
from typing import Any

import kubernetes
import pytest

from flowhub_assets.executor.kubernetes.cluster import Cluster
from flowhub_assets.executor.kubernetes.jobs import JobSettings, RunJobs, step_labels
from flowhub_assets.executor.kubernetes.judging import Patience
from flowhub_assets.executor.kubernetes.manifests import step_job
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import cluster, image_python, job, spec_of, until

__all__ = ["cluster", "image_python"]

WAITS = "import time; time.sleep(60)"
SETTINGS = JobSettings(Patience(start=1.0, image=0.5), api_patience=20.0)


@pytest.fixture
def jobs(cluster: KubeDouble, monkeypatch: pytest.MonkeyPatch) -> RunJobs:
    monkeypatch.setenv("HOSTNAME", "no-pod")
    return run_jobs(cluster)


def run_jobs(cluster: KubeDouble) -> RunJobs:
    kubernetes.config.load_kube_config(str(cluster.kubeconfig))
    jobs = RunJobs(Cluster("default", SETTINGS.api_patience), "run-1", SETTINGS)
    jobs.begin()
    return jobs


def step(name: str) -> dict[str, Any]:
    """A Job as the executor makes it."""
    container = {"name": "base", "image": "team/own:1", "command": ["python", "-c", WAITS]}
    return step_job(name, step_labels("run-1"), {"spec": spec_of(container)})


def running(jobs: RunJobs, name: str) -> bool:
    pod = jobs.last_pod(name)
    return pod is not None and pod.started


def test_what_the_api_does_not_take_is_told_in_its_words(jobs: RunJobs) -> None:
    jobs.make(step("No Name"))
    found = until(lambda: jobs.trouble_of("No Name"))
    assert 'the Kubernetes API did not take its Job No Name: Job.batch "No Name" is invalid: ' in found.why
    assert not found.disrupted


def test_a_trouble_is_told_with_what_the_cluster_says(cluster: KubeDouble, jobs: RunJobs) -> None:
    cluster.fail("image", lambda pod: pod["metadata"]["name"].startswith("image"))
    cluster.fail("quota", lambda pod: pod["metadata"]["name"].startswith("quota"), times=99)
    for name in ("image", "quota"):
        jobs.make(step(name))
    image, quota = (until(partial(jobs.trouble_of, name)) for name in ("image", "quota"))
    assert "could not be pulled" in image.why
    assert "\n  Failed: " in image.why
    assert "no pod was made for it within 1 s. Kubernetes says of quota:\n  FailedCreate: " in quota.why


def test_another_run_worker_makes_nothing_twice_and_becomes_the_owner(
    cluster: KubeDouble, jobs: RunJobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    jobs.make(step("one"))
    jobs.make_config_map({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}})
    until(lambda: running(jobs, "one"))
    jobs.leave()
    jobs.close()
    assert "ConfigMap default/code" in cluster.left(), "another run worker's pods will read it"
    jobs.cluster.create_job(job(WAITS, "dagster-run"))
    pod = until(lambda: next((one.name for one in cluster.all_pods if one.name.startswith("dagster-run")), None))
    monkeypatch.setenv("HOSTNAME", pod)
    other = run_jobs(cluster)
    assert other.is_there("one")
    assert not other.is_there("two")
    other.make(step("one"))
    other.make_config_map({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}})
    other.close()
    assert len([one for one in cluster.posted if one["metadata"]["name"] == "one"]) == 1
    other.cluster.delete_job("dagster-run")
    until(lambda: cluster.left() == [])


def test_all_that_was_made_for_a_run_is_taken_away_and_nothing_is_made_after(
    cluster: KubeDouble, jobs: RunJobs
) -> None:
    for name in ("one", "two"):
        jobs.make(step(name))
    jobs.make_config_map({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": "code"}})
    until(lambda: running(jobs, "one"))
    jobs.cluster.create_job(job(WAITS, "of-another-run"))
    cluster.down(0.5)
    jobs.make(step("late"))
    jobs.take_all_away()
    jobs.make(step("too-late"))
    until(lambda: cluster.left() == [one for one in cluster.left() if "of-another-run" in one])
    jobs.close()
    assert "too-late" not in [one["metadata"]["name"] for one in cluster.posted]


def test_one_job_is_taken_away_before_its_pod_has_started(cluster: KubeDouble, jobs: RunJobs) -> None:
    cluster.fail("pending")
    jobs.make(step("one"))
    until(lambda: jobs.last_pod("one"))
    jobs.take_away("one")
    jobs.close()
    until(lambda: cluster.left() == [])
