from __future__ import annotations

import itertools
import logging
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import ProfileError
from flowhub_assets.nodes import NodeContext, NodeError, registry, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.http.call import HttpFailed
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.show import collect_shown
from flowhub_assets.runtime.step import Runnable
from flowhub_assets_tests.http_server import Answer, HttpServer, http_server
from flowhub_assets_tests.llm_server import Fault, LlmServer, llm_server
from flowhub_assets_tests.nodes.pipelines import node, pipeline

KIND = registry.get("llm-generate")


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


def ask(url: str, prompt: str = "반도체 기사", *, profile: dict[str, Any] | None = None, **config: Any) -> Any:
    settings = {"model": "llama3.1-70b", "retryDelay": 0, "timeout": 20, **config}
    context = NodeContext(profile={"VLLM_URL": url, **(profile or {})})
    return run(KIND, config=settings, prompt=prompt, context=context)


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("api", ["chat", "completions"])
def test_it_writes(llm: LlmServer, api: str, stream: bool) -> None:
    output = ask(llm.url, api=api, stream=stream)
    assert KIND.primary == "text"
    assert output.text == "[llama3.1-70b] 반도체 기사"
    assert (output.model, output.finish_reason) == ("llama3.1-70b", "stop")
    assert (output.prompt_tokens, output.completion_tokens) == (2, 3)
    assert output.latency > 0
    assert (output.first_token is not None and 0 < output.first_token <= output.latency) == stream
    assert llm.requests[0].path == ("/v1/chat/completions" if api == "chat" else "/v1/completions")


def test_what_is_sent(llm: LlmServer) -> None:
    ask(
        llm.url,
        system="짧게",
        maxTokens=4096,
        temperature=0,
        topP=0.9,
        stop=["\n"],
        seed=7,
        extra={"response_format": {"type": "json_object"}},
    )
    assert llm.requests[0].body == {
        "model": "llama3.1-70b",
        "messages": [{"role": "system", "content": "짧게"}, {"role": "user", "content": "반도체 기사"}],
        "max_tokens": 4096,
        "temperature": 0.0,
        "top_p": 0.9,
        "stop": ["\n"],
        "seed": 7,
        "response_format": {"type": "json_object"},
    }


def test_the_server_s_own_defaults_are_left_to_it(llm: LlmServer) -> None:
    ask(llm.url)
    assert set(llm.requests[0].body) == {"model", "messages"}


def test_a_text_that_is_cut_off_is_said_to_be(llm: LlmServer, caplog: pytest.LogCaptureFixture) -> None:
    output = ask(llm.url, maxTokens=1)
    assert (output.text, output.finish_reason, output.completion_tokens) == ("[llama3.1-70b]", "length", 1)
    assert "cut off" in caplog.text


def test_the_figures_are_shown(llm: LlmServer) -> None:
    with collect_shown() as shown:
        output = ask(llm.url, stream=True)
    assert {one.name: one.data for one in shown} == {
        name: getattr(output, name) for name in ("prompt_tokens", "completion_tokens", "latency", "first_token")
    }


@pytest.mark.parametrize(
    "fault",
    [
        Fault(status=429, headers={"Retry-After": "0"}),
        Fault(status=500),
        Fault(status=503),
        Fault(after=1),
        Fault(after=0),
        Fault(after=2, tell=True),
    ],
    ids=str,
)
def test_what_passes_is_asked_again(llm: LlmServer, fault: Fault) -> None:
    llm.next(fault, fault)
    assert ask(llm.url, stream=True).text == "[llama3.1-70b] 반도체 기사"
    assert len(llm.requests) == 3


@pytest.mark.parametrize(
    ("fault", "told"),
    [
        (Fault(status=500), "answered 500 Internal Server Error: .*told to fail"),
        (Fault(after=2), "connection broke"),
        (Fault(after=2, tell=True), "tells an error: engine is dead"),
    ],
    ids=str,
)
def test_the_last_failure_is_told(llm: LlmServer, fault: Fault, told: str) -> None:
    llm.next(fault, fault)
    with pytest.raises(HttpFailed, match=rf"{told}.*\(after 2 tries\)") as caught:
        ask(llm.url, stream=True, retries=1)
    assert caught.value.retry
    assert caught.value.remedy


@pytest.mark.parametrize("status", [400, 404, 413])
def test_what_will_not_pass_is_asked_once(llm: LlmServer, status: int) -> None:
    llm.next(Fault(status=status))
    with pytest.raises(HttpFailed, match=f"answered {status}") as caught:
        ask(llm.url)
    assert (len(llm.requests), caught.value.retry) == (1, False)


def test_a_wrong_address_is_told(llm: LlmServer) -> None:
    with pytest.raises(HttpFailed, match="answered 404") as caught:
        ask(llm.url.removesuffix("/v1"))
    assert "VLLM_URL, which usually ends in /v1" in caught.value.remedy
    with pytest.raises(ProfileError, match="VLLM_URL"):
        run(KIND, config={"model": "m"}, prompt="x")


@pytest.mark.parametrize(
    "answer",
    [
        Answer.text("<html>login</html>"),
        Answer.json([1]),
        Answer.json({"choices": []}),
        Answer.json({"choices": [{"message": {"content": 7}}]}),
        Answer(200, b"data: [1]\n\n", {"Content-Type": "text/event-stream"}),
        Answer(200, b"data: <html>\n\n", {"Content-Type": "text/event-stream"}),
        Answer(302, b"", {"Location": "/elsewhere"}),
    ],
    ids=str,
)
def test_another_server_is_told(answer: Answer) -> None:
    with http_server() as server:
        server.on("/v1/chat/completions", answer)
        with pytest.raises(HttpFailed) as caught:
            ask(f"{server.url}/v1")
        assert "usually ends in /v1" in caught.value.remedy
        assert len(server.requests) == 1


