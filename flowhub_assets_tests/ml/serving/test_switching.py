"""Serving for real: BentoML's workers, our front, a model of MLflow's registry; and each thing that goes wrong once."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psutil
import pytest

from flowhub_assets.errors import InputError, ProfileError, RunError
from flowhub_assets.ml.logged_models import load_model
from flowhub_assets.ml.serving import processes, switching
from flowhub_assets.ml.serving.comparison import compare_arms
from flowhub_assets.ml.serving.golden import ask_golden
from flowhub_assets.ml.serving.places import place_of
from flowhub_assets.ml.serving.routes import read_route
from flowhub_assets.ml.serving.servers import build_bentos, end_unused, start_servers
from flowhub_assets.ml.serving.switching import serve, stop_serving, switch_traffic
from flowhub_assets.ml.serving.traffic import judge_traffic, traffic
from flowhub_assets_tests.ml.serving.registered_model import (
    SETOSA,
    ask,
    ended_afterwards,
    get,
    give,
    profile,
    registered,
    server_folders,
)

# BentoML takes seconds to start, on a busy machine many.
pytestmark = pytest.mark.timeout(600)

Env = dict[str, Any]


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    """Versions 1 (a forest) and 2 (LightGBM) of iris are registered; a test says which is champion."""
    env = profile(tmp_path_factory.mktemp("serving"), SERVING_WORKERS=2)
    registered(env, "scikit-learn", alias="champion")
    registered(env, "lightgbm")
    with ended_afterwards(env, "iris"):
        yield env


@pytest.fixture
def first(env: Env) -> Env:
    """Version 1 is champion and served, by itself."""
    give(env, "champion", "1")
    serve("iris", env)
    return env


def served_server(env: Env) -> str:
    route = read_route(place_of("iris", env))
    assert route is not None
    return route.champion.server


def test_the_champion_answers_as_it_does_in_mlflow(first: Env) -> None:
    answer = ask(first, [SETOSA, [6.7, 3.0, 5.2, 2.3]])
    assert answer.status_code == 200
    told = answer.json()
    model = load_model("models:/iris@champion", first)
    assert told["predictions"] == model.predict([SETOSA, [6.7, 3.0, 5.2, 2.3]]) == ["setosa", "virginica"]
    own = model.probabilities([SETOSA, [6.7, 3.0, 5.2, 2.3]])
    assert [list(one.values()) for one in told["probabilities"]] == own
    assert (told["model"], told["version"]) == ("iris", "1")
    assert answer.headers["x-model-version"] == "1"
    assert ask(first, [SETOSA], "/iris/predict").json()["predictions"] == ["setosa"]


def test_health_description_and_counters_are_there(first: Env) -> None:
    for path in ("/healthz", "/livez", "/readyz", "/docs", "/"):
        assert get(first, path).status_code == 200, path
    described = get(first, "/docs.json").json()["paths"]["/predict"]["post"]
    schema = described["requestBody"]["content"]["application/json"]["schema"]
    assert schema["type"] == "array"
    assert schema["items"]["minItems"] == schema["items"]["maxItems"] == 4
    assert "sepal_length, sepal_width, petal_length, petal_width" in schema["description"]
    ask(first, [SETOSA])
    assert 'flowhub_model_predictions_total{model="iris",prediction="setosa"' in get(first, "/metrics/champion").text
    own = get(first, "/metrics/champion").text
    assert re.search(r'bentoml_service_request_total\{endpoint="/predict",http_response_code="200"', own)
    assert 'flowhub_serving_requests_total{alias="champion",model="iris",status="200"' in get(first, "/metrics").text


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        (b"[[5.1, 3.5, 1.4]]", "3 values, not a list of 4"),
        (b'[["long", 3.5, 1.4, 0.2]]', "sepal_length: 'long' is text, not a number"),
        (b"[[NaN, 3.5, 1.4, 0.2]]", "NaN is no number"),
        (b"[[1e999, 3.5, 1.4, 0.2]]", "sepal_length: inf is no number"),
        (b"[[null, 3.5, 1.4, 0.2]]", "sepal_length: is missing"),
        (b"[[true, 3.5, 1.4, 0.2]]", "sepal_length: True is no number"),
        (b"[5.1]", "not a list of 4"),
        (b"[]", "the list of rows is empty"),
        (b'{"rows": [[5.1, 3.5, 1.4, 0.2]]}', "an object, not a list of rows"),
        (b"5.1, 3.5, 1.4, 0.2", "the body is not JSON"),
        (b"", "the body is not JSON"),
        (b"[" * 100_000, "nested too deeply"),
        (b"[" + b"[5.1,3.5,1.4,0.2]," * 1000 + b"[5.1,3.5,1.4,0.2]]", "there are 1001 rows"),
    ],
)
def test_what_the_model_does_not_take_is_refused_with_the_reason(first: Env, body: bytes, reason: str) -> None:
    import httpx

    url = f"http://127.0.0.1:{first['SERVING_PORT']}/predict"
    answer = httpx.post(url, content=body, headers={"Content-Type": "application/json"}, timeout=60, trust_env=False)
    assert answer.status_code == 400
    assert reason in answer.json()["error"]
    assert "Traceback" not in answer.text
    assert answer.json()["remedy"]


def test_a_pickle_is_not_read(first: Env) -> None:
    import httpx

    url = f"http://127.0.0.1:{first['SERVING_PORT']}/predict"
    kind = {"Content-Type": "application/vnd.bentoml+pickle"}
    answer = httpx.post(url, content=b"\x80\x04K\x05.", headers=kind, timeout=60, trust_env=False)
    assert answer.status_code == 400
    own = read_route(place_of("iris", first))
    assert own is not None
    assert httpx.post(f"{own.champion.url}/predict", content=b"\x80\x04K\x05.", headers=kind).status_code == 400


def test_the_same_champion_is_not_started_twice(first: Env) -> None:
    before = served_server(first)
    assert serve("iris", first)["ended"] == []
    assert served_server(first) == before


def test_a_new_champion_takes_over_and_no_request_is_lost(first: Env) -> None:
    old = served_server(first)
    answers: list[tuple[int, str]] = []
    done = threading.Event()

    def caller() -> None:
        while not done.is_set():
            answer = ask(first, [SETOSA])
            answers.append((answer.status_code, answer.json().get("version", answer.text)))

    thread = threading.Thread(target=caller)
    thread.start()
    try:
        give(first, "champion", "2")
        served = serve("iris", first)
        count = len(answers)
        until = time.monotonic() + 60
        while len(answers) < count + 3 and time.monotonic() < until:
            time.sleep(0.01)
    finally:
        done.set()
        thread.join(60)
    assert served["version"] == "2"
    assert served["ended"] == ["1"]
    assert {status for status, _ in answers} == {200}
    versions = [version for _, version in answers]
    assert versions == sorted(versions)
    assert set(versions) == {"1", "2"}
    assert old not in server_folders(first)
    # The one before is kept for a rollback, and none beside.
    kept = sorted(path.name[0] for path in (place_of("iris", first).bentos / "bentos" / "iris").iterdir())
    assert kept == ["1", "2"]


def test_wrong_answers_keep_the_old_one(first: Env) -> None:
    old = served_server(first)
    give(first, "champion", "2")
    built = build_bentos("iris", first)
    files = Path(built["champion"]["bento"]) / "src" / "model"
    shutil.rmtree(files)
    route = read_route(place_of("iris", first))
    assert route is not None
    own = processes.record(place_of("iris", first).servers / route.champion.server)["bento"]
    shutil.copytree(Path(own) / "src" / "model", files)
    started = start_servers(built, first)
    with pytest.raises(RunError, match="the model in MLflow") as told:
        ask_golden(started, first)
    assert "is served still" in str(told.value)
    assert served_server(first) == old
    assert server_folders(first) == {old, "process"}
    assert ask(first, [SETOSA]).json()["version"] == "1"
    shutil.rmtree(built["champion"]["bento"])


def test_a_server_that_does_not_start_keeps_the_old_one(first: Env) -> None:
    old = served_server(first)
    give(first, "champion", "2")
    built = build_bentos("iris", first)
    service = Path(built["champion"]["bento"]) / "src" / "service.py"
    service.write_text("raise RuntimeError('no such luck')\n", "utf-8")
    with pytest.raises(RunError, match="no such luck"):
        start_servers(built, first)
    assert server_folders(first) == {old, "process"}
    assert ask(first, [SETOSA]).json()["version"] == "1"
    shutil.rmtree(built["champion"]["bento"])


def test_a_server_that_died_before_the_switch_keeps_the_old_one(first: Env) -> None:
    old = served_server(first)
    give(first, "champion", "2")
    started = start_servers(build_bentos("iris", first), first)
    processes.end(place_of("iris", first).servers / started["champion"]["server"])
    with pytest.raises(RunError, match="is gone"):
        switch_traffic(started, first)
    assert served_server(first) == old
    assert ask(first, [SETOSA]).json()["version"] == "1"


def test_a_front_that_cannot_listen_keeps_the_old_route(first: Env) -> None:
    import socket

    give(first, "champion", "2")
    started = start_servers(build_bentos("iris", first), first)
    before = read_route(place_of("iris", first))
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        elsewhere = {**first, "SERVING_PORT": taken.getsockname()[1]}
        with pytest.raises(RunError, match="the front does not start"):
            switch_traffic(started, elsewhere)
    assert read_route(place_of("iris", first)) == before
    assert started["champion"]["server"] not in server_folders(first)
    serve("iris", first)
    assert ask(first, [SETOSA]).json()["version"] == "2"


def test_a_switch_that_fails_is_taken_back(first: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    old = served_server(first)
    give(first, "champion", "2")
    started = start_servers(build_bentos("iris", first), first)
    seen = []

    def fails(*_: object) -> None:
        seen.append(ask(first, [SETOSA]).json()["version"])
        raise RunError("the front answers with another version")

    monkeypatch.setattr(switching, "_answers_through_front", fails)
    with pytest.raises(RunError, match="another version"):
        switch_traffic(started, first)
    # The front had the new route for a moment, and has the old one again.
    assert seen == ["2"]
    assert ask(first, [SETOSA]).json()["version"] == "1"
    assert server_folders(first) == {old, "process"}


KILLED = """
import json, os, signal, sys
from flowhub_assets.ml.serving import switching
from flowhub_assets.ml.serving.servers import build_bentos, start_servers
env = json.loads(sys.argv[1])
started = start_servers(build_bentos("iris", env), env)
if sys.argv[2] == "after the route":
    switching._drain = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
    switching.switch_traffic(started, env)
