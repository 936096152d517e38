"""The gate over a real embedded MLflow: the threshold, and the champion on the same rows."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.errors import InputError
from flowhub_assets.ml.comparison import is_better, is_worse, on_same_rows
from flowhub_assets.ml.evaluation import evaluate
from flowhub_assets.ml.gating import THRESHOLDS, gate
from flowhub_assets.ml.registry import promote
from flowhub_assets_tests.ml.trained import BETTER, WORSE, env_of, publish_iris, registered


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A workspace in which iris is published."""
    env = env_of(tmp_path_factory.mktemp("gating"))
    publish_iris(env)
    return env


@pytest.fixture(scope="module")
def models(env: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """One that knows all kinds of iris, and one that does not; before the first is the champion, as it was judged."""
    made = {"better": registered(env, BETTER), "worse": registered(env, WORSE)}
    made["before"] = {name: gate(made[name]["evaluated"], env) for name in ("better", "worse")}
    promote("iris", made["better"]["version"], env)
    return made


def test_without_a_champion_the_threshold_decides(models: dict[str, Any]) -> None:
    passed, held = models["before"]["better"], models["before"]["worse"]
    assert passed.passed
    assert passed.champion is None
    assert passed.told.endswith("at least 0.85; there is no champion yet")
    assert not held.passed
    assert "less than 0.85" in held.told
    assert list(held.table[0]) == ["measure", "this model", "bound"]
    assert [row["bound"] for row in held.table if row["measure"] == "balanced accuracy"] == ["at least 0.85"]


def test_both_stand_side_by_side(env: dict[str, Any], models: dict[str, Any]) -> None:
    held = gate(models["worse"]["evaluated"], env, threshold=0)
    assert not held.passed
    assert "the champion is better" in held.told
    assert held.champion == models["better"]["version"]
    (row,) = [one for one in held.table if one["measure"] == "balanced accuracy"]
    ours, theirs = (models[one]["evaluated"]["metrics"]["balanced_accuracy"] for one in ("worse", "better"))
    assert row["this model"] == round(ours, 4)
    assert row[f"champion, version {held.champion}"] == round(theirs, 4)
    assert {f"f1 of {one}" for one in ("setosa", "versicolor", "virginica")} <= {one["measure"] for one in held.table}


def test_a_tie_and_the_champion_itself_pass(env: dict[str, Any], models: dict[str, Any]) -> None:
    verdict = gate(models["better"]["evaluated"], env)
    assert verdict.passed
    assert "a tie, which leaves it the challenger" in verdict.told


def test_a_threshold_that_nothing_reaches_is_refused(env: dict[str, Any], models: dict[str, Any]) -> None:
    assert not gate(models["better"]["evaluated"], env, threshold=1.0).passed or (
        models["better"]["evaluated"]["metrics"]["balanced_accuracy"] == 1
    )
    for wrong in (1.5, float("nan")):
        with pytest.raises(InputError, match="the threshold is"):
            gate(models["better"]["evaluated"], env, threshold=wrong)
    assert set(THRESHOLDS) == {"iris", "titanic", "housing"}


def test_a_champion_that_cannot_answer_is_no_obstacle(env: dict[str, Any], models: dict[str, Any]) -> None:
    assert on_same_rows("models:/iris/99", models["better"]["evaluated"], env) is None
    new = models["worse"]["evaluated"]
    assert is_better(new, None) == (True, "the champion cannot answer these rows")
    assert not is_worse(new, None)


def test_the_same_model_and_rows_give_the_same_numbers(env: dict[str, Any], models: dict[str, Any]) -> None:
    again = registered(env, BETTER)
    assert {**evaluate(models["better"], env), "model_uri": ""} == {**again["evaluated"], "model_uri": ""}
