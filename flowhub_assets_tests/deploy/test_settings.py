"""Every dagster.yaml of deploy/ is taken by Dagster's own validation, and the values of Helm mean the same."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster._config import process_config
from dagster._core.instance.ref import InstanceRef
from dagster._serdes import ConfigurableClassData
from dagster_aws.s3.compute_log_manager import S3ComputeLogManager
from dagster_k8s import K8sRunLauncher

from flowhub_assets.deploy_check.layers import at
from flowhub_assets_tests.checkout import ROOT

DEPLOY = ROOT / "deploy"
PRODUCTION = yaml.safe_load((DEPLOY / "dagster-production.yaml").read_text("utf-8"))
VALUES = yaml.safe_load((DEPLOY / "helm" / "values.yaml").read_text("utf-8"))
SETTINGS = ("dagster.yaml", "dagster-production.yaml", "compose/dagster.yaml")
ENVIRONMENT = {
    "DAGSTER_PG_HOST": "postgresql",
    "DAGSTER_PG_USERNAME": "dagster",
    "DAGSTER_PG_PASSWORD": "for-this-test",
    "DAGSTER_PG_DB": "dagster",
    "DAGSTER_K8S_NAMESPACE": "flowhub",
    "DAGSTER_K8S_JOB_IMAGE": "flowhub-assets:0.1.0",
    "FLOWHUB_BUCKET": "flowhub",
    "FLOWHUB_ENDPOINT": "http://minio:9000",
}


def validated(text: str, folder: Path) -> InstanceRef:
    (folder / "dagster.yaml").write_text(text)
    return InstanceRef.from_dir(str(folder))


@pytest.fixture(autouse=True)
def variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in ENVIRONMENT.items():
        monkeypatch.setenv(name, value)


@pytest.mark.parametrize("name", SETTINGS)
def test_dagster_takes_the_settings(name: str, tmp_path: Path) -> None:
    ref = validated((DEPLOY / name).read_text("utf-8"), tmp_path)
    for part in (ref.run_launcher_data, ref.compute_logs_data, ref.run_coordinator_data, ref.scheduler_data):
        if part is not None:
            config = _config(part)
            assert config.success, config.errors
    assert ref.settings["telemetry"] == {"enabled": False}
    assert at(ref.settings, "concurrency", "pools", "granularity") == "op"


def _config(part: ConfigurableClassData) -> Any:
    """Checks the settings of a class without making one of it: the launcher would look for a cluster."""
    module = __import__(part.module_name, fromlist=[part.class_name])
    return process_config(getattr(module, part.class_name).config_type(), part.config_dict)


def test_a_misspelt_setting_is_not_taken(tmp_path: Path) -> None:
    text = (DEPLOY / "dagster-production.yaml").read_text("utf-8")
    with pytest.raises(Exception, match="pol_interval_seconds"):
        validated(text.replace("poll_interval_seconds", "pol_interval_seconds"), tmp_path)


def test_the_launcher_has_the_settings_of_the_values() -> None:
    launcher = VALUES["runLauncher"]["config"]["k8sRunLauncher"]
    own = PRODUCTION["run_launcher"]["config"]
    assert own["run_k8s_config"] == {
        "container_config": launcher["runK8sConfig"]["containerConfig"],
        "pod_spec_config": launcher["runK8sConfig"]["podSpecConfig"],
        "pod_template_spec_metadata": launcher["runK8sConfig"]["podTemplateSpecMetadata"],
        "job_spec_config": launcher["runK8sConfig"]["jobSpecConfig"],
    }
    assert own["volumes"] == launcher["volumes"]
    assert own["volume_mounts"] == launcher["volumeMounts"]
    assert own["env_config_maps"] == [one["name"] for one in launcher["envConfigMaps"]]
    assert own["env_secrets"] == [one["name"] for one in launcher["envSecrets"]]
    assert own["image_pull_policy"] == launcher["imagePullPolicy"]
    assert own["service_account_name"] == at(VALUES, "dagster-user-deployments", "serviceAccount", "name")
    assert own["postgres_password_secret"] == VALUES["global"]["postgresqlSecretName"]
    assert own["dagster_home"] == VALUES["global"]["dagsterHome"]


# A value of Helm, and where it goes in the dagster.yaml that the chart writes.
SAME = [
    (("concurrency", "runs", "tagConcurrencyLimits"), ("concurrency", "runs", "tag_concurrency_limits")),
    (("concurrency", "runs", "maxConcurrentRuns"), ("concurrency", "runs", "max_concurrent_runs")),
    (("concurrency", "pools", "granularity"), ("concurrency", "pools", "granularity")),
    (("pythonLogs", "pythonLogLevel"), ("python_logs", "python_log_level")),
    (("telemetry", "enabled"), ("telemetry", "enabled")),
    *(
        (("dagsterDaemon", "runMonitoring", value), ("run_monitoring", setting))
        for value, setting in (
            ("enabled", "enabled"),
            ("pollIntervalSeconds", "poll_interval_seconds"),
            ("startTimeoutSeconds", "start_timeout_seconds"),
            ("cancelTimeoutSeconds", "cancel_timeout_seconds"),
            ("maxResumeRunAttempts", "max_resume_run_attempts"),
            ("freeSlotsAfterRunEndSeconds", "free_slots_after_run_end_seconds"),
        )
    ),
    *(
        (
            ("dagsterDaemon", "runCoordinator", "config", "queuedRunCoordinator", value),
            ("run_coordinator", "config", setting),
        )
        for value, setting in (
            ("dequeueIntervalSeconds", "dequeue_interval_seconds"),
            ("dequeueUseThreads", "dequeue_use_threads"),
            ("dequeueNumWorkers", "dequeue_num_workers"),
        )
    ),
    *(
        (("computeLogManager", "config", "s3ComputeLogManager", value), ("compute_logs", "config", setting))
        for value, setting in (
            ("bucket", "bucket"),
            ("prefix", "prefix"),
            ("localDir", "local_dir"),
            ("skipEmptyFiles", "skip_empty_files"),
            ("uploadInterval", "upload_interval"),
        )
    ),
    (("dagsterDaemon", "runRetries", "enabled"), ("run_retries", "enabled")),
    (("dagsterDaemon", "runRetries", "maxRetries"), ("run_retries", "max_retries")),
    (("dagsterDaemon", "runRetries", "retryOnAssetOrOpFailure"), ("run_retries", "retry_on_asset_or_op_failure")),
    (("dagsterDaemon", "sensors", "numWorkers"), ("sensors", "num_workers")),
    (("dagsterDaemon", "schedules", "numWorkers"), ("schedules", "num_workers")),
]


@pytest.mark.parametrize(("value", "setting"), SAME, ids=lambda path: path[-1])
def test_the_settings_without_helm_are_those_with_helm(value: tuple[str, ...], setting: tuple[str, ...]) -> None:
    assert at(VALUES, *value) is not None
    assert at(VALUES, *value) == at(PRODUCTION, *setting)


def test_the_classes_are_those_that_the_chart_names() -> None:
    assert PRODUCTION["run_launcher"]["class"] == VALUES["runLauncher"]["type"] == K8sRunLauncher.__name__
    assert PRODUCTION["compute_logs"]["class"] == VALUES["computeLogManager"]["type"] == S3ComputeLogManager.__name__
    assert VALUES["dagsterDaemon"]["runCoordinator"]["type"] == PRODUCTION["run_coordinator"]["class"]


def test_the_laptops_queue_is_that_of_one_machine() -> None:
    local, compose = (yaml.safe_load((DEPLOY / name).read_text("utf-8")) for name in ("dagster.yaml", SETTINGS[2]))
    del local["run_launcher"]  # there the code has a container of its own
    assert {key: value for key, value in compose.items() if key not in ("storage", "compute_logs")} == local


def test_the_settings_beside_airflow_are_those_of_one_machine_without_what_is_ours(tmp_path: Path) -> None:
    made = tmp_path / "dagster.yaml"
    subprocess.run(["make", f"HOME_AIRFLOW={tmp_path}", str(made)], cwd=ROOT, check=True, timeout=60)
    local, airflow = (yaml.safe_load(file.read_text("utf-8")) for file in (DEPLOY / "dagster.yaml", made))
    assert "flowhub_assets" not in str(airflow), "its Python has nothing of ours"
    del local["run_launcher"]
    assert airflow == local


def test_dagster_opens_the_local_settings(tmp_path: Path) -> None:
    from dagster import DagsterInstance

    shutil.copy(DEPLOY / "dagster.yaml", tmp_path / "dagster.yaml")
    with DagsterInstance.from_config(str(tmp_path)) as instance:
        assert instance.run_coordinator.__class__.__name__ == "QueuedRunCoordinator"
