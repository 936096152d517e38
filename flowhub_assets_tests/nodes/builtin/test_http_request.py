from __future__ import annotations

import gzip
import itertools
import logging
import threading
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.nodes import NodeContext, NodeError, registry, run
from flowhub_assets.nodes.builtin.http_request import file_name
from flowhub_assets.nodes.http.call import HttpFailed
from flowhub_assets_tests.http_server import Answer, HttpServer, Request, http_server

KIND = registry.get("http-request")
ENDLESS = 1 << 40


@pytest.fixture
def server() -> Iterator[HttpServer]:
    with http_server() as running:
        yield running


def call(
    url: str, *, profile: dict[str, Any] | None = None, config: dict[str, Any] | None = None, **inputs: Any
) -> Any:
    settings = {"url": url, "retryDelay": 0, "timeout": 20, **(config or {})}
    return run(KIND, config=settings, context=NodeContext(profile=profile or {}), **inputs)


def test_json_is_the_output_itself(server: HttpServer) -> None:
    server.on("/topics", Answer.json({"topic": "반도체"}))
    output = call(f"{server.url}/topics")
    assert KIND.primary == "body"
    assert (output.status, output.body, output.url, output.attempts) == (
        200,
        {"topic": "반도체"},
        f"{server.url}/topics",
        1,
    )
    assert output.headers["content-type"] == "application/json"
    assert output.elapsed > 0


def test_what_is_sent(server: HttpServer) -> None:
    server.on("/x", Answer.text("ok"))
    url = f"{server.url}/x?a=1"
    call(
        url,
        config={"method": "post", "headers": {"X-Number": 7, "X-Flag": True}, "query": {"b": [1, 2], "c": None}},
        json={"제목": None},
        params={"d": "가 나"},
    )
    (request,) = server.requests
    assert (request.method, request.json()) == ("POST", {"제목": None})
    assert request.query == "a=1&b=1&b=2&d=%EA%B0%80+%EB%82%98"
    assert (request.headers["x-number"], request.headers["x-flag"]) == ("7", "true")
    assert request.headers["content-type"] == "application/json"


@pytest.mark.parametrize(
    ("inputs", "body", "kind"),
    [
        ({"body": "글"}, "글".encode(), "text/plain; charset=utf-8"),
        ({"form": {"a": [1, 2], "b": "x y"}}, b"a=1&a=2&b=x+y", "application/x-www-form-urlencoded"),
        ({"json": [1]}, b"[1]", "application/json"),
        ({"json": None}, b"null", "application/json"),
    ],
)
def test_one_body(server: HttpServer, inputs: dict[str, Any], body: bytes, kind: str) -> None:
    server.on("/x", Answer.text("ok"))
    call(f"{server.url}/x", config={"method": "PUT"}, **inputs)
    assert (server.requests[0].body, server.requests[0].headers["content-type"]) == (body, kind)


@pytest.mark.parametrize(
    ("config", "told"),
    [
        ({}, "must have url or connection"),
        ({"url": "http://h/", "key": "x"}, "must have expect: file"),
    ],
)
def test_settings_that_do_not_fit_together(config: dict[str, Any], told: str) -> None:
    with pytest.raises(NodeError, match=told):
        run(KIND, config=config)


def test_two_bodies_are_refused(server: HttpServer) -> None:
    with pytest.raises(NodeError, match="only one of body, json and form"):
        call(server.url, json={}, body="x")


@pytest.mark.parametrize(
    ("kind", "body", "expect", "value"),
    [
        ("application/json", b'{"a": 1}', "auto", {"a": 1}),
        ("application/problem+json; charset=utf-8", b"[1]", "auto", [1]),
        ("application/json", b"", "auto", None),
        ("application/json", b"[1]", "text", "[1]"),
        ("text/html; charset=euc-kr", "가".encode("euc-kr"), "auto", "가"),
        ("text/plain; charset=nonsense", "가".encode(), "auto", "가"),
        ("text/plain", b"\xff!", "auto", "\ufffd!"),
        ("application/octet-stream", b"plain", "auto", "plain"),
        ("text/plain", b"[1]", "json", [1]),
        ("", b"", "text", ""),
    ],
)
def test_what_a_body_means(server: HttpServer, kind: str, body: bytes, expect: str, value: Any) -> None:
    server.on("/x", Answer(200, body, {"Content-Type": kind}))
    assert call(f"{server.url}/x", config={"expect": expect}).body == value
    assert server.requests[0].headers["accept"] == ("application/json" if expect == "json" else "*/*")


