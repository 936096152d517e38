"""The front, as a process of its own, before two servers of the test's."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from flowhub_assets.ml.serving.front_process import asked, ensure_front, front_url, stop_front
from flowhub_assets.ml.serving.places import Place, place_of
from flowhub_assets.ml.serving.routes import Arm, Route, write_route
from flowhub_assets.ml.serving.rows import MOST_BYTES
from flowhub_assets_tests.http_server import Answer, HttpServer
from flowhub_assets_tests.loopback_server import free_port
from flowhub_assets_tests.ml.serving.registered_model import SETOSA, ask, get, profile, server_folders

pytestmark = pytest.mark.timeout(300)

Env = dict[str, Any]


@pytest.fixture(scope="module")
def champion() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture(scope="module")
def challenger() -> Iterator[HttpServer]:
    with HttpServer() as server:
        yield server


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Env]:
    env = profile(tmp_path_factory.mktemp("front"))
    try:
        ensure_front(env)
        yield env
    finally:
        stop_front(env)
        assert server_folders(env) == set()


@pytest.fixture
def env(running: Env, champion: HttpServer, challenger: HttpServer) -> Env:
    """Only the champion is served; both answer with who they are."""
    for server, name in ((champion, "3"), (challenger, "4")):
        server.requests.clear()
        server.on("/predict", Answer.json({"version": name}))
        server.on("/readyz", Answer.text(f"ready {name}"))
    route(running, champion)
    return running


def route(env: Env, champion: HttpServer, challenger: HttpServer | None = None, share: float = 0.0) -> Route:
    """Writes the route and waits until the front has it."""
    first = Arm("champion", "3", f"champion-{champion.port}", champion.url)
    second = Arm("challenger", "4", f"challenger-{challenger.port}", challenger.url) if challenger else None
    made = Route("iris", 1.0, first, second, share)
    wait_for(env, made)
    return made


def wait_for(env: Env, made: Route) -> None:
    write_route(place_of(made.model, env), made)
    wanted = {"share": made.share, **{arm.alias: [arm.version, arm.server] for arm in made.arms}}
    until = time.monotonic() + 60
    while time.monotonic() < until:
        if ((asked(env) or {}).get("models") or {}).get(made.model) == wanted:
            return
        time.sleep(0.02)
    raise AssertionError(asked(env))


def samples(env: Env, name: str) -> dict[tuple[str, ...], float]:
    families = text_string_to_metric_families(get(env, "/metrics").text)
    found = [one for family in families for one in family.samples if one.name == name]
    return {tuple(sorted(one.labels.values())): one.value for one in found}


def test_a_request_is_handed_on_and_who_answered_is_told(env: Env, champion: HttpServer) -> None:
    answer = ask(env, [SETOSA], **{"X-Flowhub-Uncounted": "1", "Cookie": "a=b", "Authorization": "Bearer secret"})
    assert answer.json() == {"version": "3"}
    assert {name: answer.headers[name] for name in ("x-model", "x-model-version", "x-model-alias")} == {
        "x-model": "iris",
        "x-model-version": "3",
        "x-model-alias": "champion",
    }
    (request,) = champion.requests
    assert request.json() == [SETOSA]
    # Nothing of a caller's goes on but the body.
    assert not {"cookie", "authorization", "x-flowhub-uncounted"} & set(request.headers)
    assert get(env, "/readyz").text == "ready 3"
    assert get(env, "/iris/readyz").text == "ready 3"


def test_an_answer_that_refuses_comes_back_as_it_is(env: Env, champion: HttpServer) -> None:
    champion.on("/predict", Answer.json({"error": "row 0 is wrong"}, 400))
    answer = ask(env, [[1]])
    assert (answer.status_code, answer.json()) == (400, {"error": "row 0 is wrong"})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/predict"),
        ("POST", "/readyz"),
        ("DELETE", "/predict"),
        ("GET", "/etc/passwd"),
        ("GET", "/static_content/../secret"),
        ("GET", "/static_content/%2e%2e/secret"),
        ("POST", "/titanic/predict"),
        ("GET", "/schema.json"),
    ],
)
def test_what_is_not_for_callers_is_not_handed_on(env: Env, champion: HttpServer, method: str, path: str) -> None:
    answer = httpx.request(method, f"{front_url(env)}{path}", timeout=60, trust_env=False)
    assert answer.status_code == 404
    assert champion.requests == []


def test_a_body_that_is_too_large_is_not_handed_on(env: Env, champion: HttpServer) -> None:
    answer = httpx.post(f"{front_url(env)}/predict", content=b" " * (MOST_BYTES + 1), timeout=60, trust_env=False)
    assert answer.status_code == 413
    assert champion.requests == []


def test_nothing_served_is_503_with_the_reason(env: Env) -> None:
    write_route(place_of("iris", env), None)
    until = time.monotonic() + 60
    while (asked(env) or {"models": 1})["models"] and time.monotonic() < until:
        time.sleep(0.02)
    answer = ask(env, [SETOSA])
    assert answer.status_code == 503
    assert answer.json()["error"] == "no model is served now"
    assert answer.headers["retry-after"]


def test_who_is_gone_is_502_and_the_challenger_s_callers_are_answered_by_the_champion(
    env: Env, champion: HttpServer
) -> None:
    with HttpServer() as leaving:
        leaving.on("/predict", Answer.json({"version": "4"}))
        made = route(env, champion, leaving, 0.5)
    keys = [f"caller-{number}" for number in range(20)]
    assert any(made.arm(None, key) == made.challenger for key in keys)
    assert {ask(env, [SETOSA], **{"X-Request-Key": key}).json()["version"] for key in keys} == {"3"}
    asked_for = ask(env, [SETOSA], **{"X-Model-Alias": "challenger"})
    assert asked_for.status_code == 502
    assert "version 4 does not answer" in asked_for.json()["error"]
    counted = samples(env, "flowhub_serving_requests_total")
    assert counted["4", "502", "challenger", "iris"] >= 1


def test_the_split_is_by_key_and_counted_by_version(env: Env, champion: HttpServer, challenger: HttpServer) -> None:
    before = samples(env, "flowhub_serving_requests_total")
    made = route(env, champion, challenger, 0.25)
    keys = [f"caller-{number}" for number in range(60)]
    told = [ask(env, [SETOSA], **{"X-Request-Key": key}).json()["version"] for key in keys]
    wanted = [arm.version for key in keys if (arm := made.arm(None, key))]
    assert told == wanted
    assert set(told) == {"3", "4"}
    after = samples(env, "flowhub_serving_requests_total")
    for version, alias in (("3", "champion"), ("4", "challenger")):
        key = ("200", version, alias, "iris")
        assert after[key] - before.get(key, 0) == told.count(version)
    assert samples(env, "flowhub_serving_share") == {
        ("3", "champion", "iris"): 0.75,
        ("4", "challenger", "iris"): 0.25,
    }
    assert samples(env, "flowhub_serving_request_seconds_count")["4", "challenger", "iris"] >= told.count("4")


def test_each_model_has_its_path_and_the_first_one_the_plain_one(
    env: Env, champion: HttpServer, challenger: HttpServer
) -> None:
    other = Route("titanic", 2.0, Arm("champion", "9", "other", challenger.url))
    wait_for(env, other)
    try:
        assert ask(env, [SETOSA]).headers["x-model"] == "iris"
        assert ask(env, [SETOSA], "/titanic/predict").headers["x-model-version"] == "9"
        assert ask(env, [SETOSA], "/iris/predict").headers["x-model-version"] == "3"
    finally:
        write_route(place_of("titanic", env), None)


def test_requests_under_way_are_told(env: Env, champion: HttpServer) -> None:
    inside, let_go = threading.Event(), threading.Event()

    def slow(_: object) -> Answer:
        inside.set()
        let_go.wait(60)
        return Answer.json({"version": "3"})

    champion.on("/predict", slow)
    answers: list[int] = []
    thread = threading.Thread(target=lambda: answers.append(ask(env, [SETOSA]).status_code))
    thread.start()
    try:
        assert inside.wait(60)
        assert (asked(env) or {})["under_way"] == {f"champion-{champion.port}": 1}
    finally:
        let_go.set()
        thread.join(60)
    assert answers == [200]
    assert (asked(env) or {})["under_way"] == {}


def hangs_up_at_the_second_request(listening: socket.socket) -> None:
    """Answers one request of each connection, which it keeps open, and closes it when a second one comes."""
    answer = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 15\r\n\r\n" + b'{"version": ""}'
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            if connection.recv(65536):
                connection.sendall(answer)
                connection.recv(65536)


def test_a_kept_connection_that_is_closed_is_no_error_for_the_caller(env: Env) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = threading.Thread(target=hangs_up_at_the_second_request, args=(listening,), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{listening.getsockname()[1]}"
        wait_for(env, Route("iris", 1.0, Arm("champion", "3", "hanging-up", url)))
        assert [ask(env, [SETOSA]).status_code for _ in range(4)] == [200] * 4
        listening.shutdown(socket.SHUT_RDWR)


def test_it_is_started_once_and_again_when_it_was_killed(env: Env) -> None:
    before = asked(env)
    ensure_front(env)
    assert before is not None
    assert (asked(env) or {})["pid"] == before["pid"]
    moved = {**env, "SERVING_PORT": free_port()}
    ensure_front(moved)
    assert asked(env) is None
    assert (asked(moved) or {})["pid"] != before["pid"]
    ensure_front(env)
    assert asked(moved) is None
    assert ask(env, [SETOSA]).status_code == 200


def test_it_listens_on_the_loopback_alone(env: Env) -> None:
    with socket.socket(socket.AF_INET6) as other:
        assert other.connect_ex(("::1", env["SERVING_PORT"])) != 0


def test_the_front_is_no_model(running: Env) -> None:
    assert Place("front", Path(running["WORKSPACE"]) / "serving" / "front").folder.is_dir()
    assert "front" not in (asked(running) or {"models": {}})["models"]
