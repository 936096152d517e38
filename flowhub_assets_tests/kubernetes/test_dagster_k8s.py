"""The real dagster_k8s against the double, unpatched."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import dagster as dg
import pytest
import yaml
from dagster._core.workspace.context import WorkspaceProcessContext
from dagster._core.workspace.load_target import PythonFileTarget

from flowhub_assets_tests.kubernetes import dagster_jobs
from flowhub_assets_tests.kubernetes.double import KubeDouble
from flowhub_assets_tests.kubernetes.fixtures import image_python, until
from flowhub_assets_tests.kubernetes.new_runs import new_run

__all__ = ["image_python"]

IMAGE = "code:1"


@pytest.fixture
def cluster(tmp_path: Path, image_python: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[KubeDouble]:
    """``code:1`` has this environment's Python, every other image a bare one."""
    home = tmp_path / "home"
    home.mkdir()
    with KubeDouble(tmp_path / "cluster", image_python, {IMAGE: Path(sys.executable)}) as cluster:
        monkeypatch.setenv("KUBECONFIG", str(cluster.kubeconfig))
        monkeypatch.setenv("DAGSTER_HOME", str(home))
        yield cluster


@pytest.fixture
def workspace(cluster: KubeDouble, tmp_path: Path) -> Iterator[WorkspaceProcessContext]:
    """An instance whose K8sRunLauncher speaks to the double, and its code location."""
    settings = {
        "job_image": IMAGE,
        "dagster_home": str(tmp_path / "home"),
        "instance_config_map": "dagster-instance",
        "service_account_name": "dagster",
        "load_incluster_config": False,
        "kubeconfig_file": str(cluster.kubeconfig),
        "job_namespace": "default",
        "env_vars": [f"DAGSTER_HOME={tmp_path / 'home'}", f"KUBECONFIG={cluster.kubeconfig}"],
    }
    launcher = {"module": "dagster_k8s", "class": "K8sRunLauncher", "config": settings}
    dagster_yaml = yaml.safe_dump({"run_launcher": launcher, "telemetry": {"enabled": False}})
    (tmp_path / "home" / "dagster.yaml").write_text(dagster_yaml)
    # What the chart mounts for an instance: here the folder is there without.
    cluster.objects.apply(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "dagster-instance"},
                "data": {"dagster.yaml": dagster_yaml},
            }
        )
    )
    target = PythonFileTarget(
        python_file=dagster_jobs.__file__, attribute="defs", working_directory=None, location_name="jobs"
    )
    with dg.DagsterInstance.get() as instance, WorkspaceProcessContext(instance, target) as context:
        yield context


def launch(workspace: WorkspaceProcessContext, name: str) -> str:
    instance = workspace.instance
    request = workspace.create_request_context()
    location = request.get_code_location("jobs")
    repository = next(iter(location.get_repositories().values()))
    job = repository.get_full_job(name)
    run = new_run(instance, name, job.get_python_origin(), remote=job.get_remote_origin())
    instance.launch_run(run.run_id, request)
    return str(run.run_id)


def ended(workspace: WorkspaceProcessContext, run_id: str) -> Any:
    def look() -> Any:
        run = workspace.instance.get_run_by_id(run_id)
        return run if run and run.is_finished else None

    return until(look, 60)


def health(workspace: WorkspaceProcessContext, run_id: str) -> str:
    run = workspace.instance.get_run_by_id(run_id)
    assert run is not None
    return str(workspace.instance.run_launcher.check_run_worker_health(run).status.value)


def test_a_run_is_launched_into_a_pod(cluster: KubeDouble, workspace: WorkspaceProcessContext) -> None:
    run_id = launch(workspace, "small_job")
    assert ended(workspace, run_id).status == dg.DagsterRunStatus.SUCCESS, cluster.logs("dagster-run")
    (pod,) = cluster.all_pods
    assert pod.name.startswith(f"dagster-run-{run_id}-")
    logged = [entry.user_message for entry in workspace.instance.all_logs(run_id)]
    assert f"on {pod.name}" in logged
    until(lambda: health(workspace, run_id) == "SUCCESS")
    assert cluster.refused == []


def test_a_run_is_terminated(cluster: KubeDouble, workspace: WorkspaceProcessContext, tmp_path: Path) -> None:
    run_id = launch(workspace, "long_job")
    until(lambda: (tmp_path / "home" / "waiting").exists(), 60)
    assert workspace.instance.run_launcher.terminate(run_id)
    assert ended(workspace, run_id).status == dg.DagsterRunStatus.CANCELED, cluster.logs("dagster-run")
    until(lambda: cluster.left() == ["ConfigMap default/dagster-instance"])


def test_the_death_of_a_run_worker_is_seen(
    cluster: KubeDouble, workspace: WorkspaceProcessContext, tmp_path: Path
) -> None:
    run_id = launch(workspace, "long_job")
    until(lambda: (tmp_path / "home" / "waiting").exists(), 60)
    cluster.oom("dagster-run")

    until(lambda: health(workspace, run_id) == "FAILED")
    run = workspace.instance.get_run_by_id(run_id)
    assert run is not None
    assert "OOMKilled" in (workspace.instance.run_launcher.get_run_worker_debug_info(run) or "")


def test_execute_k8s_job_waits_for_its_pod(cluster: KubeDouble, capfd: pytest.CaptureFixture[str]) -> None:
    with dg.instance_for_test() as instance:
        assert dagster_jobs.job_in_a_job.execute_in_process(instance=instance).success
    assert "from the pod" in capfd.readouterr().out
    assert cluster.refused == []


def test_execute_k8s_job_tells_of_an_image_that_is_not_there(cluster: KubeDouble) -> None:
    cluster.fail("image")
    with dg.instance_for_test() as instance:
        result = dagster_jobs.job_in_a_job.execute_in_process(instance=instance, raise_on_error=False)
    assert not result.success
    assert "ErrImagePull" in str(result.failure_data_for_node("in_a_job"))


def test_pipes_report_what_the_pod_tells(cluster: KubeDouble) -> None:
    result = dg.materialize([dagster_jobs.piped], raise_on_error=False)
    assert result.success, cluster.logs("")
    (told,) = result.asset_materializations_for_node("piped")
    assert told.metadata["rows"].value == 7
    until(lambda: cluster.left() == [])
