"""The bodies of nodes: rendered, asked, run; and whole pipelines of them in the local runtime."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest

from flowhub_assets.errors import DefinitionError, TaskTimedOut
from flowhub_assets.ir.pipeline import Edge, Retry
from flowhub_assets.nodes import Node, NodeContext, NodeError, NodeInput, NodeOutput, registry
from flowhub_assets.nodes.bodies import bodies_of
from flowhub_assets.nodes.validation import InputRefused, OutputRefused
from flowhub_assets.runtime.local import run_pipeline
from flowhub_assets.runtime.step import Runnable, Skip
from flowhub_assets_tests.nodes.kinds import Anything, Apart, Choice, Model, Repeat, Sleeper
from flowhub_assets_tests.nodes.pipelines import ENV, ITEM, args_of, loop, node, pipeline


class Fails(Node):
    """Fails each time, and says whether a retry is worth it."""

    name = "fails"

    class Input(NodeInput):
        retry: bool
        log: str

    async def execute(self, input: Input, context: NodeContext) -> NodeOutput:
        with open(input.log, "a") as file:
            file.write(f"{context.attempt} ")
        raise NodeError("the shop is closed", remedy="come back tomorrow", retry=input.retry)


class Where(Node):
    """Gives what its context knows."""

    name = "where"

    class Output(NodeOutput):
        node: str
        pid: int
        timeout: float | None
        run_id: str

    async def execute(self, input: NodeInput, context: NodeContext) -> Output:
        profile = context.profile
        return self.Output(node=context.node, pid=os.getpid(), timeout=context.timeout, run_id=profile["run_id"])


@pytest.fixture(autouse=True)
def _kinds() -> None:
    for kind in (Anything, Apart, Choice, Fails, Model, Repeat, Sleeper, Where):
        registry.register(kind)


def call(task: Any, *others: Any, **values: Any) -> Any:
    return bodies_of(pipeline(*others, task))[task.name](*args_of(task, **values))


def run(*tasks: Any, given: Any = None, **more: Any) -> Any:
    whole = pipeline(*tasks, **more)
    return run_pipeline(Runnable(whole, bodies_of(whole)), given)


def test_config_and_inputs_are_rendered_and_keep_their_types() -> None:
    task = node(
        "a", "model", {"model": "{{params.model}}", "maxTokens": "{{params.n}}"}, {"messages": "{{params.messages}}"}
    )
    flow_input = {"model": "llama", "n": 7, "messages": [{"role": "user", "content": "하"}]}
    assert call(task, flow_input=flow_input) == {"text": "llama of 1", "total_tokens": 7}


def test_a_node_takes_what_another_gave() -> None:
    first = node("fetch-topic", "model")
    second = node("b", "anything", {}, {"value": "주제: {{fetch-topic.output}}"}, needs=("fetch-topic",))
    assert call(second, first, **{"fetch-topic": {"text": "서울", "total_tokens": 1}}) == {"value": "주제: 서울"}


def test_a_condition_that_does_not_hold_skips_the_node() -> None:
    task = node("a", "anything", when="params.n > 3")
    assert call(task, flow_input={"n": 4}) == {"value": None}
    assert call(task, flow_input={"n": 3}) == Skip("its condition does not hold: params.n > 3")


def test_a_condition_that_cannot_be_asked_is_told() -> None:
    with pytest.raises(NodeError, match=r"^when: ") as raised:
        call(node("a", "anything", when="params.n"), flow_input={"n": 4})
    assert raised.value.retry is False


@pytest.mark.parametrize(
    ("config", "inputs", "path"),
    [
        ({}, {"value": ["fine", {"deep": "{{params.nothing}}"}]}, "inputs.value[1].deep: "),
        ({"value": "{{params.nothing}}"}, {}, "config.value: "),
        ({}, {"value": "{{parms.n}}"}, "inputs.value: "),
        ({}, {"value": "{{"}, "inputs.value: "),
    ],
)
def test_a_template_that_fails_is_told_with_its_place(config: Any, inputs: Any, path: str) -> None:
    with pytest.raises(InputRefused) as raised:
        call(node("a", "anything", config, inputs), flow_input={"n": 4})
    assert raised.value.what.startswith(path)
    assert raised.value.retry is False


def test_a_loops_body_gives_its_items() -> None:
    inner = node("inner", "anything", needs=(ITEM,))
    assert call(loop("each", "{{params.names}}", (inner,)), flow_input={"names": ["a", None]}) == {
        "items": [{"item": "a", "index": 0}, {"item": None, "index": 1}]
    }
    assert call(loop("each", [1], (inner,))) == {"items": [{"item": 1, "index": 0}]}


@pytest.mark.parametrize("items", ["text", 3, {"a": 1}, None])
def test_a_loop_over_no_list_is_told(items: Any) -> None:
    inner = node("inner", "anything", needs=(ITEM,))
    with pytest.raises(InputRefused, match=r"config\.items is .*, but must be a list"):
        call(loop("each", "{{params.names}}", (inner,)), flow_input={"names": items})


def test_a_loop_has_a_bound() -> None:
    inner = node("inner", "anything", needs=(ITEM,))
    bounded = loop("each", "{{params.names}}", (inner,), most=2)
    assert len(call(bounded, flow_input={"names": [1, 2]})["items"]) == 2
    with pytest.raises(InputRefused, match="has 3 items, and the loop runs 2 at most") as raised:
        call(bounded, flow_input={"names": [1, 2, 3]})
    assert "maxIterations" in raised.value.remedy


def test_the_context_is_that_of_the_step() -> None:
    given = call(node("a", "where", timeout=60.0))
    assert given == {"node": "a", "pid": os.getpid(), "timeout": 60.0, "run_id": ENV["run_id"]}


def test_a_light_node_minds_its_timeout_and_a_heavy_one_leaves_it_to_its_runner(tmp_path: Path) -> None:
    with pytest.raises(TaskTimedOut, match="node 'a' ran longer"):
        call(node("a", "sleeper", {}, {"started": str(tmp_path / "started")}, timeout=0.05))
    assert call(node("a", "where", timeout=0.0, run_on="cpu"))["timeout"] is None


def test_a_kind_with_a_process_of_its_own_gets_one_only_where_it_has_none() -> None:
    assert call(node("a", "apart"))["pid"] != os.getpid()
    assert call(node("a", "apart", run_on="cpu"))["pid"] == os.getpid()


def test_bodies_are_made_without_looking_at_the_kinds() -> None:
    bodies = bodies_of(pipeline(node("a", "no-such-kind")))
    with pytest.raises(DefinitionError, match="there is no kind of node 'no-such-kind'"):
        bodies["a"](*args_of(node("a", "no-such-kind")))


def test_every_task_of_a_pipeline_has_a_body() -> None:
    inner = loop("inner-loop", "{{item}}", (node("deep", "anything", needs=(ITEM,)),), needs=(ITEM,))
    whole = pipeline(
        loop("each", "{{params.names}}", (inner,)),
        failure_task=node("on-failure", "anything"),
        finally_tasks=(node("last", "anything"),),
    )
    assert set(bodies_of(whole)) == {"each", "inner-loop", "deep", "on-failure", "last"}


# Whole pipelines, in the local runtime.


def test_a_branch_is_taken_and_joined() -> None:
    outcome = run(
        node("choose", "choice", {}, {"port": "{{params.port}}"}, ports=("yes", "no")),
        node("left", "anything", {}, {"value": "왼쪽"}, after=(Edge("choose", "yes"),)),
        node("right", "anything", {}, {"value": "오른쪽"}, after=(Edge("choose", "no"),)),
        node("join", "anything", {}, {"value": "{{left.output or right.output}}"}, needs=("left", "right")),
        given={"port": "no"},
    )
    assert outcome.value == {"value": "오른쪽"}
    assert {name: one.state for name, one in outcome.tasks.items()} == {
        "choose": "succeeded",
        "left": "skipped",
        "right": "succeeded",
        "join": "succeeded",
    }


def test_loops_inside_loops() -> None:
    deep = node("deep", "anything", {}, {"value": "{{item}}-{{index}}"}, needs=(ITEM,))
    inner = loop("inner", "{{item}}", (deep,), needs=(ITEM,))
    outcome = run(
        loop("outer", "{{params.rows}}", (inner,)),
        node("after", "anything", {}, {"value": "{{outer.output}}"}, needs=("outer",)),
        given={"rows": [["a", "b"], [], ["c"]]},
    )
    assert outcome.value == {"value": [["a-0", "b-1"], [], ["c-0"]]}


def test_a_failure_that_lets_the_run_go_on(tmp_path: Path) -> None:
    outcome = run(
        node("shop", "fails", {}, {"retry": True, "log": str(tmp_path / "log")}, continue_on_error=True),
        node("after", "anything", {}, {"value": "{{shop.error.message}}"}, needs=("shop",)),
    )
    assert outcome.value == {"value": "the shop is closed"}


@pytest.mark.parametrize(("retry", "attempts"), [(True, "1 2 3 "), (False, "1 ")])
def test_a_node_that_says_so_is_not_tried_again(retry: bool, attempts: str, tmp_path: Path) -> None:
    log = tmp_path / "log"
    outcome = run(node("shop", "fails", {}, {"retry": retry, "log": str(log)}, retry=Retry(2)))
    failed = outcome.tasks["shop"]
    assert failed.state == "failed"
    assert "the shop is closed" in str(failed.error)
    assert "Come back tomorrow." in str(failed.error)
    assert log.read_text() == attempts


def test_the_end_of_a_failed_run_can_say_what_failed(tmp_path: Path) -> None:
    telling = {"value": "{{failure.failed_task}}: {{failure.error}}"}
    whole = pipeline(
        node("shop", "fails", {}, {"retry": False, "log": str(tmp_path / "log")}),
        failure_task=node("on-failure", "anything", {}, telling),
        finally_tasks=(node("last", "anything", {}, telling),),
    )
    outcome = run_pipeline(Runnable(whole, bodies_of(whole)))
    told = {"value": "shop: the shop is closed"}
    assert outcome.failure is not None
    assert [one.value for one in (outcome.failure, *outcome.finals)] == [told, told]


def test_a_wrong_output_is_told_by_the_run() -> None:
    registry.forget("anything")

    class Wrong(Anything):
        """Returns nothing."""

        def execute(self, input: Anything.Input) -> Any:
            return None

    registry.register(Wrong)
    with pytest.raises(OutputRefused):
        call(node("a", "anything"))
    outcome = run(node("a", "anything"))
    assert "execute of anything returned nothing, not an Output" in str(outcome.tasks["a"].error)


SECRETS = {
    **ENV,
    "SHOP_URL": "postgresql://me:planted@h/d",
    "REDIS_URL": {"env": "R"},
    "MORE": {"API_TOKEN": "planted"},
}


@pytest.mark.parametrize("path", ["env.SHOP_URL", "env.REDIS_URL", "env.MORE.API_TOKEN"])
@pytest.mark.parametrize("form", ["{{%s}}", "a {{ %s | upper }}", "{%% if %s %%}a{%% endif %%}"])
def test_a_template_that_asks_for_a_secret_is_told_what_to_do(path: str, form: str) -> None:
    key = path.rpartition(".")[2]
    with pytest.raises(InputRefused) as refused:
        call(node("a", "anything", inputs={"value": form % path}), env=SECRETS)
    assert f"templates are not given the secret {key!r}" in refused.value.what
    assert "Name the connection in the node's config" in refused.value.remedy
    assert "planted" not in str(refused.value)


def test_a_condition_that_asks_for_a_secret_is_told_so_and_may_have_another_value() -> None:
    with pytest.raises(InputRefused, match="templates are not given the secret 'SHOP_URL' in env"):
        call(node("a", "anything", when="env.SHOP_URL == ''"), env=SECRETS)
    value = {"shop": "{{env.SHOP_URL | default('-')}}", "all": "{{env}}"}
    given = call(node("a", "anything", inputs={"value": value}), env=SECRETS)
    assert given["value"] == {"shop": "-", "all": {**ENV, "MORE": {}}}
