"""The kind loop: its nodes are run by the pipeline."""

from __future__ import annotations

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.loop import Loop
from flowhub_assets_tests.nodes.pipelines import args_of, loop, node, pipeline


def test_in_a_pipeline_it_gives_its_items() -> None:
    inner = node("greet", "template", {}, {"template": "{{item}}"})
    task = loop("each", "{{params.names}}", (inner,))
    value = bodies_of(pipeline(task))["each"](*args_of(task, flow_input={"names": ["a", "b"]}))
    assert value == {"items": [{"item": "a", "index": 0}, {"item": "b", "index": 1}]}


def test_alone_it_has_nothing_to_run() -> None:
    with pytest.raises(NodeError, match="nothing to run"):
        run(Loop, config={"items": [1]})
    with pytest.raises(NodeError, match=r"config\.items"):
        run(Loop, config={"items": 3})
