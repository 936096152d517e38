"""A search: bounded, nested in MLflow, and going on where it was killed."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from flowhub_assets.errors import InputError, ProfileError
from flowhub_assets.ml import searching
from flowhub_assets.ml.data_set_versions import published
from flowhub_assets.ml.hyperparameters import checked_hyperparameters
from flowhub_assets.ml.searching import search
from flowhub_assets.ml.tracking import tracking
from flowhub_assets.ml.training import fit_rows


def nested(env: dict[str, Any], found: dict[str, Any]) -> list[Any]:
    client = tracking(env)
    place = client.get_run(found["mlflow_run_id"]).info.experiment_id
    return list(client.search_runs([place], f"tags.`mlflow.parentRunId` = '{found['mlflow_run_id']}'"))


def test_each_trial_is_a_run_nested_in_the_searchs(env: dict[str, Any], capsys: pytest.CaptureFixture[str]) -> None:
    found = search("iris", "lightgbm", 3, 600, env)
    assert found["trials"] == {"complete": 3, "pruned": 0, "failed": 0, "cut_off": 0}
    assert found["best"]["value"] == min(row["value"] for row in found["history"])
    checked_hyperparameters(found["best"]["hyperparameters"])
    runs = nested(env, found)
    assert sorted(run.info.run_name for run in runs) == ["trial 0", "trial 1", "trial 2"]
    assert all(run.info.status == "FINISHED" and "log_loss" in run.data.metrics for run in runs)
    whole = tracking(env).get_run(found["mlflow_run_id"])
    assert whole.info.status == "FINISHED"
    assert whole.data.metrics["best_log_loss"] == found["best"]["value"]
    lines = [line for line in capsys.readouterr().out.splitlines() if line.startswith("trial ")]
    assert len(lines) == 3
    assert "3 of 3" in lines[-1]


def test_started_again_it_goes_on_and_counts_what_was_done(
    env: dict[str, Any], capsys: pytest.CaptureFixture[str]
) -> None:
    first = search("iris", "scikit-learn", 2, 600, env)
    second = search("iris", "scikit-learn", 3, 600, env)
    assert second["mlflow_run_id"] == first["mlflow_run_id"]
    assert second["history"][:2] == first["history"]
    assert sum(second["trials"].values()) == 3
    assert "learning_rate" not in second["history"][0]
    assert "goes on with 2 of 3 trials" in capsys.readouterr().out
    done = search("iris", "scikit-learn", 3, 600, env)
    assert done["history"] == second["history"]
    # Another library, or another version of the data, is another study.
    assert sum(search("iris", "lightgbm", 1, 600, env)["trials"].values()) == 1


_SEARCH = """
import sys
from flowhub_assets.ml import searching
fit, calls = searching.fit_rows, []

def fit_and_wait(*args):
    calls.append(1)
    if len(calls) == 5:  # in the second trial, if the first was not pruned: no trial is before there are five
        print("in the middle", flush=True)
        sys.stdin.read()
    return fit(*args)

searching.fit_rows = fit_and_wait
env = {"WORKSPACE": sys.argv[1], "run_id": "r1", "task": "hyperparameters"}
searching.search("iris", "lightgbm", 1000, 600, env)
"""


def test_killed_in_the_middle_it_goes_on(env: dict[str, Any]) -> None:
    command = [sys.executable, "-c", _SEARCH, env["WORKSPACE"]]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert any("in the middle" in line for line in process.stdout)
        process.send_signal(signal.SIGKILL)
    client = tracking(env)
    places = [one.experiment_id for one in client.search_experiments()]
    before = client.search_runs(places, "tags.`dagster.task` = 'hyperparameters'")
    assert sorted(run.info.status for run in before) == ["FINISHED", "RUNNING", "RUNNING"]
    found = search("iris", "lightgbm", 4, 600, env)
    assert found["trials"] == {"complete": 4, "pruned": 0, "failed": 0, "cut_off": 1}
    assert [row["state"] for row in found["history"]] == ["complete", "cut off", "complete", "complete", "complete"]
    statuses = [run.info.status for run in nested(env, found)]
    assert "RUNNING" not in statuses
    assert tracking(env).get_run(found["mlflow_run_id"]).info.status == "FINISHED"
    assert found["mlflow_run_id"] in {run.info.run_id for run in before}


def test_the_time_is_a_bound_and_what_it_cuts_off_does_not_count(
    env: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [0.0]
    monkeypatch.setattr(searching, "time", SimpleNamespace(monotonic=lambda: now[0]))
    real = fit_rows

    def slow(*args: Any) -> Any:
        now[0] += 1
        return real(*args)

    monkeypatch.setattr(searching, "fit_rows", slow)
    found = search("iris", "lightgbm", 100, 4, env)
    assert found["trials"] == {"complete": 1, "pruned": 0, "failed": 0, "cut_off": 1}
    assert sorted(run.info.status for run in nested(env, found)) == ["FINISHED", "KILLED"]


def test_a_trial_that_fails_is_told_and_the_search_goes_on(
    env: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    real, calls = fit_rows, [0]

    def failing(*args: Any) -> Any:
        calls[0] += 1
        if calls[0] == 1:
            raise ValueError("a library's own error")
        return real(*args)

    monkeypatch.setattr(searching, "fit_rows", failing)
    found = search("iris", "lightgbm", 2, 600, env)
    assert found["trials"] == {"complete": 1, "pruned": 0, "failed": 1, "cut_off": 0}
    (failed,) = (run for run in nested(env, found) if run.info.status == "FAILED")
    assert "a library's own error" in failed.data.tags["flowhub.error"]


@pytest.mark.parametrize(("trials", "seconds"), [(0, 10), (10, 0), (10_001, 10), (1, 1e9)])
def test_wrong_bounds_are_refused_before_anything(trials: int, seconds: float, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="bounds of the search"):
        search("iris", "xgboost", trials, seconds, {"WORKSPACE": str(tmp_path)})
    assert list(tmp_path.iterdir()) == []


def test_a_bucket_alone_has_no_place_for_a_study(env: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    told = published("iris", env)
    monkeypatch.setattr(searching, "published", lambda name, env: told)
    with pytest.raises(ProfileError, match="OPTUNA_STORAGE"):
        search("iris", "xgboost", 1, 10, {"BUCKET": "b", "MLFLOW_TRACKING_URI": "http://mlflow:5000"})
