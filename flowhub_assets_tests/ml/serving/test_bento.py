"""The bento: BentoML's own folder with the model's files, built once, without a pickle and without the user's home."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from flowhub_assets.errors import RunError
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.model_files import read_model
from flowhub_assets.ml.serving import bento
from flowhub_assets.ml.serving.described import described, golden_rows, rows_of_frame
from flowhub_assets.ml.serving.places import place_of
from flowhub_assets.ml.serving.processes import plain_environment
from flowhub_assets_tests.ml.serving.registered_model import profile, registered

pytestmark = pytest.mark.timeout(300)

Env = dict[str, Any]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Env:
    env = profile(tmp_path_factory.mktemp("bento"), SERVING_WORKERS=3)
    registered(env, "xgboost", "titanic", alias="champion")
    return env


def test_a_bento_has_all_that_its_workers_need(env: Env, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    predictor = load_model("models:/titanic@champion", env)
    told = described("titanic", "1", predictor, env)
    assert told["columns"] == ["passenger_class", "sex", "age", "siblings_spouses", "parents_children"]
    assert told["classes"] == ["died", "survived"]
    assert told["workers"] == 3
    assert sum(told["reference"]["shares"]) == pytest.approx(1)
    json.dumps(told, allow_nan=False)
    place = place_of("titanic", env)
    made = bento.build(place, predictor, told)
    folder = Path(made["bento"])
    assert yaml.safe_load((folder / "bento.yaml").read_text("utf-8"))["name"] == "titanic"
    described_here = yaml.safe_load((folder / "apis" / "openapi.yaml").read_text("utf-8"))
    assert "/predict" in described_here["paths"]
    assert bento.served_by(made["bento"]) == told
    own = read_model(str(folder / "src" / "model"))
    rows = golden_rows(predictor, env)
    assert own.probabilities(rows) == predictor.probabilities(rows)
    assert not [path for path in folder.rglob("*") if path.suffix in (".pkl", ".pickle", ".joblib")]
    # Nothing in the user's home, nothing half done in the workspace.
    assert not (tmp_path / "home").exists()
    assert sorted(path.name for path in place.folder.iterdir()) == ["bentos"]
    # The same again is there already.
    before = (folder / "bento.yaml").stat().st_mtime_ns
    assert bento.build(place, predictor, told) == made
    assert (folder / "bento.yaml").stat().st_mtime_ns == before
    bento.clear(place, [])
    assert not folder.exists()
    with pytest.raises(RunError, match="the bento is gone"):
        bento.served_by(made["bento"])


def test_what_bentoml_says_is_told(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bento, "_SERVICE", "raise RuntimeError('no such luck')\n")
    predictor = load_model("models:/titanic@champion", env)
    with pytest.raises(RunError, match="no such luck"):
        bento.build(place_of("titanic", env), predictor, {"version": "9"})
    assert not list(place_of("titanic", env).bentos.rglob("9-*"))


def test_bentoml_tells_nobody_and_keeps_to_its_folder(tmp_path: Path) -> None:
    told = plain_environment(**bento.bento_environment(tmp_path))
    assert told["BENTOML_DO_NOT_TRACK"] == "true"
    assert told["BENTOML_HOME"] == str(tmp_path)


def test_missing_cells_are_null(env: Env) -> None:
    import pandas

    frame = pandas.DataFrame({"a": [1.5, float("nan")], "b": [None, "x"]})
    assert rows_of_frame(frame, ["b", "a"], 5) == [[None, 1.5], ["x", None]]
