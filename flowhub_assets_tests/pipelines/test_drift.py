"""The drift watch in Dagster and by its script: its check, what it shows, and a batch that asks for nothing."""

from __future__ import annotations

from pathlib import Path

from dagster import AssetCheckSeverity, DagsterInstance

from flowhub_assets.ml.drift_watch import retraining_due
from flowhub_assets_tests.ml.trained import env_of, publish_iris
from flowhub_assets_tests.pipelines.registry_pipelines import checks_of, flow_of, run_in_dagster, value_of
from flowhub_assets_tests.pipelines.test_retraining import wider
from flowhub_assets_tests.pipelines.test_retraining import workspace as workspace  # a fixture


def test_without_a_champion_there_is_nothing_to_compare(tmp_path: Path, instance: DagsterInstance) -> None:
    publish_iris(env_of(tmp_path))
    result = run_in_dagster("drift", tmp_path, instance, "iris")
    assert result.success
    assert checks_of(result)["drift"][0]
    assert value_of(result, "drift__watch")["champion"] is None


def test_what_has_moved_is_a_warning_with_both_measures(workspace: Path, instance: DagsterInstance) -> None:
    publish_iris(env_of(workspace), wider)
    result = run_in_dagster("drift", workspace, instance, "iris")
    assert result.success, "a warning stops nothing"
    (check,) = result.get_asset_check_evaluations()
    assert not check.passed
    assert check.severity is AssetCheckSeverity.WARN
    columns = str(check.metadata["columns"].value)
    assert "psi_bound" in columns
    assert "petal_length" in columns
    (made,) = result.get_asset_materialization_events()
    assert "how far columns have moved" in made.step_materialization_data.materialization.metadata
    assert retraining_due("iris", env_of(workspace, run_id="other")) is not None


def test_a_batch_is_told_and_asks_for_nothing(workspace: Path, instance: DagsterInstance) -> None:
    from flowhub_assets.ml.data_set_files import load_data_set
    from flowhub_assets.runtime.storage import get_storage

    frame, _ = load_data_set("iris", env_of(workspace))
    get_storage(env_of(workspace)).write("inbox/batch.csv", wider(frame).to_csv(index=False).encode())
    result = run_in_dagster("drift", workspace, instance, "iris", params={"batch_url": "inbox/batch.csv"})
    assert result.success
    assert not checks_of(result)["drift"][0]
    assert value_of(result, "drift__watch")["drifted"] == ["petal_length"]
    assert retraining_due("iris", env_of(workspace)) is None


def test_it_is_looked_at_every_day_for_each_data_set() -> None:
    (schedule,) = flow_of("drift").schedules
    assert schedule.cron_schedule == "@daily"
