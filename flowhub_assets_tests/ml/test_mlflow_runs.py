"""One run of MLflow: its tags, its end also where the step is killed, and the way back to Dagster."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import RunError
from flowhub_assets.ml.mlflow_runs import PROCESS, close_runs, is_gone, this_process, tracked_run
from flowhub_assets.ml.tracking import tracking

RUN = "5f2c1a9e-0b7d-4c3e-8a6f-1d2e3f4a5b6c"


def test_it_is_finished_or_failed_as_the_block_ends(env: dict[str, Any]) -> None:
    with tracked_run(env, "iris", "good", {"model": "xgboost"}) as good:
        assert good.client.get_run(good.run_id).info.status == "RUNNING"
    with pytest.raises(ValueError, match="of the training"), tracked_run(env, "iris", "bad", {}) as bad:
        raise ValueError("of the training: http://user:hidden@host/")
    runs = {one.info.run_name: one for one in tracking(env).search_runs([good.experiment_id])}
    assert {name: run.info.status for name, run in runs.items()} == {"good": "FINISHED", "bad": "FAILED"}
    assert runs["good"].data.tags["model"] == "xgboost"
    assert runs["bad"].data.tags["flowhub.error"] == "ValueError: of the training: http://host/"
    assert bad.url.endswith(f"/#/experiments/{bad.experiment_id}/runs/{bad.run_id}")


def test_a_secret_of_the_profile_is_in_no_tag(env: dict[str, Any]) -> None:
    secret = "hidden-5f2c-8a61"
    with pytest.raises(ValueError, match=secret), tracked_run({**env, "DB_PASSWORD": secret}, "iris", "one", {}) as run:
        raise ValueError(f"cannot log in with {secret}")
    tags = tracking(env).get_run(run.run_id).data.tags
    assert "cannot log in" in tags["flowhub.error"]
    assert secret not in str(tags)


def test_it_leads_back_to_dagsters_run(env: dict[str, Any]) -> None:
    env |= {
        "run_id": RUN,
        "task": "model",
        "partition": {"key": "iris|xgboost"},
        "DAGSTER_URL": "https://d.example.com/",
    }
    with tracked_run(env, "iris", "one", {}) as run:
        tags = run.client.get_run(run.run_id).data.tags
    assert tags["dagster.run_id"] == RUN
    assert (tags["dagster.task"], tags["dagster.partition"]) == ("model", "iris|xgboost")
    assert tags["dagster.url"] == f"https://d.example.com/runs/{RUN}"
    assert f"(https://d.example.com/runs/{RUN})" in tags["mlflow.note.content"]


def test_a_local_run_has_no_page_in_dagster(env: dict[str, Any]) -> None:
    with tracked_run(env, "iris", "one", {}) as run:
        assert "dagster.url" not in run.client.get_run(run.run_id).data.tags


def test_the_commit_of_the_code_is_a_tag(env: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "code"
    folder.mkdir()
    monkeypatch.chdir(folder)
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.com"]
    for command in (["init", "-q"], ["commit", "-q", "--allow-empty", "-m", "first"]):
        subprocess.run([*git, *command], check=True, timeout=60)
    head = subprocess.run(["git", "rev-parse", "HEAD"], check=True, timeout=60, capture_output=True, text=True).stdout
    with tracked_run(env, "iris", "one", {}) as run:
        tags = run.client.get_run(run.run_id).data.tags
    assert tags["mlflow.source.git.commit"] == head.strip()
    assert tags["git.changed"] == "false"


def test_without_a_checkout_there_is_no_commit(
    env: dict[str, Any], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    monkeypatch.chdir(tmp_path)
    with tracked_run(env, "iris", "one", {}) as run:
        assert "mlflow.source.git.commit" not in run.client.get_run(run.run_id).data.tags


_KILLED = """
import os, signal, sys
from flowhub_assets.ml.mlflow_runs import tracked_run
env = {"WORKSPACE": sys.argv[1], "run_id": sys.argv[2], "task": "model"}
with tracked_run(env, "iris", "killed", {}) as run:
    print(run.run_id, flush=True)
    os.kill(os.getpid(), signal.SIGKILL)
