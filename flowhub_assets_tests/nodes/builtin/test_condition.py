"""The kind condition, alone and in pipelines."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeError, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.builtin.condition import Condition
from flowhub_assets_tests.nodes.pipelines import args_of, node, pipeline


def asked(condition: str, **params: Any) -> Any:
    task = node("is-long", "condition", {"if": condition})
    return bodies_of(pipeline(task))["is-long"](*args_of(task, flow_input=params))


@pytest.mark.parametrize("condition", ["params.count > 3", "{{ params.count > 3 }}", "{{params.count > 3 and true}}"])
def test_it_takes_a_port_by_what_the_nodes_before_gave(condition: str) -> None:
    assert asked(condition, count=4) == {"result": True, "port": "true"}
    assert asked(condition, count=3) == {"result": False, "port": "false"}


@pytest.mark.parametrize(
    ("condition", "what"),
    [
        ("params.coumt > 3", "'coumt'"),
        ("parms.count > 3", "'parms'"),
        ("params.count", "the number 4"),
        ("{{ params.count }}", "the number 4"),
        ("params.count > 'a'", "cannot compare"),
        ("params.count and true", "true and false only"),
        ("params.count >", "cannot be read"),
        ("", "empty"),
    ],
)
def test_nothing_is_taken_for_true_that_is_not(condition: str, what: str) -> None:
    with pytest.raises(NodeError, match=what) as caught:
        asked(condition, count=4)
    assert caught.value.retry is False


def test_alone_it_asks_about_constants() -> None:
    assert run(Condition, config={"if": "1 + 1 == 2"}).port == "true"
    assert run(Condition, config={"if": False}).port == "false"
    with pytest.raises(NodeError, match="there is no 'params'"):
        run(Condition, config={"if": "params.x"})
