"""The kinds that stand for triggers: they give what started the run."""

from __future__ import annotations

from typing import Any

import pytest

from flowhub_assets.nodes import NodeContext, NodeError, registry, run
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets_tests.nodes.pipelines import args_of, node, pipeline

KINDS = ("webhook", "cron", "interval", "manual", "object-arrival")


def given(kind: str, trigger: Any = None) -> Any:
    task = node("start", kind)
    flow_input = {} if trigger is None else {"trigger": trigger}
    return bodies_of(pipeline(task))["start"](*args_of(task, flow_input=flow_input))


def test_a_webhook_gives_its_request() -> None:
    request = {"type": "webhook", "body": {"a": 1}, "headers": {"x": "y"}, "query": {}, "method": "POST", "path": "p"}
    assert given("webhook", request) == {**request, "time": None, "trigger": request}


def test_a_schedule_gives_its_time() -> None:
    for kind in ("cron", "interval"):
        trigger = {"type": kind, "time": "2024-05-06T00:00:00Z"}
        assert given(kind, trigger) == {**trigger, "trigger": trigger}


def test_an_object_gives_its_url() -> None:
    trigger = {"type": "object-arrival", "url": "s3://b/in/1.csv", "key": "in/1.csv", "size": 3}
    objects = [{"url": "s3://b/in/1.csv", "key": "in/1.csv", "size": 3, "time": None}]
    assert given("object-arrival", trigger) == {**trigger, "time": None, "trigger": trigger, "objects": objects}


def test_a_batch_gives_all_its_objects() -> None:
    objects = [{"url": f"s3://b/in/{number}.csv", "key": f"in/{number}.csv", "size": 3} for number in range(3)]
    found = given("object-arrival", {"type": "object-arrival", "objects": objects})
    assert (found["objects"], found["url"], found["key"], found["size"]) == (objects, None, None, None)
    assert given("object-arrival", {"type": "manual"})["objects"] == []


def test_a_person_gives_data() -> None:
    assert given("manual", {"data": [1]})["data"] == [1]


@pytest.mark.parametrize("kind", KINDS)
def test_a_run_that_something_else_started_has_nothing_of_it(kind: str) -> None:
    value = given(kind)
    assert value["type"] == "manual"
    assert value["trigger"] == {}
    assert not any(item for name, item in value.items() if name != "type")


@pytest.mark.parametrize("kind", KINDS)
def test_a_trigger_that_is_no_object_is_told(kind: str) -> None:
    with pytest.raises(NodeError, match="no object"):
        run(registry.get(kind), context=NodeContext(trigger=[1]))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("kind", "config", "what"),
    [
        ("cron", {"schedule": "0 9 * *"}, "4 fields"),
        ("cron", {"timezone": "Asia/Soul"}, "Asia/Soul"),
        ("interval", {"every": "soon"}, "time such as"),
        ("interval", {"every": 0}, "every"),
        ("webhook", {"methods": ["FETCH"]}, "methods"),
        ("object-arrival", {"pattern": 3}, "pattern"),
    ],
)
def test_a_wrong_config_is_told(kind: str, config: dict[str, Any], what: str) -> None:
    with pytest.raises(NodeError, match=what):
        run(registry.get(kind), config=config)
