"""From drift to a retraining, as Dagster's automation starts it: once for each version, and not while one is made."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from dagster import (
    AssetKey,
    DagsterEvent,
    DagsterEventType,
    DagsterInstance,
    Definitions,
    ExecuteInProcessResult,
    JobDefinition,
    evaluate_automation_conditions,
)

from flowhub_assets.definitions import location
from flowhub_assets.ml.registry import champion
from flowhub_assets_tests.ml.trained import env_of, publish_iris
from flowhub_assets_tests.pipelines.registry_pipelines import checks_of, flow_of, run_in_dagster, value_of

DUE, RETRAINED = "retraining_due/asked", "retraining/champion"


def wider(frame: Any) -> Any:
    return frame.assign(petal_length=frame.petal_length * 1.4 + 0.5)


@pytest.fixture
def workspace(tmp_path: Path, instance: DagsterInstance) -> Path:
    """A workspace in which iris has a champion."""
    publish_iris(env_of(tmp_path))
    # Not here: a process that is forked from one whose OpenMP has threads may wait for them for ever.
    assert run_in_dagster("training", tmp_path, instance, "iris|xgboost", params={"trees": 30}).success
    return tmp_path


class Automation:
    """The looks of Dagster's automation sensor at the three pipelines."""

    def __init__(self, instance: DagsterInstance) -> None:
        self.instance = instance
        self.assets = [one for name in ("drift", "retraining_due", "retraining") for one in flow_of(name).assets]
        self.definitions = Definitions(assets=self.assets, resources=location.resources)
        self.cursor: Any = None
        assert self.asked() == []

    def asked(self) -> list[tuple[str, str]]:
        """The assets that it asks to be made, each with its partition."""
        result = evaluate_automation_conditions(defs=self.definitions, instance=self.instance, cursor=self.cursor)
        self.cursor = result.cursor
        keys = {key for one in self.assets for key in one.keys}
        return sorted(
            (key.to_user_string(), partition)
            for key in keys
            for partition in result.get_requested_partitions(key)
            if partition is not None
        )

    def make(self, keys: list[str], workspace: Path) -> ExecuteInProcessResult:
        """One run of Dagster's own asset job, of the assets that were asked for, as its daemon starts it."""
        return self._job.execute_in_process(
            run_config={
                "resources": {"storage": {"config": {"workspace": str(workspace)}}},
                "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
            },
            asset_selection=[AssetKey(key.split("/")) for key in keys],
            partition_key="iris",
            instance=self.instance,
            raise_on_error=False,
        )

    def begun(self) -> str:
        """The id of a run of retraining, of iris, that is in progress."""
        selection = frozenset([AssetKey(RETRAINED.split("/"))])
        tags = {"dagster/partition": "iris"}
        run = self.instance.create_run_for_job(self._job, tags=tags, asset_selection=selection)
        self.instance.report_dagster_event(DagsterEvent(DagsterEventType.RUN_START.value, self._job.name), run.run_id)
        return run.run_id

    @property
    def _job(self) -> JobDefinition:
        return self.definitions.resolve_implicit_global_asset_job_def()


def made_in(result: ExecuteInProcessResult) -> list[str]:
    events = result.get_asset_materialization_events()
    return sorted(event.asset_key.to_user_string() for event in events if event.asset_key)


def test_drift_starts_one_retraining_for_each_version(workspace: Path, instance: DagsterInstance) -> None:
    automation, env = Automation(instance), env_of(workspace)
    both = [(RETRAINED, "iris"), (DUE, "iris")]
    assert run_in_dagster("drift", workspace, instance, "iris").success
    assert automation.asked() == both
    nothing = automation.make([DUE, RETRAINED], workspace)
    assert nothing.success
    assert made_in(nothing) == [], "nothing had moved: both were skipped"
    assert automation.asked() == []

    publish_iris(env, wider)
    watched = run_in_dagster("drift", workspace, instance, "iris")
    assert watched.success
    assert value_of(watched, "drift__watch")["retraining_due"]
    assert not checks_of(watched)["drift"][0]
    assert automation.asked() == both
    retrained = automation.make([DUE, RETRAINED], workspace)
    assert retrained.success
    assert made_in(retrained) == [RETRAINED, DUE]
    assert checks_of(retrained)["gate"][0]
    assert automation.asked() == [], "once"
    now = champion("iris", env)
    assert now is not None
    assert (now.version, now.model) == ("2", "xgboost")
    assert now.hyperparameters["trees"] == 30

    assert run_in_dagster("drift", workspace, instance, "iris").success
    assert automation.asked() == both
    assert made_in(automation.make([DUE, RETRAINED], workspace)) == [], "the same version of the data set"
    assert automation.asked() == []


def test_none_is_started_while_one_is_made(workspace: Path, instance: DagsterInstance) -> None:
    automation = Automation(instance)
    publish_iris(env_of(workspace), wider)
    run_id = automation.begun()
    assert run_in_dagster("drift", workspace, instance, "iris").success
    assert automation.asked() == [(DUE, "iris")], "one is being made"
    assert made_in(automation.make([DUE], workspace)) == [DUE]
    assert automation.asked() == []
    run = instance.get_run_by_id(run_id)
    assert run is not None
    instance.report_run_canceled(run)
    assert automation.asked() == [(RETRAINED, "iris")], "nothing is lost: it was asked for meanwhile"
    assert automation.asked() == []


def test_below_the_gate_the_champion_stays(workspace: Path, instance: DagsterInstance) -> None:
    import numpy

    order = numpy.random.default_rng(3)
    publish_iris(
        env_of(workspace), lambda frame: wider(frame).assign(species=order.permutation(frame.species.to_numpy()))
    )
    retrained = run_in_dagster("retraining", workspace, instance, "iris")
    assert not retrained.success
    passed, why = checks_of(retrained)["gate"]
    assert not passed
    assert "less than 0.85" in why
    now = champion("iris", env_of(workspace))
    assert now is not None
    assert now.version == "1"


def test_without_a_champion_it_says_so(tmp_path: Path, instance: DagsterInstance) -> None:
    publish_iris(env_of(tmp_path))
    retrained = run_in_dagster("retraining", tmp_path, instance, "iris")
    assert not retrained.success
    (failed,) = [one for one in retrained.all_events if one.is_step_failure]
    assert "the model 'iris' has no champion" in str(failed.step_failure_data.error)
