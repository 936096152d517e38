"""One node, run without a pipeline: values checked, time bounded, stopped when its run is."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given

from flowhub_assets.errors import DefinitionError, TaskCancelled, TaskKilled, TaskTimedOut
from flowhub_assets.nodes import Node, NodeContext, NodeError, NodeInput, NodeOutput, registry, run
from flowhub_assets.nodes.running import run_node
from flowhub_assets.nodes.validation import InputRefused, OutputRefused
from flowhub_assets.runtime.show import collect_shown
from flowhub_assets.runtime.step_context import Cancellation
from flowhub_assets.runtime.user_traceback import user_traceback
from flowhub_assets_tests.json_values import SAFE_INTEGERS, json_values
from flowhub_assets_tests.nodes.kinds import Anything, Apart, Blocker, Choice, Model, Repeat, Sleeper

JSON = json_values(integers=SAFE_INTEGERS)


def until(there: Callable[[], bool]) -> None:
    end = time.monotonic() + 60
    while not there():
        assert time.monotonic() < end, "it never came"
        time.sleep(0.01)


def in_thread(call: Callable[[], Any]) -> tuple[threading.Thread, list[BaseException]]:
    raised: list[BaseException] = []

    def target() -> None:
        try:
            call()
        except BaseException as error:  # noqa: BLE001 - the test looks at it
            raised.append(error)

    thread = threading.Thread(target=target, daemon=True)
    thread.start()
    return thread, raised


def test_an_output_has_the_types_of_its_class() -> None:
    output = run(Repeat, data="하", count=2)
    assert isinstance(output, Repeat.Output)
    assert output.result == ["하", "하"]


def test_a_kind_without_config_takes_all_that_is_written_as_inputs() -> None:
    assert run_node(Repeat, {"data": "a"}, {"count": 3}) == {"result": ["a", "a", "a"]}
    with pytest.raises(InputRefused, match=r"inputs\.dat is no field"):
        run_node(Repeat, {"dat": "a"}, {"data": "b"})


@pytest.mark.parametrize("written", ["maxTokens", "max_tokens"])
def test_fields_are_written_in_both_ways_and_dumped_by_their_python_names(written: str) -> None:
    assert run_node(Model, {"model": "m", written: 7}, {}) == {"text": "m of 0", "total_tokens": 7}


def test_inputs_are_no_config_where_a_kind_has_one() -> None:
    with pytest.raises(InputRefused, match=r"config\.messages is no field"):
        run_node(Model, {"model": "m", "messages": []}, {})


@given(JSON)
def test_json_comes_out_as_it_went_in(value: Any) -> None:
    assert run_node(Anything, {}, {"value": value}) == {"value": value}


@pytest.mark.parametrize("value", [{1, 2}, object(), b"\xff"])
def test_what_json_cannot_keep_is_told(value: Any) -> None:
    class Wrong(Anything):
        """Gives what it should not."""

        def execute(self, input: Anything.Input) -> Anything.Output:
            return self.Output(value=value)

    if isinstance(value, set):
        assert sorted(run_node(Wrong, {}, {})["value"]) == [1, 2]
        return
    with pytest.raises(OutputRefused) as raised:
        run_node(Wrong, {}, {})
    assert "the Output of anything cannot be written as JSON" in str(raised.value)
    assert raised.value.retry is False


def test_a_port_that_the_kind_does_not_have_is_refused() -> None:
    assert run_node(Choice, {}, {"port": "no"}) == {"port": "no"}
    with pytest.raises(OutputRefused, match="choice chose the port 'maybe'") as raised:
        run_node(Choice, {}, {"port": "maybe"})
    assert raised.value.remedy == "Its ports are yes, no."


@pytest.mark.parametrize(
    ("given", "told"),
    [
        (None, "execute of model returned nothing, not an Output"),
        ("text", "execute of model returned a str, not an Output"),
        ({"text": "a"}, "model gave a wrong Output: output.total_tokens is missing"),
        ({"text": "a", "total_tokens": "many"}, "output.total_tokens is text, but must be a whole number"),
    ],
)
def test_a_wrong_output_is_told(given: Any, told: str) -> None:
    class Wrong(Model):
        """Returns what it should not."""

        def execute(self, input: Model.Input) -> Any:
            return given

    with pytest.raises(OutputRefused) as raised:
        run_node(Wrong, {"model": "m"}, {})
    assert told in str(raised.value)


def test_an_output_changed_after_it_was_made_is_checked_again() -> None:
    class Wrong(Model):
        """Changes its Output."""

        def execute(self, input: Model.Input) -> Model.Output:
            output = super().execute(input)
            output.total_tokens = "many"  # type: ignore[assignment]
            return output

    with pytest.raises(OutputRefused, match=r"output\.total_tokens is text"):
        run_node(Wrong, {"model": "m"}, {})


def test_a_dict_serves_as_output() -> None:
    class Short(Model):
        """Returns a dict."""

        def execute(self, input: Model.Input) -> Any:
            return {"text": "a", "total_tokens": 1}

    assert run_node(Short, {"model": "m"}, {}) == {"text": "a", "total_tokens": 1}


def test_an_async_node_runs_inside_an_event_loop_too() -> None:
    async def test_of_a_user() -> Any:
        return run(Repeat, data="a").result

    assert asyncio.run(test_of_a_user()) == ["a"]

    async def failing() -> Any:
        return run(Repeat)

    with pytest.raises(InputRefused):
        asyncio.run(failing())


def test_an_error_has_no_frames_but_the_nodes_own() -> None:
    class Breaks(Node):
        """Divides by zero."""

        name = "breaks"

        async def execute(self, input: NodeInput) -> NodeOutput:
            raise ZeroDivisionError("division by zero")

    with pytest.raises(ZeroDivisionError) as raised:
        run(Breaks)
    told = user_traceback(raised.value)
    assert "asyncio" not in told
    assert told.count("File ") == 2  # this test and execute
    assert "in execute" in told


def test_the_context_is_given_by_name_or_by_annotation() -> None:
    class ByAnnotation(Node):
        """Calls its context something else."""

        name = "by-annotation"

        class Output(NodeOutput):
            node: str
            attempt: int
            workspace: str

        async def execute(self, _: NodeInput, surroundings: NodeContext) -> Output:
            storage = surroundings.storage().name
            return self.Output(node=surroundings.node, attempt=surroundings.attempt, workspace=storage)

    class ByName(ByAnnotation):
        """Leaves the annotation out."""

        async def execute(self, _: NodeInput, *, context) -> ByAnnotation.Output:  # type: ignore[no-untyped-def,override]
            return await super().execute(_, context)

    for kind in (ByAnnotation, ByName):
        output = run(kind, context=NodeContext(node="n", profile={"WORKSPACE": "/nowhere"}, attempt=3))
        assert (output.node, output.attempt, output.workspace) == ("n", 3, "/nowhere")


def test_a_context_shows_no_value_of_the_profile() -> None:
    assert "hunter2" not in repr(NodeContext(profile={"DB_PASSWORD": "hunter2"}))


def test_a_timeout_ends_an_async_node(tmp_path: Path) -> None:
    with pytest.raises(TaskTimedOut, match=r"node 'slow' ran longer than its timeout of 0\.05 s"):
        run(Sleeper, started=str(tmp_path / "started"), context=NodeContext(node="slow", timeout=0.05))


def test_a_timeout_error_of_the_nodes_own_is_not_the_nodes_timeout() -> None:
    class Waiting(Node):
        """Gives up by itself."""

        name = "waiting"

        async def execute(self, input: NodeInput) -> NodeOutput:
            raise TimeoutError("the server did not answer")

    with pytest.raises(TimeoutError, match="the server did not answer"):
        run(Waiting, context=NodeContext(timeout=60))


def test_a_timeout_ends_a_node_that_blocks_and_its_process(tmp_path: Path) -> None:
    started = tmp_path / "started"
    with pytest.raises(TaskTimedOut, match="node 'slow' ran longer"):
        run(Blocker, started=str(started), context=NodeContext(node="slow", timeout=1))
    if started.exists():  # a loaded machine may need longer than the timeout to fork
        assert not alive(int(started.read_text()))


def test_a_node_that_blocks_runs_in_this_process_without_a_timeout() -> None:
    class WhoAmI(Node):
        """Gives its process."""

        name = "who-am-i"

        class Output(NodeOutput):
            pid: int

        def execute(self, input: NodeInput) -> Output:
            return self.Output(pid=os.getpid())

    assert run(WhoAmI).pid == os.getpid()
    assert run(WhoAmI, context=NodeContext(timeout=60)).pid != os.getpid()
    assert run_node(WhoAmI, {}, {}, NodeContext(timeout=60), alone=True)["pid"] == os.getpid()


@pytest.mark.parametrize(("kind", "timeout"), [(Sleeper, None), (Sleeper, 600), (Blocker, 600)])
def test_a_stopped_run_ends_the_node(kind: type[Node], timeout: float | None, tmp_path: Path) -> None:
    started, cancellation = tmp_path / "started", Cancellation()
    context = NodeContext(node="n", timeout=timeout, cancellation=cancellation)
    thread, raised = in_thread(lambda: run(kind, started=str(started), context=context))
    until(started.exists)
    cancellation.set()
    thread.join(60)
    assert [type(error) for error in raised] == [TaskCancelled]
    assert str(raised[0]) == "node 'n' was stopped with its run"
    pid = int(started.read_text())
    assert pid == os.getpid() or not alive(pid)


def test_a_run_that_is_stopped_already_starts_no_node(tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.set()
    with pytest.raises(TaskCancelled):
        run(Sleeper, started=str(tmp_path / "started"), context=NodeContext(cancellation=cancellation))
    assert not (tmp_path / "started").exists()


def test_a_process_of_its_own_hands_over_log_output_and_what_is_shown(
    caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    with caplog.at_level(logging.INFO, "flowhub.step"), collect_shown() as shown:
        output = run(Apart, context=NodeContext(node="n"))
    assert output.pid != os.getpid()
    assert [(record.levelname, record.getMessage()) for record in caplog.records] == [
        ("WARNING", "worked on n\nin two lines")
    ]
    assert capsys.readouterr().out == "한 줄\n"
    assert [(one.name, one.data) for one in shown] == [("size", 3)]


def test_a_node_error_crosses_the_process_border_whole() -> None:
    with pytest.raises(NodeError) as raised:
        run(Apart, then="error")
    assert (raised.value.what, raised.value.remedy, raised.value.retry) == ("the page is empty", "give it words", False)


def test_a_refused_input_crosses_it_too() -> None:
    class Wrong(Apart):
        """Returns nothing."""

        async def execute(self, input: Apart.Input, context: NodeContext) -> Any:
            return None

    with pytest.raises(OutputRefused, match="returned nothing") as raised:
        run(Wrong)
    assert raised.value.retry is False


def test_a_process_that_dies_is_told() -> None:
    with pytest.raises(TaskKilled, match="SIGKILL"):
        run(Apart, then="kill")


def test_no_file_descriptor_is_left_open() -> None:
    run(Apart)
    run(Repeat, data="a")
    before = sorted(os.listdir("/proc/self/fd"))
    for _ in range(3):
        run(Apart)
        with pytest.raises(TaskKilled):
            run(Apart, then="kill")
        run(Repeat, data="a")
    assert sorted(os.listdir("/proc/self/fd")) == before


def alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True


def test_a_registered_kind_is_run_by_its_name() -> None:
    registry.register(Repeat)
    assert run("repeat", data="ha", count=2) == run(Repeat, data="ha", count=2)


@pytest.mark.parametrize(
    ("given", "told", "remedy"),
    [
        ("repaet", "there is no kind of node 'repaet'", "did you mean 'repeat'?"),
        (Repeat(), "run was given an object of Repeat, not a kind of node", "give the class: run(Repeat, ...)"),
        (dict, "run was given the class dict, not a kind of node", "class MyNode(Node)"),
        (Node, "run was given the class Node, not a kind of node", "class MyNode(Node)"),
        (None, "run was given a NoneType, not a kind of node", "class MyNode(Node)"),
    ],
)
def test_what_is_no_kind_cannot_be_run(given: Any, told: str, remedy: str) -> None:
    registry.register(Repeat)
    with pytest.raises(DefinitionError) as refused:
        run(given)
    assert refused.value.what == told
    assert remedy in refused.value.remedy
