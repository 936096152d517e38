"""Models in MLflow: loaded back by every kind of URI, and by MLflow's own tools."""

from __future__ import annotations

import json
import threading
from pathlib import Path
from typing import Any

import mlflow.pyfunc
import numpy
import pytest
from mlflow.models import Model

from flowhub_assets.errors import InputError
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.hyperparameters import MODELS
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.tracking import tracking, tracking_uri
from flowhub_assets.ml.training import train
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.ml.conftest import SMALL, Cells
from flowhub_assets_tests.ml.mlflow_server import mlflow_server

SECRET = "hidden-5f2c"  # the server asks for none


def test_each_cell_answers_raw_rows(cells: Cells) -> None:
    for (data_set, _), trained in cells.trained.items():
        _, frame, _ = published(data_set, cells.env)
        predictor = load_model(trained["model_uri"], cells.env)
        rows = frame[predictor.features].astype(object).head(3).to_numpy().tolist()
        answers = predictor.predict(rows)
        if trained["kind"] == "classification":
            assert set(answers) <= set(predictor.classes) == set(trained["classes"])
            assert all(sum(row) == pytest.approx(1) for row in predictor.probabilities(rows))
        else:
            assert all(10_000 < price < 1_000_000 for price in answers)


def test_every_uri_of_a_model_leads_to_it(cells: Cells) -> None:
    trained = cells.trained["iris", "xgboost"]
    client = tracking(cells.env)
    client.create_registered_model("uris")
    made = client.create_model_version(
        "uris", trained["model_source"], trained["mlflow_run_id"], model_id=trained["model_id"]
    )
    client.set_registered_model_alias("uris", "champion", made.version)
    row = [[5.1, 3.5, 1.4, 0.2]]
    uris = [trained["model_uri"], "models:/uris@champion", f"models:/uris/{made.version}"]
    answers = [load_model(uri, cells.env).probabilities(row) for uri in uris]
    assert answers == answers[:1] * 3


@pytest.mark.parametrize(
    "uri", ["models:/none@champion", "models:/none/1", "models:/m-0", "runs:/0/model", "/etc", "models:/", "x"]
)
def test_a_uri_that_leads_nowhere_is_told(uri: str, cells: Cells) -> None:
    with pytest.raises(InputError, match="there is no model"):
        load_model(uri, cells.env)


@pytest.mark.parametrize("model", MODELS)
def test_mlflows_own_tools_can_load_it(model: str, cells: Cells) -> None:
    trained = cells.trained["titanic", model]
    place = trained["model_source"].removeprefix("file://")
    described = Model.load(place)
    assert [one.name for one in described.signature.inputs.inputs] == trained["features"]
    example: Any = described.load_input_example(place)
    served = mlflow.pyfunc.load_model(place)
    own = load_model(trained["model_uri"], cells.env)
    assert list(served.predict(example)) == own.predict(example.astype(object).to_numpy().tolist())
    asked = json.loads(Path(place, "serving_input_example.json").read_text())
    assert asked["dataframe_split"]["columns"] == trained["features"]
    needed = Path(place, "requirements.txt").read_text()
    assert f"mlflow=={mlflow.__version__}" in needed
    assert f"numpy=={numpy.__version__}" in needed


@pytest.mark.timeout(240)
def test_over_a_server_that_comes_late_and_without_a_global_uri(
    env: dict[str, Any], monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR", "1")
    port = free_port()
    there = {**env, "MLFLOW_TRACKING_URI": f"http://team:{SECRET}@127.0.0.1:{port}"}
    told: list[dict[str, Any]] = []
    training = threading.Thread(target=lambda: told.append(train("iris", "lightgbm", SMALL, there)))
    training.start()  # nobody answers yet
    with mlflow_server(tracking_uri(env), port) as url:
        training.join(200)
        (trained,) = told
        assert trained["mlflow_url"].startswith(f"{url}/#/experiments/")
        assert load_model(trained["model_uri"], there).predict([[5.1, 3.5, 1.4, 0.2]]) == ["setosa"]
        plots = {one.path for one in tracking(there).list_artifacts(trained["mlflow_run_id"], "plots")}
        assert plots == {"plots/feature-importances.png", "plots/learning-curve.png"}
        told_there = [tracking(there).get_run(trained["mlflow_run_id"]).to_dictionary(), trained]
    printed = capfd.readouterr()
    assert SECRET not in printed.out + printed.err + json.dumps(told_there)
    assert url not in mlflow.get_tracking_uri()
