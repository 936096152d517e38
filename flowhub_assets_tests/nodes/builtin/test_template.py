"""The kind template."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.template import Template
from flowhub_assets_tests.nodes.pipelines import args_of, node, pipeline


def rendered(text: str, config: dict[str, Any] | None = None, **params: Any) -> Any:
    task = node("text", "template", config or {}, {"template": text})
    return bodies_of(pipeline(task))["text"](*args_of(task, flow_input=params))["result"]


def test_it_renders_what_the_nodes_before_gave() -> None:
    assert rendered("주제: {{params.topic}}\n", topic="AI") == "주제: AI\n"
    assert rendered("{{params.rows}}", rows=[1]) == [1]
    assert rendered("{% for row in params.rows %}{{row}};{% endfor %}", rows=[1, 2]) == "1;2;"


def test_its_form_can_be_asked_for() -> None:
    assert rendered("{{params.rows}}", {"output": "text"}, rows=[1]) == "[1]"
    assert rendered('{"a": {{params.a | tojson}}}', {"output": "json"}, a='"') == {"a": '"'}
    assert rendered("  a\n", {"trim": True}) == "a"


def test_its_errors_are_told() -> None:
    with pytest.raises(NodeError, match=r"inputs\.template: there is no 'topik' in params") as caught:
        rendered("{{params.topik}}", topic=1)
    assert caught.value.remedy == "did you mean 'topic'?"
    for text in ("{", "[NaN]", "[" * 100_000):
        with pytest.raises(NodeError, match="no JSON"):
            run(Template, config={"output": "json"}, template=text)
