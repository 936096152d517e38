"""What templates see: params, the trigger, nodes and their fields, the item of a loop, the run; no credentials."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest

from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.scope import known_names, scope_of, view, without_credentials
from flowhub_assets.runtime.step_context import StepContext, step_context
from flowhub_assets_tests.nodes.kinds import Choice, Model, Repeat
from flowhub_assets_tests.nodes.pipelines import ENV, ITEM, args_of, loop, node, pipeline

ASK = node("ask", "model", {"model": "m"})
CHOOSE = node("고르기", "choice")
AFTER = node("after", "repeat", needs=("ask", "고르기"))


@pytest.fixture(autouse=True)
def _kinds() -> None:
    for kind in (Model, Repeat, Choice):
        registry.register(kind)


def scope(of: Pipeline, task: Task, **values: Any) -> dict[str, Any]:
    tasks = {one.name: one for one in all_tasks(of)}
    return scope_of(of, task, tasks, dict(zip(task.needs, args_of(task, **values), strict=True)))


def test_the_scope_has_the_known_names_and_no_others() -> None:
    inner = node("inner", "repeat", needs=(ITEM, "ask"))
    last = node("last", "repeat")
    whole = pipeline(ASK, CHOOSE, AFTER, loop("each", "{{ask.output}}", (inner,), ("ask",)), finally_tasks=(last,))
    for task in (ASK, AFTER, inner):
        assert set(scope(whole, task, item={"item": 1, "index": 0})) == set(known_names(task))
    assert set(scope(whole, last)) == set(known_names(last, at_end=True))
    assert "failure" not in known_names(AFTER)
    assert "item" not in known_names(AFTER)


def test_params_and_trigger_are_apart() -> None:
    seen = scope(
        pipeline(ASK, variables={"model": "llama"}), ASK, flow_input={"city": "서울", "trigger": {"body": {"a": 1}}}
    )
    assert seen["params"] == {"city": "서울"}
    assert seen["trigger"] == {"body": {"a": 1}}
    assert seen["variables"] == {"model": "llama"}
    assert scope(pipeline(ASK), ASK)["trigger"] == {}


def test_a_node_is_seen_by_its_primary_field_and_all_others() -> None:
    seen = scope(pipeline(ASK, CHOOSE, AFTER), AFTER, ask={"text": "hi", "total_tokens": 3}, 고르기={"port": "yes"})
    assert seen["ask"] == {"output": "hi", "text": "hi", "total_tokens": 3, "error": None, "skipped": False}
    assert seen["고르기"] == {"output": {"port": "yes"}, "port": "yes", "error": None, "skipped": False}


def test_a_skipped_node_has_its_fields_all_null() -> None:
    assert view(ASK, {}, {}) == {"output": None, "text": None, "total_tokens": None, "error": None, "skipped": True}


def test_a_node_that_failed_and_was_continued_has_an_error() -> None:
    failed = {"error": {"message": "no", "type": "NodeError"}}
    assert view(ASK, {}, failed) == {
        "output": None,
        "text": None,
        "total_tokens": None,
        "error": {"message": "no", "type": "NodeError"},
        "skipped": False,
    }


def test_a_loop_gives_the_output_of_its_result_for_each_item() -> None:
    inner = node("inner", "model", needs=(ITEM,))
    each = loop("each", "{{params.names}}", (inner,), into="answers")
    answers = [{"text": "a", "total_tokens": 1}, None, {"text": "b", "total_tokens": 2}, {}]
    seen = view(each, {"inner": inner}, {"answers": answers})
    assert seen["output"] == ["a", None, "b", None]
    assert seen["answers"] == answers
    assert view(each, {"inner": inner}, {"answers": []})["output"] == []
    assert view(each, {"inner": inner}, {}) == {"answers": None, "output": None, "error": None, "skipped": True}


def test_an_item_is_seen_in_a_loop() -> None:
    inner = node("inner", "repeat", needs=(ITEM,))
    whole = pipeline(loop("each", "{{params.names}}", (inner,)))
    seen = scope(whole, inner, item={"item": {"name": "하나"}, "index": 2}, flow_input={"names": []})
    assert (seen["item"], seen["index"]) == ({"name": "하나"}, 2)


@pytest.mark.parametrize("place", ["failure_task", "finally_tasks"])
def test_the_end_of_a_run_knows_what_failed(place: str) -> None:
    last = node("last", "repeat")
    ends: dict[str, Any] = {"failure_task": last} if place == "failure_task" else {"finally_tasks": (last,)}
    whole = pipeline(ASK, **ends)
    failure = {"failed_task": "ask", "error": "no", "error_type": "NodeError", "traceback": "..."}
    seen = scope(whole, last, flow_input={"city": "서울", **failure})
    assert seen["failure"] == failure
    assert seen["params"] == {"city": "서울"}
    assert scope(whole, last)["failure"] == dict.fromkeys(failure)


def test_a_param_may_be_called_error() -> None:
    assert scope(pipeline(ASK), ASK, flow_input={"error": "E7"})["params"] == {"error": "E7"}


def test_the_run_and_the_moment_are_known() -> None:
    before = dt.datetime.now(dt.UTC).replace(microsecond=0)
    with step_context(StepContext(attempt=2)):
        seen = scope(pipeline(ASK), ASK)
    assert (seen["$run_id"], seen["$pipeline"], seen["$node"], seen["$attempt"]) == ("r1", "nightly", "ask", 2)
    now = dt.datetime.fromisoformat(seen["$now"])
    assert seen["$now"].endswith("Z")
    assert before <= now <= dt.datetime.now(dt.UTC)
    assert seen["$today"] == now.date().isoformat()


def test_credentials_of_the_profile_are_not_there() -> None:
    env = {
        **ENV,
        "ACCESS_KEY": "x",
        "SLACK_TOKEN": "x",
        "MONGODB_URL": "mongodb://admin:hunter2@db/",
        "VLLM_URL": "http://vllm:8000/v1",
        "EXTRA": {"DB_PASSWORD": "x", "region": "kr"},
        "REDIS_URL": {"env": "REDIS_URL"},
    }
    assert without_credentials(env) == {
        **ENV,
        "VLLM_URL": "http://vllm:8000/v1",
        "EXTRA": {"region": "kr"},
    }
    assert scope(pipeline(ASK), ASK, env=env)["env"] == without_credentials(env)