os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.parametrize(("moment", "answers"), [("before the route", "1"), ("after the route", "2")])
def test_a_run_that_is_killed_leaves_what_the_next_one_recovers_from(first: Env, moment: str, answers: str) -> None:
    import json

    give(first, "champion", "2")
    command = [sys.executable, "-c", KILLED, json.dumps(first), moment]
    done = subprocess.run(command, capture_output=True, text=True, timeout=400, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    # Both servers run, and one of them answers.
    assert len(server_folders(first)) == 3
    assert ask(first, [SETOSA]).json()["version"] == answers
    serve("iris", first)
    assert server_folders(first) == {served_server(first), "process"}
    assert ask(first, [SETOSA]).json()["version"] == "2"


def test_a_served_server_whose_first_process_was_killed_is_started_anew(first: Env) -> None:
    old = served_server(first)
    record = processes.record(place_of("iris", first).servers / old)
    os.kill(record["pid"], signal.SIGKILL)
    until = time.monotonic() + 60
    while processes.lives(place_of("iris", first).servers / old) and time.monotonic() < until:
        time.sleep(0.05)
    # Its workers are in sessions of their own and go on: the front still has somebody to ask.
    assert old in server_folders(first)
    serve("iris", first)
    assert served_server(first) != old
    assert server_folders(first) == {served_server(first), "process"}
    assert ask(first, [SETOSA]).status_code == 200


def test_a_killed_front_is_started_again(first: Env) -> None:
    record = processes.record(Path(first["WORKSPACE"]) / "serving" / "front" / "process")
    psutil.Process(record["pid"]).kill()
    serve("iris", first)
    assert ask(first, [SETOSA]).status_code == 200


def test_traffic_is_split_watched_and_compared(first: Env) -> None:
    give(first, "challenger", "2")
    served = serve("iris", first, 0.5)
    assert (served["version"], served["challenger"], served["share"]) == ("1", "2", 0.5)
    traffic("iris", first)
    versions = [ask(first, [SETOSA], **{"X-Request-Key": f"caller-{n}"}).json()["version"] for n in range(60)]
    again = [ask(first, [SETOSA], **{"X-Request-Key": f"caller-{n}"}).json()["version"] for n in range(60)]
    assert versions == again
    assert set(versions) == {"1", "2"}
    assert ask(first, [SETOSA], **{"X-Model-Alias": "challenger"}).json()["version"] == "2"
    assert ask(first, [SETOSA], **{"X-Model-Alias": "champion"}).json()["version"] == "1"
    assert ask(first, [SETOSA], **{"X-Model-Alias": "other"}).status_code == 404
    ask(first, [[1]], **{"X-Model-Alias": "champion"})

    told = traffic("iris", first)
    champion, challenger = told["versions"]
    assert champion["requests"] == 2 * versions.count("1") + 2
    assert challenger["requests"] == 2 * versions.count("2") + 1
    assert (champion["errors"], champion["refused"], challenger["refused"]) == (0, 1, 0)
    assert champion["predictions"] == champion["requests"] - 1
    assert champion["shares"] == {"setosa": 1.0, "versicolor": 0.0, "virginica": 0.0}
    assert 0 < champion["p50"] <= champion["p95"]
    reasons = judge_traffic(told, p95=1000)["reasons"]
    # Callers asked for one kind of flower only.
    assert all("PSI" in reason for reason in reasons)
    assert reasons
    # Nothing since: what was counted before is not counted again.
    assert [one["requests"] for one in traffic("iris", first)["versions"]] == [0, 0]

    compared = compare_arms("iris", first)
    assert compared["compared"]
    assert compared["verdict"] in ("alike", "better", "worse")
    assert {row["alias"] for row in compared["table"]} == {"champion", "challenger"}
    # The comparison's own questions are no traffic.
    assert [one["predictions"] for one in traffic("iris", first)["versions"]] == [0, 0]
    assert serve("iris", first)["ended"] == ["2"]


def test_no_credential_of_the_run_reaches_a_server(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "not-for-strangers")
    give(env, "champion", "2")
    stop_serving("iris", env)
    serve("iris", env)
    record = processes.record(place_of("iris", env).servers / served_server(env))
    for process in [psutil.Process(record["pid"]), *psutil.Process(record["pid"]).children(recursive=True)]:
        assert "not-for-strangers" not in process.environ().values()


def test_in_a_pod_nothing_is_started(env: Env, monkeypatch: pytest.MonkeyPatch) -> None:
    built = build_bentos("iris", env)
    monkeypatch.setenv("KUBERNETES_SERVICE_HOST", "10.0.0.1")
    with pytest.raises(ProfileError, match="in a pod"):
        start_servers(built, env)


def test_a_share_that_is_none_and_a_model_without_champion_are_refused(env: Env) -> None:
    with pytest.raises(InputError, match=r"the share is 0\.7"):
        build_bentos("iris", env, 0.7)
    with pytest.raises(InputError, match="has no champion"):
        build_bentos("titanic", env)


def test_only_what_the_failed_run_has_started_is_ended(env: Env) -> None:
    stop_serving("iris", env)
    built = build_bentos("iris", env)
    servers = place_of("iris", env).servers
    started = start_servers(built, {**env, "run_id": "new"})["champion"]["server"]
    end_unused("iris", {**env, "run_id": "on_failure", "failed_run_id": "old"})
    assert processes.lives(servers / started), "another run is starting it"
    assert end_unused("iris", {**env, "run_id": "on_failure", "failed_run_id": "new"}) >= 1
    assert not processes.lives(servers / started)


def test_stopping_ends_all_of_it_and_again_nothing(first: Env) -> None:
    end_unused("iris", first)
    assert ask(first, [SETOSA]).status_code == 200
    told = stop_serving("iris", first)
    assert told["stopped"] >= 3
    assert told["front"]
    assert server_folders(first) == set()
    assert stop_serving("iris", first) == {"model": "iris", "stopped": 0, "front": False}
    assert traffic("iris", first) == {"model": "iris", "served": False, "seconds": None, "versions": []}
