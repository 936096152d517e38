from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, registry, run

KIND = registry.get("http-response")


@pytest.mark.parametrize(
    ("body", "kind"), [("글", "text/plain; charset=utf-8"), ({"a": [1]}, "application/json"), (0, "application/json")]
)
def test_an_answer(body: Any, kind: str) -> None:
    output = run(KIND, config={"status": 201, "headers": {"X-Count": 2}}, body=body)
    assert (output.status, output.body) == (201, body)
    assert output.headers == {"X-Count": "2", "Content-Type": kind}


def test_the_content_type_can_be_given() -> None:
    output = run(KIND, config={"headers": {"content-type": "text/html"}}, body="<p>")
    assert output.headers == {"content-type": "text/html"}


def test_an_answer_without_a_body() -> None:
    output = run(KIND, config={"status": 204})
    assert (output.status, output.headers, output.body) == (204, {}, None)


@pytest.mark.parametrize(
    ("config", "body"),
    [
        ({"headers": {"X": "1\r\nSet-Cookie: a=b"}}, "x"),
        ({"headers": {"Content-Length": "1"}}, "x"),
        ({"status": 204}, "x"),
        ({"status": 99}, "x"),
        ({"status": 101}, "x"),
        ({}, {"a": float("nan")}),
    ],
)
def test_what_cannot_be_sent_is_refused(config: dict[str, Any], body: Any) -> None:
    with pytest.raises(NodeError) as caught:
        run(KIND, config=config, body=body)
    assert not caught.value.retry
