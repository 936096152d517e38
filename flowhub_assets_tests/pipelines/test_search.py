"""The pipeline search: one step, whose trials are shown and told in the log."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets.definitions import load, location
from flowhub_assets.ml.data_set_files import load_data_set
from flowhub_assets.ml.data_set_versions import publish
from flowhub_assets.ml.hyperparameters import checked_hyperparameters
from flowhub_assets_tests.pipelines.conftest import PIPELINES


def test_through_dagster_it_is_one_step_that_tells_each_trial(tmp_path: Path, capfd: Any) -> None:
    env = {"WORKSPACE": str(tmp_path)}
    frame, source = load_data_set("iris", env)
    publish("iris", frame, env, source)
    (runnable,) = load(PIPELINES / "search" / "workflow.py").runnables
    config = {
        "loggers": {"console": {"config": {"log_level": "CRITICAL"}}},
        "resources": {
            "storage": {"config": {"workspace": str(tmp_path)}},
            "search_params": {"config": {"trials": 2, "seconds": 300}},
        },
    }
    with dg.DagsterInstance.ephemeral() as instance:
        done = location.flow(runnable).job.execute_in_process(
            run_config=config, partition_key="iris|lightgbm", instance=instance
        )
    (event,) = done.get_asset_materialization_events()
    shown: Any = event.materialization.metadata
    assert {"MLflow", "trials", "how they ended", "best hyper-parameters", "trials by number"} <= set(shown)
    told = capfd.readouterr()
    assert (told.out + told.err).count("trial ") >= 2
    (best,) = shown["best hyper-parameters"].records
    checked_hyperparameters(best.data)