"""


def killed(env: dict[str, Any], run_id: str) -> str:
    """The id of a run whose process was killed in the middle."""
    command = [sys.executable, "-c", _KILLED, env["WORKSPACE"], run_id]
    done = subprocess.run(command, capture_output=True, text=True, timeout=110, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    own = done.stdout.strip()
    assert tracking(env).get_run(own).info.status == "RUNNING"
    return own


def test_a_run_of_a_killed_step_is_ended_by_whoever_begins_next(env: dict[str, Any]) -> None:
    own = killed(env, RUN)
    with tracked_run(env, "iris", "alive", {}) as alive, tracked_run({**env, "task": "other"}, "iris", "next", {}):
        ended = alive.client.get_run(own)
        assert ended.info.status == "FAILED"
        assert ended.data.tags["flowhub.error"] == "its process is gone"
        assert alive.client.get_run(alive.run_id).info.status == "RUNNING"


def test_on_failure_ends_what_its_run_left_open_and_nothing_else(env: dict[str, Any]) -> None:
    with tracked_run({**env, "run_id": "other"}, "iris", "other", {}) as other:
        run = other.client.create_run(other.experiment_id, tags={"dagster.run_id": RUN, PROCESS: "elsewhere/1/2"})
        assert close_runs({**env, "run_id": "of on_failure", "failed_run_id": RUN}) == [run.info.run_id]
        assert other.client.get_run(run.info.run_id).info.status == "FAILED"
        assert other.client.get_run(other.run_id).info.status == "RUNNING"
    assert close_runs({**env, "run_id": "' or 1 = 1"}) == []


def test_a_step_that_is_tried_again_ends_its_first_try_wherever_that_was(env: dict[str, Any]) -> None:
    with tracked_run(env, "iris", "first", {}) as first:
        first.client.set_tag(first.run_id, PROCESS, "another-machine/12/34")
        with tracked_run(env, "iris", "second", {}):
            ended = first.client.get_run(first.run_id)
            assert (ended.info.status, ended.data.tags["flowhub.error"]) == ("FAILED", "the step was tried again")


def test_a_run_is_taken_up_again_or_made_anew(env: dict[str, Any]) -> None:
    with tracked_run(env, "iris", "search", {}) as first:
        pass
    with tracked_run(env, "iris", "search", {}, again=first.run_id) as second:
        assert second.run_id == first.run_id
        assert second.client.get_run(second.run_id).info.status == "RUNNING"
    with tracked_run(env, "iris", "search", {}, again="0" * 32) as third:
        assert third.run_id != first.run_id


def test_a_nested_run_names_the_one_around_it(env: dict[str, Any]) -> None:
    with tracked_run(env, "iris", "search", {}) as outer:
        with tracked_run(env, "iris", "trial", {}, parent=outer.run_id) as inner:
            assert inner.client.get_run(inner.run_id).data.tags["mlflow.parentRunId"] == outer.run_id
            assert inner.client.get_run(outer.run_id).info.status == "RUNNING"
    with tracked_run({**env, "MLFLOW_RUN_ID": outer.run_id}, "iris", "by mlflow run", {}) as run:
        assert run.client.get_run(run.run_id).data.tags["mlflow.parentRunId"] == outer.run_id


def test_what_mlflow_raises_in_the_block_is_told_as_ours(env: dict[str, Any]) -> None:
    with pytest.raises(RunError, match="MLflow did not do"), tracked_run(env, "iris", "one", {}) as run:
        run.client.log_metric("0" * 32, "x", 1.0)


def test_a_process_is_gone_once_it_has_ended() -> None:
    assert not is_gone(this_process())
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        host, own, start = this_process().split("/")
        assert is_gone(f"{host}/{child.pid}/{start}")  # a namesake that began at another time
        assert not is_gone(f"elsewhere/{child.pid}/{start}")
    assert is_gone(f"{host}/{child.pid}/{start}")
    assert not is_gone("")
    assert int(own) == os.getpid()
