"""Nine cells: the same seed gives the same metrics, and MLflow has all that was promised of each."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy
import pytest
from sklearn import metrics

from flowhub_assets.errors import InputError, ObjectMissing
from flowhub_assets.ml import training
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.data_sets import DATA_SETS
from flowhub_assets.ml.hyperparameters import MODELS
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.splitting import split
from flowhub_assets.ml.tracking import tracking
from flowhub_assets.ml.training import metrics_of, train
from flowhub_assets_tests.ml.conftest import SMALL, Cells

EVERY = pytest.mark.parametrize("cell", [(data_set, model) for data_set in DATA_SETS for model in MODELS], ids="×".join)


def runs_in(env: dict[str, Any]) -> int:
    client = tracking(env)
    return len(client.search_runs([one.experiment_id for one in client.search_experiments()]))


def test_the_same_seed_gives_the_same_metrics_in_all_nine_cells(cells: Cells, env: dict[str, Any]) -> None:
    # All at once, in another workspace: neither the order nor the neighbours have a part in it.
    with ThreadPoolExecutor(3) as pool:
        again = list(pool.map(lambda cell: train(cell[0], cell[1], SMALL, env), cells.trained))
    for before, after in zip(cells.trained.values(), again, strict=True):
        for word in ("metrics", "importances", "curve", "data_set_version", "hyperparameters"):
            assert before[word] == after[word], (before["data_set"], before["model"], word)
    client = tracking(env)
    told = {run.info.run_name: run for name in DATA_SETS for run in client.search_runs([_place(client, name)])}
    assert set(told) == {f"{data_set}-{model}" for data_set, model in cells.trained}
    assert {run.info.status for run in told.values()} == {"FINISHED"}
    assert all(run.data.tags["model"] in name for name, run in told.items())


def _place(client: Any, name: str) -> str:
    place: str = client.get_experiment_by_name(name).experiment_id
    return place


@pytest.mark.parametrize(("failures", "ends_well"), [(1, True), (3, True), (4, False)])
def test_of_two_cells_that_tell_a_data_set_first_the_later_one_asks_again(failures: int, ends_well: bool) -> None:
    told: list[str] = []

    def log_inputs(run_id: str, inputs: list[Any]) -> None:
        told.append(run_id)
        if len(told) <= failures:
            raise ValueError("(sqlite3.IntegrityError) UNIQUE constraint failed: datasets.name")

    run: Any = SimpleNamespace(run_id="r", client=SimpleNamespace(log_inputs=log_inputs))
    with nullcontext() if ends_well else pytest.raises(ValueError, match="UNIQUE"):
        training._log_input(run, SimpleNamespace())  # type: ignore[arg-type]
    assert len(told) == min(failures + 1, 4)


@pytest.mark.parametrize("model", MODELS)
def test_another_seed_gives_another_model(model: str, cells: Cells, env: dict[str, Any]) -> None:
    other = train("iris", model, {**SMALL, "seed": 8}, env)
    assert other["curve"] != cells.trained["iris", model]["curve"]


@EVERY
def test_mlflow_has_everything_of_it(cell: tuple[str, str], cells: Cells) -> None:
    trained = cells.trained[cell]
    client = tracking(cells.env)
    run = client.get_run(trained["mlflow_run_id"])
    assert run.info.status == "FINISHED"
    assert run.data.params == {name: str(value) for name, value in trained["hyperparameters"].items()}
    assert trained["metrics"].items() <= run.data.metrics.items()
    assert len(client.get_metric_history(run.info.run_id, "training_loss")) == SMALL["trees"]
    assert run.data.tags["data_set_version"] == trained["data_set_version"]
    assert run.inputs is not None
    (data,) = run.inputs.dataset_inputs
    assert (data.dataset.name, data.dataset.digest) == (cell[0], trained["data_set_version"])
    assert json.loads(data.dataset.source)["uri"] == trained["data_set_url"]
    plots = {one.path for one in client.list_artifacts(run.info.run_id, "plots")}
    assert plots == {"plots/feature-importances.png", "plots/learning-curve.png"}
    model = client.get_logged_model(trained["model_id"])
    assert (model.status, model.source_run_id, model.model_uri) == ("READY", run.info.run_id, trained["model_uri"])
    files = {path.name for path in Path(trained["model_source"].removeprefix("file://")).iterdir()}
    assert {"MLmodel", "input_example.json", "requirements.txt", "data"} <= files


@EVERY
def test_its_metrics_are_those_of_the_loaded_model_on_the_held_out_rows(cell: tuple[str, str], cells: Cells) -> None:
    trained = cells.trained[cell]
    known, frame, _ = published(cell[0], cells.env)
    _, held_out = split(frame)
    predictor = load_model(trained["model_uri"], cells.env)
    scored = predictor.frame_scores(held_out)
    target = predictor.encoding.target_codes(held_out)
    assert trained["rows"] == {"training": len(frame) - len(held_out), "held_out": len(held_out)}
    for name, value in metrics_of(known.kind, target, scored).items():
        assert trained["metrics"][name] == pytest.approx(value, rel=1e-6)


def test_what_travels_is_small_json(cells: Cells) -> None:
    for trained in cells.trained.values():
        assert len(json.dumps(trained, allow_nan=False)) < 8_000


def test_a_long_curve_travels_as_fifty_points_and_ends_with_the_last_tree(env: dict[str, Any]) -> None:
    trained = train("iris", "xgboost", {"trees": 120}, env)
    assert len(trained["curve"]["trees"]) <= 50
    assert trained["curve"]["trees"][-1] == 120


@pytest.mark.parametrize(
    ("data_set", "model", "given", "told"),
    [
        ("iris", "xgboost", {"trees": 0}, "trees"),
        ("iris", "xgboost", {"trials": 1}, "trials"),
        ("iris", "catboost", {}, "catboost"),
        ("roses", "xgboost", {}, "roses"),
    ],
)
def test_what_is_wrong_is_refused_before_mlflow_has_a_run(
    data_set: str, model: str, given: dict[str, Any], told: str, env: dict[str, Any]
) -> None:
    with pytest.raises(InputError, match=told):
        train(data_set, model, given, env)
    with pytest.raises(InputError, match="DEVICE"):
        train("iris", "xgboost", {}, {**env, "DEVICE": "tpu"})
    assert runs_in(env) == 0


def test_a_data_set_that_was_never_published_is_told(tmp_path: Path) -> None:
    with pytest.raises(ObjectMissing, match="iris"):
        train("iris", "xgboost", {}, {"WORKSPACE": str(tmp_path)})


def test_metrics_are_those_of_scikit_learn() -> None:
    random = numpy.random.default_rng(3)
    target, scored = random.integers(0, 3, 50), random.dirichlet([1, 1, 1], 50)
    answers = scored.argmax(axis=1)
    assert metrics_of("classification", target, scored) == pytest.approx(
        {
            "accuracy": metrics.accuracy_score(target, answers),
            "f1_macro": metrics.f1_score(target, answers, average="macro"),
            "log_loss": metrics.log_loss(target, scored),
        }
    )
    values, predicted = random.random(50), random.random(50)
    assert metrics_of("regression", values, predicted) == pytest.approx(
        {
            "rmse": metrics.root_mean_squared_error(values, predicted),
            "mae": metrics.mean_absolute_error(values, predicted),
            "r2": metrics.r2_score(values, predicted),
        }
    )
