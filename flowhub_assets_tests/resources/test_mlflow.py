"""MLflow as a resource: laid over a profile, used by a plain asset, and silent about passwords."""

from pathlib import Path
from typing import Any

import dagster as dg

from flowhub_assets import definitions
from flowhub_assets.ml.tracking import tracking
from flowhub_assets.resources.mlflow import MlflowResource
from flowhub_assets.resources.profiles import ProfileResource


def test_a_field_that_is_set_beats_the_profile() -> None:
    profile = {"WORKSPACE": "./tmp", "MLFLOW_TRACKING_URI": "http://one:5000"}
    assert MlflowResource().over(profile) == profile
    over = MlflowResource(tracking_uri="http://two:5000", url="https://ml.example.com").over(profile)
    assert over == {**profile, "MLFLOW_TRACKING_URI": "http://two:5000", "MLFLOW_URL": "https://ml.example.com"}


def test_no_password_is_in_its_text() -> None:
    assert "hidden" not in repr(MlflowResource(tracking_uri="http://user:hidden@mlflow:5000"))


def test_a_plain_asset_writes_a_run_that_names_dagsters(tmp_path: Path) -> None:
    told: dict[str, Any] = {}

    @dg.asset
    def report(context: dg.AssetExecutionContext, profile: ProfileResource, mlflow: MlflowResource) -> None:
        with mlflow.run("reports", "weekly", context.run.run_id, profile) as run:
            run.client.log_metric(run.run_id, "rows", 150)
        told.update(run_id=run.run_id, dagster=context.run.run_id)

    profile = ProfileResource(name="default", values={"WORKSPACE": str(tmp_path)})
    done = dg.materialize([report], resources={"profile": profile, "mlflow": MlflowResource()})
    assert done.success
    run = tracking({"WORKSPACE": str(tmp_path)}).get_run(told["run_id"])
    assert (run.info.status, run.data.metrics) == ("FINISHED", {"rows": 150.0})
    assert run.data.tags["dagster.run_id"] == told["dagster"]


def test_the_code_location_has_it() -> None:
    assert "mlflow" in definitions.location.resources
