from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from flowhub_assets.nodes import NodeContext, registry, run
from flowhub_assets.nodes.http.call import HttpFailed
from flowhub_assets.runtime.show import collect_shown
from flowhub_assets_tests.http_server import Answer, http_server
from flowhub_assets_tests.llm_server import Fault, LlmServer, llm_server, vector

KIND = registry.get("embedding")


@pytest.fixture
def llm() -> Iterator[LlmServer]:
    with llm_server() as running:
        yield running


def embed(url: str, text: Any, **config: Any) -> Any:
    settings = {"model": "bge-m3", "retryDelay": 0, **config}
    return run(KIND, config=settings, text=text, context=NodeContext(profile={"VLLM_URL": url}))


def test_one_text(llm: LlmServer) -> None:
    output = embed(llm.url, "서울의 날씨")
    assert (output.embedding, output.embeddings) == (vector("서울의 날씨"), [vector("서울의 날씨")])
    assert (output.dimensions, output.model, output.prompt_tokens) == (8, "bge-m3", 2)


def test_a_list_is_sent_in_batches_and_keeps_its_order(llm: LlmServer) -> None:
    texts = [f"글 {number}" for number in range(10)]
    with collect_shown() as shown:
        output = embed(llm.url, texts, batchSize=4)
    assert output.embeddings == [vector(text) for text in texts]
    assert [len(request.body["input"]) for request in llm.requests] == [4, 4, 2]
    assert output.prompt_tokens == 20
    assert {"embeddings": 10, "prompt_tokens": 20}.items() <= {one.name: one.data for one in shown}.items()


def test_no_text_asks_nobody(llm: LlmServer) -> None:
    output = embed(llm.url, [])
    assert (output.embedding, output.embeddings, output.dimensions, output.prompt_tokens) == (None, [], None, 0)
    assert not llm.requests


def test_the_length_can_be_chosen(llm: LlmServer) -> None:
    assert embed(llm.url, "x", dimensions=3).dimensions == 3


def test_only_what_failed_is_asked_again(llm: LlmServer) -> None:
    llm.next(Fault(), Fault(status=429, headers={"Retry-After": "0"}))
    assert len(embed(llm.url, ["a", "b"], batchSize=1).embeddings) == 2
    assert [request.body["input"] for request in llm.requests] == [["a"], ["b"], ["b"]]


@pytest.mark.parametrize(
    "data",
    [
        [],
        [{"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 0, "embedding": [1.0]}],
        [{"index": 0, "embedding": [1.0]}, {"index": 1, "embedding": "AAAA"}],
        [{"index": 0, "embedding": [1.0]}, {"index": [], "embedding": [1.0]}],
        "x",
    ],
    ids=str,
)
def test_other_than_a_vector_for_each_is_told(data: Any) -> None:
    with http_server() as server:
        server.on("/v1/embeddings", Answer.json({"data": data}))
        with pytest.raises(HttpFailed, match="is not 2 embeddings"):
            embed(f"{server.url}/v1", ["a", "b"])
        assert len(server.requests) == 1
