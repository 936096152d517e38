"""MLflow's client: where it looks, that processes which begin at once do not race, what a server that is away gives."""

from __future__ import annotations

import multiprocessing
import os
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import mlflow
import pytest
from hypothesis import given
from hypothesis import strategies as st
from mlflow.exceptions import MlflowException

from flowhub_assets.errors import ProfileError, RunError
from flowhub_assets.ml.tracking import (
    experiment,
    mlflow_errors,
    run_url,
    tracking,
    tracking_uri,
    without_password,
)
from flowhub_assets_tests.loopback_server import free_port

SECRET = "pass-5f2c"  # not one that any server takes


def test_without_a_uri_it_is_in_the_workspace(tmp_path: Path) -> None:
    assert tracking_uri({"WORKSPACE": str(tmp_path)}) == f"sqlite:///{tmp_path}/mlflow/mlflow.db"


def test_a_uri_goes_before_the_workspace_and_may_be_a_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OUR_MLFLOW", "http://mlflow:5000")
    for uri in ("http://mlflow:5000/", {"env": "OUR_MLFLOW"}):
        assert tracking_uri({"WORKSPACE": "./tmp", "MLFLOW_TRACKING_URI": uri}) == "http://mlflow:5000"
    monkeypatch.delenv("OUR_MLFLOW")
    with pytest.raises(ProfileError, match="OUR_MLFLOW"):
        tracking_uri({"MLFLOW_TRACKING_URI": {"env": "OUR_MLFLOW"}})


def test_a_bucket_alone_has_no_place_for_a_database() -> None:
    with pytest.raises(ProfileError, match="neither MLFLOW_TRACKING_URI nor WORKSPACE"):
        tracking_uri({"BUCKET": "my-bucket"})
    with pytest.raises(ProfileError, match="MLFLOW_TRACKING_URI is int"):
        tracking_uri({"MLFLOW_TRACKING_URI": 5000})


@given(st.text("abc:@/%-.", max_size=12), st.text("abc@%-.", max_size=12), st.sampled_from(["http", "postgresql"]))
def test_no_password_is_shown(user: str, password: str, scheme: str) -> None:
    user = user.replace("/", "")
    told = without_password(f"Cannot reach {scheme}://{user}:{password}SECRET@host:5000/path, sorry")
    assert told == f"Cannot reach {scheme}://host:5000/path, sorry"


def test_what_is_no_user_stays() -> None:
    for text in ("http://host/a@b", "sqlite:////tmp/x.db", "a@b"):
        assert without_password(text) == text


def test_pages_are_where_the_server_or_the_profile_says() -> None:
    server = {"MLFLOW_TRACKING_URI": f"https://team:{SECRET}@mlflow:5000"}
    assert run_url(server, "1", "abc") == "https://mlflow:5000/#/experiments/1/runs/abc"
    assert run_url({**server, "MLFLOW_URL": "https://ml.example.com/"}, "1", "abc").startswith(
        "https://ml.example.com/#"
    )
    assert run_url({"WORKSPACE": "./tmp"}, "1", "abc").startswith("http://localhost:5000/#/")


def begin(workspace: str, start: Any) -> None:
    """What each process does: all at the same moment, in a workspace where nothing is yet."""
    env = {"WORKSPACE": workspace}
    start.wait(100)
    client = tracking(env)
    run = client.create_run(experiment(client, "iris", env))
    for step in range(20):
        client.log_metric(run.info.run_id, "step", step, step=step)
    client.set_terminated(run.info.run_id)


