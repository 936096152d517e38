"""New data against what the champion was trained on, over a real registry and a real storage."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import InputError, ObjectMissing
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.drift_watch import ask_for_retraining, begin_retraining, drift, read_batch, retraining_due
from flowhub_assets.ml.registry import promote
from flowhub_assets.runtime.storage import get_storage
from flowhub_assets_tests.ml.trained import BETTER, env_of, publish_iris, registered


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """A workspace whose champion was trained on iris as it is."""
    env = env_of(tmp_path_factory.mktemp("drift"))
    publish_iris(env)
    promote("iris", registered(env, BETTER)["version"], env)
    return env


def wider(frame: Any) -> Any:
    return frame.assign(petal_length=frame.petal_length * 1.4 + 0.5)


def test_without_new_rows_nothing_has_moved(env: dict[str, Any]) -> None:
    version = publish_iris(env)["version"]
    told = drift("iris", None, env)
    assert told == {
        "data_set": "iris",
        "champion": "1",
        "model": "xgboost",
        "trained_on": version,
        "data_set_version": version,
        "rows": 0,
        "columns": [],
        "drifted": [],
        "exceeded": False,
    }
    assert not ask_for_retraining(told, env)


def test_without_a_champion_nothing_is_compared(tmp_path: Path) -> None:
    env = env_of(tmp_path)
    with pytest.raises(ObjectMissing):
        drift("iris", None, env)
    publish_iris(env)
    told = drift("iris", None, env)
    assert (told["champion"], told["exceeded"]) == (None, False)
    assert not (tmp_path / "drift").exists()


def test_new_rows_of_the_same_kind_have_not_moved(env: dict[str, Any]) -> None:
    _, rows, _ = published("iris", env)
    again = rows.assign(sepal_width=(rows.sepal_width + 0.01).round(2))
    told = drift("iris", again, env)
    assert told["rows"] == 150
    assert [one["column"] for one in told["columns"]] == list(rows.columns)
    assert told["drifted"] == []
    assert told["data_set_version"] is None


def test_only_rows_that_the_champions_data_has_not_are_new(env: dict[str, Any]) -> None:
    import pandas

    _, rows, _ = published("iris", env)
    told = drift("iris", pandas.concat([rows, rows.iloc[:3], wider(rows.iloc[:4])]), env)
    assert told["rows"] == 7, "three more of rows that were there once, and four of other values"


def test_a_retraining_is_due_once_for_each_version_that_moved(env: dict[str, Any]) -> None:
    publish_iris(env, wider)
    told = drift("iris", None, env)
    assert told["drifted"] == ["petal_length"]
    (moved,) = [one for one in told["columns"] if one["drifted"]]
    assert moved["psi"] > moved["psi_bound"] >= 0.25
    assert moved["ks"] > moved["ks_bound"] >= 0.2
    (kind,) = [one for one in told["columns"] if one["column"] == "species"]
    assert kind["ks"] is None
    assert ask_for_retraining(told, env)
    first, again, other = ({**env, "run_id": one} for one in ("retrains", "retrains", "other"))
    assert begin_retraining("iris", first) == told
    assert begin_retraining("iris", again) == told, "the step tried once more"
    assert retraining_due("iris", other) is None
    assert not ask_for_retraining(drift("iris", None, env), other), "the next day: the same version"
    with pytest.raises(InputError, match="no retraining of 'iris' is due"):
        begin_retraining("iris", other)
    publish_iris(env, lambda frame: wider(wider(frame)))
    assert ask_for_retraining(drift("iris", None, env), other), "another version, which moved too"
    publish_iris(env)
    assert not ask_for_retraining(drift("iris", None, env), other), "and back"


def test_a_batch_in_the_storage(env: dict[str, Any]) -> None:
    _, rows, _ = published("iris", env)
    storage = get_storage(env)
    url = storage.write("inbox/batch.csv", wider(rows).to_csv(index=False).encode())
    told = drift("iris", read_batch("iris", url, env), env)
    assert told["drifted"] == ["petal_length"]
    assert told["data_set_version"] is None
    storage.write("inbox/wrong.csv", b"petal_length\nlong\n")
    with pytest.raises(InputError, match="the rows are not what data set 'iris' holds"):
        read_batch("iris", "inbox/wrong.csv", env)
    with pytest.raises(ObjectMissing):
        read_batch("iris", "inbox/none.csv", env)


def test_nulls_and_categories_are_told(tmp_path: Path) -> None:
    from flowhub_assets.ml.data_set_files import load_data_set
    from flowhub_assets.ml.data_set_versions import publish
    from flowhub_assets.ml.evaluation import evaluate
    from flowhub_assets.ml.registry import register
    from flowhub_assets.ml.training import train

    env = env_of(tmp_path)
    frame, source = load_data_set("titanic", env)
    publish("titanic", frame, env, source)
    trained = train("titanic", "lightgbm", {"trees": 3}, env)
    made = register(trained, evaluate(trained, env), env)
    promote("titanic", made["version"], env)
    told = drift("titanic", frame.assign(age=None, sex="female"), env)
    of = {one["column"]: one for one in told["columns"]}
    assert told["drifted"] == ["sex", "age"]
    assert of["age"]["nulls"] == 1
    assert 0.1 < of["age"]["nulls_before"] < 0.3
    assert of["age"]["ks"] is None, "there is no number to compare"
