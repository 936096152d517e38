"""Whether the sensors are there that delete what a run leaves in a cluster. Seen over runs in test_resume.py."""

from __future__ import annotations

import dagster as dg
import pytest

from flowhub_assets.to_dagster.leftovers import leftover_sensors, remove_leftovers


def test_a_code_location_on_a_laptop_has_no_such_sensors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KUBERNETES_SERVICE_HOST", raising=False)
    assert leftover_sensors() == []


def test_one_in_a_pod_looks_at_failed_and_at_cancelled_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    sensors = leftover_sensors()
    assert [sensor.name for sensor in sensors] == ["kubernetes_leftovers_failure", "kubernetes_leftovers_canceled"]
    assert {sensor.default_status for sensor in sensors} == {dg.DefaultSensorStatus.RUNNING}


def test_the_sensor_asks_for_the_run_and_says_what_it_did(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with dg.DagsterInstance.ephemeral() as instance:
        run = instance.create_run_for_job(_job, status=dg.DagsterRunStatus.FAILURE)
        assert remove_leftovers(instance, run) == "its heavy steps are processes of its run worker"
        run = instance.create_run_for_job(_job)
        instance.report_run_failed(run)
        (entry,) = instance.all_logs(run.run_id, of_type=dg.DagsterEventType.PIPELINE_FAILURE)
        event = entry.get_dagster_event()
        context = dg.build_run_status_sensor_context("kubernetes_leftovers_failure", event, instance, run)
        told = leftover_sensors()[0](context)
        assert isinstance(told, dg.SkipReason)
        assert "processes of its run worker" in str(told.skip_message)


@dg.job
def _job() -> None:
    pass