def test_processes_that_begin_at_once_make_one_database(tmp_path: Path) -> None:
    forked = multiprocessing.get_context("fork")
    start = forked.Barrier(3)
    processes = [forked.Process(target=begin, args=(str(tmp_path), start)) for _ in range(3)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(110)
    assert [process.exitcode for process in processes] == [0] * 3
    client = tracking({"WORKSPACE": str(tmp_path)})
    (own,) = (one for one in client.search_experiments() if one.name == "iris")
    runs = client.search_runs([own.experiment_id])
    assert [run.info.status for run in runs] == ["FINISHED"] * 3
    assert all(len(client.get_metric_history(run.info.run_id, "step")) == 20 for run in runs)


def test_the_database_is_one_whose_readers_do_not_wait(env: dict[str, Any]) -> None:
    path = tracking_uri(env).removeprefix("sqlite:///")
    assert sqlite3.connect(path).execute("PRAGMA journal_mode").fetchone() == ("wal",)


def test_a_writer_waits_for_another_one(env: dict[str, Any]) -> None:
    client = tracking(env)
    run = client.create_run(experiment(client, "iris", env))
    other = sqlite3.connect(tracking_uri(env).removeprefix("sqlite:///"), isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    writing = threading.Thread(target=client.log_metric, args=(run.info.run_id, "waited", 1.0))
    writing.start()
    writing.join(1)
    assert client.get_run(run.info.run_id).data.metrics == {}  # a reader does not wait
    other.execute("COMMIT")
    writing.join(60)
    assert client.get_run(run.info.run_id).data.metrics == {"waited": 1.0}


def test_threads_and_workspaces_do_not_get_in_each_others_way(
    tmp_path: Path, new_env: Callable[[Path], dict[str, Any]]
) -> None:
    before = mlflow.get_tracking_uri()
    envs = [new_env(tmp_path / name) for name in ("one", "two")]
    faults: list[Exception] = []

    def work(env: dict[str, Any], name: str) -> None:
        try:
            client = tracking(env)
            for _ in range(5):
                client.create_run(experiment(client, name, env), tags={"of": name})
        except Exception as error:  # noqa: BLE001 - told by the test
            faults.append(error)

    threads = [threading.Thread(target=work, args=(env, str(number))) for number, env in enumerate(envs * 2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert faults == []
    for number, env in enumerate(envs):
        client = tracking(env)
        places = [one.experiment_id for one in client.search_experiments() if one.name != "Default"]
        told = sorted(run.data.tags["of"] for run in client.search_runs(places))
        assert told == sorted([str(number)] * 5 + [str(number + 2)] * 5)
    assert mlflow.get_tracking_uri() == before
    assert mlflow.active_run() is None


def test_a_forked_child_has_connections_of_its_own(env: dict[str, Any]) -> None:
    client = tracking(env)
    place = experiment(client, "iris", env)
    client.create_run(place)
    client.search_registered_models()
    path = tracking_uri(env).removeprefix("sqlite:///")
    opened = [os.readlink(f"/proc/self/fd/{one}") for one in os.listdir("/proc/self/fd") if _is_link(one)]
    assert path not in opened  # none is kept that a child could share
    child = os.fork()
    if child == 0:
        try:
            tracking(env).create_run(place)
            os._exit(0)
        except BaseException:  # noqa: BLE001 - the parent tells by the exit code
            os._exit(1)
    client.create_run(place)
    assert os.waitpid(child, 0)[1] == 0
    assert len(client.search_runs([place])) == 3


def _is_link(descriptor: str) -> bool:
    """Whether it is still there: listing them opened one."""
    return os.path.lexists(f"/proc/self/fd/{descriptor}")


def test_an_experiment_that_was_deleted_is_taken_up_again(env: dict[str, Any]) -> None:
    client = tracking(env)
    own = experiment(client, "iris", env)
    client.delete_experiment(own)
    assert experiment(client, "iris", env) == own
    assert client.get_experiment(own).lifecycle_stage == "active"


def test_a_server_that_is_away_is_asked_again_and_then_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MLFLOW_HTTP_REQUEST_MAX_RETRIES", "1")
    env = {"MLFLOW_TRACKING_URI": f"http://team:{SECRET}@127.0.0.1:{free_port()}"}
    with pytest.raises(RunError) as caught, mlflow_errors(env):
        tracking(env).search_experiments()
    told = str(caught.value)
    assert told.startswith("http://127.0.0.1:")
    assert "MLflow did not do what it was asked" in told
    assert "Start the server that MLFLOW_TRACKING_URI" in told
    assert SECRET not in told
    assert caught.value.__cause__ is None


def test_errors_that_are_not_of_mlflow_pass() -> None:
    with pytest.raises(KeyError), mlflow_errors({"WORKSPACE": "./tmp"}):
        raise KeyError("mine")
    with pytest.raises(RunError, match="no such thing"), mlflow_errors({"WORKSPACE": "./tmp"}):
        raise MlflowException("no such thing")