def test_the_key_comes_from_the_profile_and_is_in_no_text(caplog: pytest.LogCaptureFixture) -> None:
    with llm_server(api_key="sk-very-secret") as llm, caplog.at_level(logging.DEBUG):
        assert ask(llm.url, profile={"VLLM_API_KEY": "sk-very-secret"}).text
        with pytest.raises(HttpFailed, match="answered 401") as wrong:
            ask(llm.url, profile={"VLLM_API_KEY": "sk-wrong-secret"})
        with pytest.raises(HttpFailed, match="answered 401") as none:
            ask(llm.url)
    assert "no access with Bearer ***" in str(wrong.value)
    assert "VLLM_API_KEY; none was sent" in none.value.remedy
    assert "secret" not in f"{wrong.value} {wrong.value.remedy} {caplog.text}"


def test_the_key_comes_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_COMPATIBLE_API_KEY", "sk-1")
    with llm_server(api_key="sk-1") as llm:
        monkeypatch.setenv("OPENAI_COMPATIBLE_URL", llm.url)
        assert ask("", connection="openai-compatible").text


def test_what_the_node_sets_is_not_set_twice(llm: LlmServer) -> None:
    twice: list[dict[str, Any]] = [{"stream": True}, {"messages": []}, {"model": "other"}, {"max_tokens": 1}]
    for extra in twice:
        with pytest.raises(NodeError, match="the node sets that itself"):
            ask(llm.url, extra=extra)
    with pytest.raises(NodeError, match="must have no system"):
        ask(llm.url, api="completions", system="x")
    assert not llm.requests


def test_a_server_that_does_not_stream_is_taken_as_well() -> None:
    with http_server() as server:
        server.on("/v1/chat/completions", Answer.json({"choices": [{"message": {"content": None}}]}))
        output = ask(f"{server.url}/v1", stream=True)
    assert (output.text, output.model, output.prompt_tokens, output.first_token) == ("", "llama3.1-70b", None, None)


def test_a_stream_without_an_end_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("flowhub_assets.nodes.models.openai_server._LONGEST_ANSWER", 1_000_000)
    with http_server() as server:
        endless = itertools.repeat(b'data: {"choices": [{"delta": {"content": "ha"}}]}\n\n' * 100)
        server.on("/v1/chat/completions", Answer(200, b"", {"Content-Type": "text/event-stream"}, chunks=endless))
        with pytest.raises(HttpFailed, match="more than 1,000,000 bytes"):
            ask(f"{server.url}/v1", stream=True)
        assert server.gone.wait(20)


@pytest.mark.parametrize("after", [None, 1])
def test_a_run_that_is_stopped_hangs_up(after: int | None) -> None:
    with http_server() as server:
        asked = threading.Event()
        server.on("/v1/chat/completions", lambda _: _hanging(server, asked, after))
        context = NodeContext(profile={"VLLM_URL": f"{server.url}/v1"})
        failures: list[str] = []

        def node() -> None:
            try:
                run(KIND, config={"model": "m", "stream": True}, prompt="x", context=context)
            except Exception as error:  # noqa: BLE001 - it is looked at in the test's own thread
                failures.append(type(error).__name__)

        thread = threading.Thread(target=node, daemon=True)
        thread.start()
        assert asked.wait(20)
        context.cancellation.set()
        thread.join(20)
        assert failures == ["TaskCancelled"]
        assert server.gone.wait(20)


def _hanging(server: HttpServer, asked: threading.Event, after: int | None) -> Answer:
    """A stream that sends a comment for ever, after no or one word: what keeps a connection open on the wire."""

    def chunks() -> Iterator[bytes]:
        if after:
            yield b'data: {"choices": [{"delta": {"content": "ha"}}]}\n\n'
        asked.set()
        while not server.closing.wait(0.01):
            yield b": still thinking\n\n"

    return Answer(200, b"", {"Content-Type": "text/event-stream"}, chunks=chunks())


def test_a_timeout_is_told(llm: LlmServer) -> None:
    llm.next(Fault(hang=True))
    with pytest.raises(HttpFailed, match=r"did not end within 0\.2 s"):
        ask(llm.url, timeout=0.2, retries=0)


def test_it_writes_about_what_another_node_fetched(llm: LlmServer, tmp_path: Path) -> None:
    with http_server() as server:
        server.on("/topics", Answer.json({"topic": "반도체"}))
        server.on("/articles", lambda request: Answer.json(request.json(), 201))
        whole = pipeline(
            node("fetch-topic", "http-request", {"method": "GET", "url": f"{server.url}/topics"}),
            node(
                "generate-article",
                "llm-generate",
                {"model": "{{variables.model}}", "maxTokens": 4096},
                {"prompt": "주제: {{fetch-topic.output.topic}}\n위 주제로 뉴스 기사를 작성하세요.\n"},
                needs=("fetch-topic",),
            ),
            node(
                "save-article",
                "http-request",
                {"method": "POST", "url": f"{server.url}/articles"},
                {"json": {"content": "{{generate-article.output}}", "words": "{{generate-article.completion_tokens}}"}},
                needs=("generate-article",),
            ),
            variables={"model": "llama3.1-70b"},
            profiles={"default": {"VLLM_URL": llm.url, "WORKSPACE": str(tmp_path)}},
        )
        outcome = run_pipeline(Runnable(whole, bodies_of(whole)))
    text = "[llama3.1-70b] 주제: 반도체 위 주제로 뉴스 기사를 작성하세요."
    saved = outcome.tasks["save-article"].value
    assert saved is not None
    assert saved["body"] == {"content": text, "words": 8}
    assert saved["status"] == 201
