"""A person's word in Dagster: who, when and why are kept; what is worse is refused, and so is a wrong version."""

from __future__ import annotations

from pathlib import Path

import pytest
from dagster import DagsterInstance

from flowhub_assets.ml.registry import champion, history
from flowhub_assets_tests.ml.trained import env_of, publish_iris
from flowhub_assets_tests.pipelines.registry_pipelines import checks_of, run_in_dagster, value_of


@pytest.fixture
def workspace(tmp_path: Path, instance: DagsterInstance) -> Path:
    """Two challengers of iris that wait for a person, the second by as good a model as the first."""
    publish_iris(env_of(tmp_path))
    for _ in range(2):
        trained = run_in_dagster(
            "training", tmp_path, instance, "iris|xgboost", {"trees": 30}, profile={"PROMOTION": "approval"}
        )
        assert trained.success
        assert "it waits for a person's approval" in value_of(trained, "training__champion")["reason"]
    assert champion("iris", env_of(tmp_path)) is None
    return tmp_path


def test_a_person_promotes_and_goes_back(workspace: Path, instance: DagsterInstance) -> None:
    env = env_of(workspace)
    first = run_in_dagster(
        "promote_model", workspace, instance, params={"model": "iris", "version": 1, "by": "Ada", "why": "good"}
    )
    assert first.success
    assert checks_of(first)["promoted"][0]
    second = run_in_dagster("promote_model", workspace, instance, params={"model": "iris", "version": 2})
    assert second.success, "a person settles a tie"
    (now, before) = history("iris", env)
    assert (now["version"], before["version"]) == ("2", "1")
    assert (before["by"], before["why"]) == ("Ada", "good")
    assert now["by"] == f"run {second.run_id} of promote-model"

    back = run_in_dagster("rollback_model", workspace, instance, params={"model": "iris", "why": "complaints"})
    assert back.success
    assert value_of(back, "rollback_model__champion") == {"name": "iris", "version": "1", "before": "2"}
    (made,) = back.get_asset_materialization_events()
    assert "champions" in made.step_materialization_data.materialization.metadata
    again = run_in_dagster("rollback_model", workspace, instance, params={"model": "iris"})
    assert not again.success, "there is none before"


def test_a_version_that_is_not_there_fails_with_those_that_are(workspace: Path, instance: DagsterInstance) -> None:
    result = run_in_dagster("promote_model", workspace, instance, params={"model": "iris", "version": 9})
    assert not result.success
    (failed,) = [one for one in result.all_events if one.is_step_failure]
    assert "there is no version '9' of the model 'iris'" in str(failed.step_failure_data.error)
    assert "It has 1, 2." in str(failed.step_failure_data.error)