@pytest.mark.parametrize(
    ("kind", "body", "expect", "told"),
    [
        ("application/json", b"<html>", "auto", "not JSON"),
        ("text/plain", b"NaN", "json", "NaN is not a number in JSON"),
        ("application/json", b"[" * 100_000, "auto", "nested too deeply"),
        ("image/png", b"\x89PNG", "auto", "not text"),
    ],
)
def test_a_body_that_is_something_else(server: HttpServer, kind: str, body: bytes, expect: str, told: str) -> None:
    server.on("/x", Answer(200, body, {"Content-Type": kind}))
    with pytest.raises(HttpFailed, match=told) as caught:
        call(f"{server.url}/x", config={"expect": expect})
    assert caught.value.remedy
    assert not caught.value.retry


def test_a_file_goes_to_the_storage(server: HttpServer, tmp_path: Path) -> None:
    content = bytes(range(256)) * 5000
    server.on("/daily/report.bin", Answer(200, content))
    profile = {"WORKSPACE": str(tmp_path), "project": "p", "run_id": "r", "task": "t"}
    output = call(f"{server.url}/daily/report.bin", profile=profile, config={"expect": "file"})
    assert output.body == f"file://{tmp_path}/p/r/t/report.bin"
    assert (tmp_path / "p/r/t/report.bin").read_bytes() == content
    output = call(f"{server.url}/daily/report.bin", profile=profile, config={"expect": "file", "key": "in/day.bin"})
    assert output.body == f"file://{tmp_path}/in/day.bin"


def test_a_file_without_a_storage_is_told_first(server: HttpServer) -> None:
    with pytest.raises(ProfileError, match="WORKSPACE"):
        call(f"{server.url}/x", config={"expect": "file", "method": "POST"})
    assert not server.requests


def test_half_a_file_is_none(server: HttpServer, tmp_path: Path) -> None:
    server.on("/x", Answer(200, b"half", cut=True))
    with pytest.raises(HttpFailed, match="connection broke"):
        call(f"{server.url}/x", profile={"WORKSPACE": str(tmp_path)}, config={"expect": "file", "key": "x"})
    assert not list(tmp_path.rglob("*"))


@pytest.mark.parametrize(
    ("path", "name"),
    [("/a/b.csv", "b.csv"), ("/", "body"), ("/../..", "body"), ("/a%2Fb", "a_b"), ("/보고서.pdf", "보고서.pdf")],
)
def test_the_name_of_a_file(path: str, name: str) -> None:
    assert file_name(path) == name


def test_passing_failures_are_repeated(server: HttpServer) -> None:
    server.in_turn("/x", Answer(503), Answer(200, b"ha", cut=True), Answer.text("there"))
    output = call(f"{server.url}/x")
    assert (output.body, output.attempts) == ("there", 3)


def test_the_last_try_tells(server: HttpServer) -> None:
    server.on("/x", Answer.text("overloaded", 503))
    with pytest.raises(HttpFailed, match=r"answered 503 Service Unavailable: overloaded \(after 3 tries\)") as caught:
        call(f"{server.url}/x?key=hidden")
    assert len(server.requests) == 3
    assert caught.value.retry
    assert "hidden" not in str(caught.value)


@pytest.mark.parametrize(("status", "asked"), [(500, 1), (429, 2), (503, 2)])
def test_a_post_is_repeated_only_if_nothing_was_done(server: HttpServer, status: int, asked: int) -> None:
    server.on("/x", Answer(status))
    with pytest.raises(HttpFailed):
        call(f"{server.url}/x", config={"method": "POST", "retries": 1})
    assert len(server.requests) == asked


def test_a_post_that_does_no_harm_is_repeated(server: HttpServer) -> None:
    server.in_turn("/x", Answer(500), Answer.text("ok"))
    assert call(f"{server.url}/x", config={"method": "POST", "idempotent": True}).attempts == 2


@pytest.mark.parametrize("status", [400, 401, 404, 422])
def test_what_will_not_pass_is_not_repeated(server: HttpServer, status: int) -> None:
    server.on("/x", Answer.text("no", status))
    with pytest.raises(HttpFailed, match=f"answered {status} .*: no") as caught:
        call(f"{server.url}/x")
    assert (len(server.requests), caught.value.retry, caught.value.status) == (1, False, status)
    assert caught.value.remedy


def test_a_long_pause_is_left_to_the_node_s_retry(server: HttpServer) -> None:
    server.on("/x", Answer(429, headers={"Retry-After": "3600"}))
    with pytest.raises(HttpFailed, match="answered 429") as caught:
        call(f"{server.url}/x")
    assert len(server.requests) == 1
    assert "3,600 s" in caught.value.remedy


def test_no_server_is_told(server: HttpServer) -> None:
    with http_server() as gone:
        url = gone.url
    with pytest.raises(HttpFailed, match=r"reaches no server.*\(after 3 tries\)"):
        call(url, config={"method": "POST"})


