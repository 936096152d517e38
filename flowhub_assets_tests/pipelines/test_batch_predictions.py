"""Predictions of whole tables: the same answers as /predict, the same file for the same rows, and what is refused."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlparse

import pytest
from prometheus_client import CollectorRegistry

from flowhub_assets.errors import InputError
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.serving.batch import predict_batch
from flowhub_assets.ml.serving.described import described
from flowhub_assets.ml.serving.service import CountedModel
from flowhub_assets_tests.ml.serving.registered_model import profile, registered

Run = Callable[..., Any]
Env = dict[str, Any]

pytestmark = pytest.mark.timeout(300)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("batch")


@pytest.fixture(scope="module")
def env(folder: Path) -> Env:
    env = profile(folder / "tmp")
    for data_set in ("iris", "housing", "titanic"):
        registered(env, "lightgbm", data_set, alias="champion")
    return env


def rows_at(url: str) -> list[dict[str, str]]:
    text = Path(unquote(urlparse(url).path)).read_text("utf-8")
    return list(csv.DictReader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("name", ["iris", "titanic", "housing"])
def test_the_answers_are_those_of_predict(env: Env, name: str) -> None:
    made = predict_batch(name, "", env)
    written = rows_at(made["url"])
    assert len(written) == made["rows"] == sum(made["distribution"].values())
    assert sum(made["expected"].values()) == pytest.approx(1)
    predictor = load_model(f"models:/{name}@champion", env)
    features = {one.name: one.type for one in predictor.encoding.columns}
    asked = [
        [(row[one] if kind == "category" else float(row[one])) if row[one] else None for one, kind in features.items()]
        for row in written[:200]
    ]
    answer = json.loads(
        CountedModel(described(name, "1", predictor, env), predictor, CollectorRegistry()).answer(asked)
    )
    assert [str(one) for one in answer["predictions"]] == [row["prediction"] for row in written[:200]]
    assert {row["model_version"] for row in written} == {"1"}
    if predictor.classes:
        best = [max(one.values()) for one in answer["probabilities"]]
        assert [float(row["probability"]) for row in written[:200]] == pytest.approx(best, rel=1e-5)
    assert predict_batch(name, "", env)["url"] == made["url"]


def test_the_pipeline_shows_what_it_predicted(
    env: Env, folder: Path, run_here: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(folder)
    done = run_here("batch_predictions", model="iris")
    assert done.ok, done.error
    shown = {one.name: one for one in done.tasks["predictions"].shown}
    assert shown["rows"].data == 150
    assert len(shown["first rows"].data) == 10
    assert shown["what was predicted"].kind == "png"


def given(env: Env, text: str) -> str:
    path = Path(env["WORKSPACE"]) / "asked.csv"
    path.write_text(text, "utf-8")
    return "asked.csv"


HEAD = "name,petal_width,petal_length,sepal_width,sepal_length\r\n"


def test_a_table_of_one_s_own_keeps_its_columns_in_their_order(env: Env) -> None:
    made = predict_batch("iris", given(env, f"{HEAD}Ann,0.2,1.4,3.5,5.1\r\nBo,2.3,5.2,3.0,6.7\r\n"), env)
    assert [(row["name"], row["prediction"]) for row in rows_at(made["url"])] == [
        ("Ann", "setosa"),
        ("Bo", "virginica"),
    ]
    assert list(rows_at(made["url"])[0])[:5] == HEAD.strip().split(",")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("petal_width,petal_length\r\n1,2\r\n", "no column sepal_length, sepal_width"),
        (f"{HEAD}Ann,wide,1.4,3.5,5.1\r\n", "row 1, petal_width: 'wide' is no number"),
        (f"{HEAD}Ann,,1.4,3.5,5.1\r\n", "petal_width: is missing"),
        ("", "is no CSV"),
    ],
)
def test_what_the_model_does_not_take_is_told_and_nothing_is_written(env: Env, text: str, reason: str) -> None:
    before = sorted(Path(env["WORKSPACE"]).glob("predictions/iris/*"))
    with pytest.raises(InputError, match=reason):
        predict_batch("iris", given(env, text), env)
    assert sorted(Path(env["WORKSPACE"]).glob("predictions/iris/*")) == before


def test_a_model_without_champion_and_a_name_that_is_none_are_refused(env: Env, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="has no champion"):
        predict_batch("iris", "", profile(tmp_path))
    with pytest.raises(InputError, match="there is no data set"):
        predict_batch("tulips", "", env)
