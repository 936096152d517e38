"""The pipelines around a served model, in Dagster: served, watched, kept when a new one fails, ended."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from dagster import DagsterInstance

from flowhub_assets.ml.serving.described import GOLDEN_ROWS
from flowhub_assets_tests.ml.serving.registered_model import (
    SETOSA,
    apart,
    ask,
    ended_afterwards,
    give,
    profile,
    registered,
    server_folders,
)
from flowhub_assets_tests.pipelines.serving_pipelines import checks, in_dagster, shown

pytestmark = pytest.mark.timeout(600)

Env = dict[str, Any]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    env = profile(tmp_path_factory.mktemp("serving"))
    apart(f"{registered.__module__}:registered", env, "scikit-learn", "iris", "champion")
    apart(f"{registered.__module__}:registered", env, "xgboost")
    with ended_afterwards(env, "iris"):
        yield env


@pytest.fixture
def served(env: Env, instance: DagsterInstance) -> Any:
    """Version 1 is champion, and the pipeline has served it."""
    give(env, "champion", "1")
    result = in_dagster("serving", env, instance)
    assert result.success
    return result


def test_the_champion_is_served_and_outlives_the_run(env: Env, served: Any) -> None:
    keys = {one.asset_key.to_user_string() for one in served.get_asset_materialization_events()}
    assert keys == {f"serving/{name}" for name in ("bento", "compose", "server", "golden", "traffic")}
    answer = ask(env, [SETOSA]).json()
    assert (answer["predictions"], answer["version"]) == (["setosa"], "1")
    url = f"http://127.0.0.1:{env['SERVING_PORT']}"
    told = shown(served, "serving/traffic")
    assert f"{url}/predict" in told["ask it"]
    assert f"iris, version 1, at {url}" in told["served"]
    assert len(shown(served, "serving/golden")["golden rows"].records) == GOLDEN_ROWS
    compose = Path(env["WORKSPACE"]) / "serving" / "iris" / "compose"
    assert set(yaml.safe_load((compose / "compose.yaml").read_text("utf-8"))["services"]) == {"champion", "nginx"}
    assert (compose / "champion" / "src" / "serving.json").is_file()


def test_a_new_one_that_does_not_start_is_told_and_the_old_one_answers(
    env: Env, served: Any, instance: DagsterInstance
) -> None:
    before = server_folders(env)
    give(env, "champion", "2")
    built = apart("flowhub_assets.ml.serving.servers:build_bentos", "iris", env)
    bento = Path(built["champion"]["bento"])
    (bento / "src" / "service.py").write_text("raise RuntimeError('no such luck')\n", "utf-8")
    result = in_dagster("serving", env, instance)
    shutil.rmtree(bento)
    assert not result.success
    failed = [one for one in result.all_events if one.event_type_value == "STEP_FAILURE"]
    assert any("no such luck" in str(one.step_failure_data.error) for one in failed)
    assert ask(env, [SETOSA]).json()["version"] == "1"
    assert server_folders(env) == before


def test_it_is_watched(env: Env, served: Any, instance: DagsterInstance) -> None:
    ask(env, [SETOSA])
    first = in_dagster("serving_watch", env, instance)
    assert first.success
    for _ in range(60):
        ask(env, [SETOSA])
    second = in_dagster("serving_watch", env, instance, p95=60.0)
    assert second.success
    told = checks(second)
    # Sixty times the same flower is not how the training rows are distributed: a warning, and no failed run.
    assert not told["traffic"].passed
    assert "PSI" in told["traffic"].description
    assert told["ab"].passed
    assert told["ab"].description == "no challenger has traffic"
    assert "predictions of version 1" in shown(second, "serving_watch/traffic")
    third = checks(in_dagster("serving_watch", env, instance, p95=60.0))
    assert third["traffic"].passed


def test_a_challenger_gets_its_share_and_is_compared(env: Env, served: Any, instance: DagsterInstance) -> None:
    give(env, "challenger", "2")
    result = in_dagster("serving", env, instance, share=0.5)
    assert result.success
    versions = {ask(env, [SETOSA], **{"X-Request-Key": f"caller-{n}"}).json()["version"] for n in range(20)}
    assert versions == {"1", "2"}
    told = checks(in_dagster("serving_watch", env, instance))
    assert "they are alike" in told["ab"].description or "challenger is" in told["ab"].description
    assert json.dumps(told["ab"].metadata["rows"].value) != "0"


def test_one_command_ends_it(env: Env, served: Any, instance: DagsterInstance) -> None:
    result = in_dagster("stop_serving", env, instance, model="iris")
    assert result.success
    assert server_folders(env) == set()
    assert "of iris, and the front" in shown(result, "stop_serving/stopped")["stopped"]
    told = checks(in_dagster("serving_watch", env, instance))
    assert told["traffic"].description == "iris is not served"
