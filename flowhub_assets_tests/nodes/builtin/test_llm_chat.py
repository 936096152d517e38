from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flowhub_assets.nodes import NodeContext, NodeError, registry, run
from flowhub_assets_tests.llm_server import Fault, LlmServer, llm_server

KIND = registry.get("llm-chat")


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server(lambda prompt, _: "서울입니다.") as running:
        yield running


def ask(url: str, messages: Any, **config: Any) -> Any:
    settings = {"model": "m", "retryDelay": 0, **config}
    return run(KIND, config=settings, messages=messages, context=NodeContext(profile={"VLLM_URL": url}))


@pytest.mark.parametrize("stream", [False, True])
def test_it_answers(llm: LlmServer, stream: bool) -> None:
    question = {"role": "user", "content": "한국의 수도는?"}
    output = ask(llm.url, [question], system="짧게", stream=stream)
    answer = {"role": "assistant", "content": "서울입니다."}
    assert (output.text, output.messages) == ("서울입니다.", [question, answer])
    assert llm.requests[0].body["messages"] == [{"role": "system", "content": "짧게"}, question]


def test_messages_go_as_they_are(llm: LlmServer) -> None:
    messages = [
        {"role": "user", "content": [{"type": "text", "text": "무엇?"}], "name": "kim"},
        {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": {"name": "f"}}]},
        {"role": "tool", "content": "42", "tool_call_id": "1"},
    ]
    ask(llm.url, messages)
    assert llm.requests[0].body["messages"] == messages


@pytest.mark.parametrize("messages", [[], [{"role": "boss", "content": "x"}], [{"content": "x"}], "x"])
def test_what_is_no_conversation_is_refused(llm: LlmServer, messages: Any) -> None:
    with pytest.raises(NodeError, match="messages"):
        ask(llm.url, messages)
    assert not llm.requests


def test_it_asks_again(llm: LlmServer) -> None:
    llm.next(Fault(status=503), Fault(after=0))
    assert ask(llm.url, [{"role": "user", "content": "x"}], stream=True).text == "서울입니다."
    assert len(llm.requests) == 3
