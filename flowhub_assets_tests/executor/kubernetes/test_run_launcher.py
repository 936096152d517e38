from __future__ import annotations

from typing import Any

import dagster as dg
import pytest
from dagster._core.launcher import WorkerStatus
from kubernetes.client.rest import ApiException

from flowhub_assets.executor.kubernetes.run_launcher import SteadyK8sRunLauncher
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import batch, cluster, image_python, job, until

__all__ = ["batch", "cluster", "image_python"]

FOR_EVER, AT_ONCE, FAILS = "import time; time.sleep(60)", "pass", "raise SystemExit(1)"


@pytest.fixture
def launcher(cluster: KubeDouble) -> SteadyK8sRunLauncher:
    return SteadyK8sRunLauncher(
        service_account_name="dagster",
        instance_config_map="dagster-instance",
        dagster_home="/home",
        job_image="code:1",
        load_incluster_config=False,
        kubeconfig_file=str(cluster.kubeconfig),
    )


@pytest.fixture
def run() -> dg.DagsterRun:
    return dg.DagsterRun(job_name="j", run_id="r")


def worker(text: str, name: str, run_id: str = "r") -> dict[str, Any]:
    made = job(text, name, backoffLimit=0)
    made["metadata"]["labels"] = {"dagster/run-id": run_id, "app.kubernetes.io/component": "run_worker"}
    return made


def health(launcher: SteadyK8sRunLauncher, run: dg.DagsterRun, started: bool = True) -> WorkerStatus:
    status = dg.DagsterRunStatus.STARTED if started else dg.DagsterRunStatus.STARTING
    return launcher.check_run_worker_health(run.with_status(status)).status


@pytest.mark.parametrize("answering", [True, False])
def test_while_the_api_is_away_nothing_is_concluded(
    launcher: SteadyK8sRunLauncher, run: dg.DagsterRun, cluster: KubeDouble, answering: bool
) -> None:
    cluster.down(60, answering=answering)
    assert health(launcher, run) == WorkerStatus.RUNNING


def test_a_worker_that_is_dead_is_seen(launcher: SteadyK8sRunLauncher, run: dg.DagsterRun, batch: Any) -> None:
    assert health(launcher, run) == WorkerStatus.UNKNOWN, "it has no Job"
    batch.create_namespaced_job("default", worker(FOR_EVER, "of-another-run", "s"))
    assert health(launcher, run) == WorkerStatus.UNKNOWN, "it has no Job"
    batch.create_namespaced_job("default", worker(FAILS, "first"))
    until(lambda: health(launcher, run) == WorkerStatus.FAILED)
    assert health(launcher, run, started=False) == WorkerStatus.FAILED
    batch.create_namespaced_job("default", worker(FOR_EVER, "second"))
    assert health(launcher, run) == WorkerStatus.RUNNING


def test_a_worker_whose_successor_was_never_made_still_counts(
    launcher: SteadyK8sRunLauncher, run: dg.DagsterRun, batch: Any
) -> None:
    batch.create_namespaced_job("default", worker(FOR_EVER, "dagster-run-r"))
    # Dagster has counted a resume whose Job the API did not take: its own launcher looks for that one only.
    launcher._get_resume_attempt_number = lambda run: 1  # type: ignore[method-assign]
    assert health(launcher, run) == WorkerStatus.RUNNING


def test_a_worker_that_has_ended(launcher: SteadyK8sRunLauncher, run: dg.DagsterRun, batch: Any) -> None:
    batch.create_namespaced_job("default", worker(AT_ONCE, "first"))
    until(lambda: health(launcher, run, started=False) == WorkerStatus.SUCCESS)
    assert health(launcher, run) == WorkerStatus.FAILED, "it has ended, and the run has not"


def test_a_job_is_made_once_the_api_is_back(launcher: SteadyK8sRunLauncher, cluster: KubeDouble, batch: Any) -> None:
    cluster.down(2.5)
    launcher._api_client.create_namespaced_job_with_retries(body=worker(AT_ONCE, "first"), namespace="default")
    assert [one.metadata.name for one in batch.list_namespaced_job("default").items] == ["first"]


def test_a_job_that_the_api_refuses_is_not_tried_again(launcher: SteadyK8sRunLauncher, cluster: KubeDouble) -> None:
    with pytest.raises(ApiException, match="422"):
        launcher._api_client.create_namespaced_job_with_retries(body=worker("", "No Name"), namespace="default")
    assert cluster.calls["create", "jobs"] == 1


def test_a_job_whose_making_was_not_confirmed_will_do(launcher: SteadyK8sRunLauncher, cluster: KubeDouble) -> None:
    batch_api = launcher._api_client.batch_api
    make, lost = batch_api.create_namespaced_job, [True]

    def make_and_lose_the_answer(*arguments: Any, **options: Any) -> Any:
        make(*arguments, **options)
        if lost.pop():
            raise ConnectionResetError

    batch_api.create_namespaced_job = make_and_lose_the_answer
    launcher._api_client.create_namespaced_job_with_retries(body=worker(AT_ONCE, "first"), namespace="default")
    assert cluster.calls["create", "jobs"] == 2
    with pytest.raises(ApiException, match="409"):
        launcher._api_client.create_namespaced_job_with_retries(body=worker(AT_ONCE, "first"), namespace="default")
