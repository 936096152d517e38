"""Which handler the heavy steps of a run have."""

from __future__ import annotations

import subprocess
import sys
from types import SimpleNamespace
from typing import Any

import dagster as dg
import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.executor.hybrid import hybrid_executor, hybrid_executor_with
from flowhub_assets.executor.local_handler import LocalStepHandler
from flowhub_assets.executor.step_handlers import StepHandlers
from flowhub_assets_tests.kubernetes.double import KubeDouble


def plan_context(launcher: Any) -> Any:
    """As much of one as the choice looks at."""
    instance = SimpleNamespace(run_launcher=launcher)
    return SimpleNamespace(instance=instance, run_id="r1", job_name="job")


def test_auto_is_this_machine_without_the_kubernetes_launcher() -> None:
    with dg.DagsterInstance.ephemeral() as instance:
        chosen = StepHandlers({"auto": {}}, {}).of_run(plan_context(instance.run_launcher))
    assert isinstance(chosen.handler, LocalStepHandler)
    assert chosen.own_images is None
    chosen.end(0.0)
    chosen.leave()
    chosen.close()


def test_kubernetes_may_be_asked_for_without_the_launcher(tmp_path: Any) -> None:
    with KubeDouble(tmp_path) as cluster:
        config = {
            "kubeconfig_file": str(cluster.kubeconfig),
            "load_incluster_config": False,
            "job_namespace": "team",
            "max_disruptions": 5,
            "seconds_to_start": 7.0,
        }
        settings = {"seconds_to_pull_image": 9, "max_disruptions": 2}
        with dg.DagsterInstance.ephemeral() as instance:
            chosen = StepHandlers({"kubernetes": config}, settings).of_run(plan_context(instance.run_launcher))
        assert chosen.handler.name == "kubernetes"
        assert chosen.own_images is not None
        jobs = chosen.own_images.jobs
        assert (jobs.cluster.namespace, jobs.settings.disruptions, jobs.settings.patience.start) == ("team", 5, 7.0)
        assert (jobs.settings.patience.image, jobs.settings.api_patience) == (9, 60.0)
        chosen.close()


@pytest.mark.parametrize(
    ("settings", "told"),
    [
        ({"second_to_start": 1}, "no setting 'second_to_start'"),
        ({"seconds_to_start": "soon"}, "seconds_to_start is 'soon'"),
        ({"max_disruptions": -1}, "max_disruptions is -1"),
    ],
)
def test_settings_of_the_code_location_that_cannot_be(settings: dict[str, Any], told: str) -> None:
    with pytest.raises(ProfileError) as caught:
        hybrid_executor_with(settings)
    assert told in str(caught.value)
    assert caught.value.remedy


@pytest.mark.parametrize("wrong", [{"local": {}, "auto": {}}, {"k8s": {}}, {"kubernetes": {"second_to_start": 1}}])
def test_another_config_is_refused(wrong: dict[str, Any]) -> None:
    @dg.op
    def nothing() -> None: ...

    @dg.job(executor_def=hybrid_executor)
    def job() -> None:
        nothing()

    with pytest.raises(dg.DagsterInvalidConfigError):
        dg.validate_run_config(job, {"execution": {"config": {"step_handler": wrong}}})


def test_nobody_imports_kubernetes_who_has_no_cluster() -> None:
    code = (
        "import sys; import flowhub_assets.definitions\n"
        "print([name for name in sys.modules if name.split('.')[0] in ('kubernetes', 'dagster_k8s')])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout.strip() == "[]"