def test_a_status_can_be_taken_as_it_is(server: HttpServer) -> None:
    server.on("/x", Answer(404, b"<html>", {"Content-Type": "application/json"}))
    output = call(f"{server.url}/x", config={"failOnStatus": False, "expect": "json"})
    assert (output.status, output.body) == (404, "<html>")


def test_a_body_has_a_bound(server: HttpServer) -> None:
    server.on("/long", Answer(200, b"x" * 101))
    with pytest.raises(HttpFailed, match="more than 100 bytes"):
        call(f"{server.url}/long", config={"maxBytes": 100})
    server.on("/exact", Answer(200, b"x" * 100))
    assert len(call(f"{server.url}/exact", config={"maxBytes": 100}).body) == 100


def test_an_endless_body_is_left_early(server: HttpServer) -> None:
    server.on("/x", Answer(200, chunks=itertools.repeat(b"x" * 65536, ENDLESS)))
    with pytest.raises(HttpFailed, match="more than 1,000,000 bytes"):
        call(f"{server.url}/x", config={"maxBytes": 1_000_000})
    assert server.gone.wait(10)


@pytest.mark.parametrize(("encoding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_compressed_body(server: HttpServer, encoding: str, pack: Any) -> None:
    text = "가나다 " * 40_000
    server.on("/x", Answer(200, pack(text.encode()), {"Content-Encoding": encoding, "Content-Type": "text/plain"}))
    assert call(f"{server.url}/x").body == text
    with pytest.raises(HttpFailed, match="more than 399,999 bytes"):
        call(f"{server.url}/x", config={"maxBytes": 399_999})


def test_another_compression_is_refused(server: HttpServer) -> None:
    server.on("/x", Answer(200, b"???", {"Content-Encoding": "br"}))
    with pytest.raises(HttpFailed, match="compressed with br"):
        call(f"{server.url}/x")


def test_redirects_are_followed_within_a_bound(server: HttpServer) -> None:
    server.on("/a", Answer(302, headers={"Location": "/b"}))
    server.on("/b", Answer(307, headers={"Location": "/c"}))
    server.on("/c", Answer.text("c"))
    assert call(f"{server.url}/a").url == f"{server.url}/c"
    assert call(f"{server.url}/a", config={"followRedirects": 0}).status == 302
    with pytest.raises(HttpFailed, match="redirects more than 1 times"):
        call(f"{server.url}/a", config={"followRedirects": 1})


@pytest.mark.parametrize(
    ("location", "told"),
    [
        ("http://169.254.169.254/latest/meta-data", "link-local"),
        ("http://0xa9fea9fe/", "link-local"),
        ("//[::ffff:a9fe:a9fe]/", "link-local"),
        ("http://metadata.google.internal/", "metadata service"),
        ("file:///etc/passwd", "only http and https"),
        ("ftp://127.0.0.1/", "only http and https"),
    ],
)
def test_a_redirect_is_checked_too(server: HttpServer, location: str, told: str) -> None:
    server.on("/x", Answer(302, headers={"Location": location}))
    with pytest.raises(NodeError) as caught:
        call(f"{server.url}/x")
    assert told in f"{caught.value} {caught.value.remedy}"
    assert len(server.requests) == 1


def weather(url: str, **more: str) -> dict[str, Any]:
    return {"WEATHER_URL": url, "WEATHER_TOKEN": "s3cret-token", **more}


def test_a_connection_sends_its_credentials(server: HttpServer, monkeypatch: pytest.MonkeyPatch) -> None:
    server.on("/v1/now", Answer.text("ok"))
    monkeypatch.setenv("KEY_OF_WEATHER", "s3cret-key")
    profile = weather(f"{server.url}/v1", WEATHER_API_KEY={"env": "KEY_OF_WEATHER"})  # type: ignore[arg-type]
    call("now?city=Seoul", profile=profile, config={"connection": "weather", "apiKeyHeader": "X-Key"})
    (request,) = server.requests
    assert (request.headers["authorization"], request.headers["x-key"]) == ("Bearer s3cret-token", "s3cret-key")
    assert (request.path, request.query) == ("/v1/now", "city=Seoul")


def test_basic_authentication_from_a_url(server: HttpServer) -> None:
    server.on("/", Answer.text("ok"))
    url = server.url.replace("://", "://user:p%40ss@")
    call("", profile={"WEATHER_URL": url}, config={"connection": "weather"})
    assert server.requests[0].headers["authorization"] == "Basic dXNlcjpwQHNz"


@pytest.mark.parametrize(
    "url",
    ["http://127.0.0.1:9/x", "//evil.example/x", "../admin", "a/%2e%2e/%2E%2E/admin", "https://evil.example/v1/x"],
)
def test_credentials_stay_with_their_connection(server: HttpServer, url: str) -> None:
    with pytest.raises(NodeError, match="leads out of its connection"):
        call(url, profile=weather(f"{server.url}/v1"), config={"connection": "weather"})
    assert not server.requests


def test_credentials_do_not_follow_a_redirect_elsewhere(server: HttpServer) -> None:
    with http_server() as other:
        server.on("/a", Answer(302, headers={"Location": "/b"}))
        server.on("/b", Answer(307, headers={"Location": f"{other.url}/c"}))
        other.on("/c", Answer.text("ok"))
        profile = weather(server.url, WEATHER_API_KEY="k3y-of-weather")
        call("a", profile=profile, config={"connection": "weather", "headers": {"X-Session": "1"}})
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer s3cret-token"] * 2
        (request,) = other.requests
        assert not {"authorization", "x-api-key", "x-session"} & set(request.headers)


def test_no_secret_is_told(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    def echo(request: Request) -> Answer:
        return Answer.text(f"bad credentials: {request.headers['authorization']}", 503)

    server.on("/x", echo)
    with caplog.at_level(logging.DEBUG), pytest.raises(HttpFailed) as caught:
        call("x?secret=in-the-query", profile=weather(server.url), config={"connection": "weather"})
    told = f"{caught.value} {caught.value.remedy} {caught.value!r} {caplog.text}"
    assert "bad credentials: Bearer ***" in told
    assert "s3cret" not in told
    assert "in-the-query" not in told


def test_a_key_in_a_connection_s_path_is_not_told(server: HttpServer, caplog: pytest.LogCaptureFixture) -> None:
    path = "/services/T024BE7LD/x7Qk2mZp9wLr4vTn8sYb1c"
    server.in_turn(path, Answer.text("ok"), Answer(403))
    profile = {"CHAT_URL": f"{server.url}{path}?sig=ab12cd34ef56gh"}
    with caplog.at_level(logging.DEBUG):
        output = call("", profile=profile, config={"connection": "chat", "method": "POST"}, json={"text": "hi"})
        with pytest.raises(HttpFailed) as caught:
            call("", profile=profile, config={"connection": "chat", "method": "POST"}, json={"text": "hi"})
    assert output.url == f"{server.url}/services/T024BE7LD/***"
    assert server.requests[0].query == "sig=ab12cd34ef56gh"
    assert "x7Qk2m" not in f"{caught.value} {caplog.text}"


def test_what_a_connection_lacks_is_told() -> None:
    with pytest.raises(ProfileError, match="WEATHER_URL"):
        call("x", config={"connection": "weather"})
    with pytest.raises(ProfileError, match="not an http or https address"):
        call("x", profile={"WEATHER_URL": "weather.example"}, config={"connection": "weather"})
    with pytest.raises(ProfileError, match="more than one credential"):
        call("x", profile=weather("http://u:p@127.0.0.1"), config={"connection": "weather"})


@pytest.mark.parametrize("url", ["/topics", "ftp://127.0.0.1/", "http://", "http://user:pw@127.0.0.1/", "http://[::1"])
def test_a_url_that_is_none(url: str) -> None:
    with pytest.raises(NodeError) as caught:
        call(url)
    assert caught.value.remedy
    assert not caught.value.retry
    assert "pw" not in f"{caught.value} {caught.value.remedy}"


@pytest.mark.parametrize(
    "headers", [{"X A": "1"}, {"X": "1\r\nY: 2"}, {"X": "값"}, {"Host": "other"}, {"Transfer-Encoding": "chunked"}]
)
def test_headers_that_would_break_the_message(server: HttpServer, headers: dict[str, str]) -> None:
    with pytest.raises(NodeError):
        call(server.url, config={"headers": headers})
    assert not server.requests


def test_a_timeout_is_told(server: HttpServer) -> None:
    def slow() -> Iterator[bytes]:
        yield b"one"
        server.closing.wait(20)

    server.on("/x", lambda _: Answer(200, chunks=slow()))
    with pytest.raises(HttpFailed, match=r"did not end within 0\.2 s"):
        call(f"{server.url}/x", config={"timeout": 0.2, "retries": 0})


def test_a_run_that_is_stopped_hangs_up(server: HttpServer) -> None:
    asked = threading.Event()

    def endless() -> Iterator[bytes]:
        asked.set()
        while not server.closing.wait(0.01):
            yield b"x"

    server.on("/x", lambda _: Answer(200, chunks=endless()))
    context = NodeContext()
    failures: list[BaseException] = []

    def node() -> None:
        try:
            run(KIND, config={"url": f"{server.url}/x"}, context=context)
        except BaseException as error:  # noqa: BLE001 - it is looked at in the test's own thread
            failures.append(error)

    thread = threading.Thread(target=node, daemon=True)
    thread.start()
    assert asked.wait(20)
    context.cancellation.set()
    thread.join(20)
    assert [type(error).__name__ for error in failures] == ["TaskCancelled"]
    assert server.gone.wait(20)
