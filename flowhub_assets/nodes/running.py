"""Runs one node: values checked, ``execute`` called with a timeout and cancellation, its Output checked.

It needs neither a pipeline nor Dagster, so that a node is tested as any function is.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import PydanticSerializationError

from flowhub_assets.errors import DefinitionError
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.event_loops import run_in_loop
from flowhub_assets.nodes.execution import execution_of
from flowhub_assets.nodes.own_process import call_in_own_process, stopped, timed_out
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeOutput
from flowhub_assets.nodes.validation import OutputRefused, ValueProblem, checked, problems_of, split_values, told

Value = TypeVar("Value")


def run_node(
    kind: type[Node],
    config: Mapping[str, Any],
    inputs: Mapping[str, Any],
    context: NodeContext | None = None,
    *,
    alone: bool = False,
) -> dict[str, Any]:
    """The node's Output as JSON, by its fields' Python names.

    ``config`` and ``inputs`` are as in a pipeline file, templates already rendered. Raises InputRefused or
    OutputRefused if they or the Output do not fit the kind, TaskTimedOut after ``context.timeout`` seconds,
    TaskCancelled if the run is stopped meanwhile, and whatever ``execute`` raises. ``alone``: this process is the
    node's own already, so that it needs no other.
    """
    context = context or NodeContext()
    for_config, for_input = split_values(kind, config, inputs)
    settings = None if kind.Config is None else checked(kind.Config, for_config, "config")
    data = checked(kind.Input, for_input, "inputs")
    execution = execution_of(kind)

    def start(own: NodeContext) -> Any:
        return kind(settings).execute(data, **({execution.context: own} if execution.context else {}))

    def in_own_process(own: NodeContext) -> dict[str, Any]:
        # Plain data crosses the process border; a user's class may not.
        return _value(kind, config, asyncio.run(start(own)) if execution.is_async else start(own))

    if context.cancelled():
        raise stopped(context)
    if not alone and (kind.own_process or (context.timeout is not None and not execution.is_async)):
        value: dict[str, Any] = call_in_own_process(in_own_process, context)
        return value
    if execution.is_async:
        return _value(kind, config, _run_async(start, context))
    return _value(kind, config, start(context))


def run(
    node: type[Node] | str,
    /,
    *,
    config: Mapping[str, Any] | None = None,
    context: NodeContext | None = None,
    **inputs: Any,
) -> Any:
    """The Output of one node, run here and now: ``run(Repeat, data="ha", count=2).result``.

    ``node`` is its class, or the name of a registered kind. It checks and runs as a pipeline does.
    ``context=NodeContext(profile={...})`` gives it a profile. Raises DefinitionError for what is no kind of node.
    """
    kind = registry.get(node) if isinstance(node, str) else _class_of_node(node)
    # What it returned is read anew from its JSON, which is what the nodes after it would get.
    return kind.Output.model_validate(run_node(kind, config or {}, inputs, context))


def _class_of_node(given: object) -> type[Node]:
    if isinstance(given, type) and issubclass(given, Node) and given is not Node:
        return given
    if isinstance(given, Node):
        what, remedy = f"an object of {type(given).__name__}", f"give the class: run({type(given).__name__}, ...)"
    else:
        what = f"the class {given.__name__}" if isinstance(given, type) else f"a {type(given).__name__}"
        remedy = 'give a class, written as class MyNode(Node): ..., or the name of a kind: run("log", ...)'
    raise DefinitionError(f"run was given {what}, not a kind of node", effect="there is nothing to run", remedy=remedy)


def _run_async(start: Callable[[NodeContext], Coroutine[Any, Any, Value]], context: NodeContext) -> Value:
    """Runs the coroutine to its end, to the end of its time, or until its run is stopped."""
    asked_to_stop = False

    async def bounded() -> tuple[list[Value], Exception | None]:
        nonlocal asked_to_stop
        loop, task = asyncio.get_running_loop(), asyncio.current_task()
        assert task is not None

        def stop() -> None:
            nonlocal asked_to_stop
            asked_to_stop = True
            with contextlib.suppress(RuntimeError):  # the loop may end at this very moment
                loop.call_soon_threadsafe(task.cancel)

        limit = asyncio.timeout(context.timeout)
        with context.cancellation.on_set(stop):
            try:
                async with limit:
                    return [await start(context)], None
            except TimeoutError as error:
                return [], timed_out(context) if limit.expired() else error
            # Handed over, not raised: the event loop's frames are no part of what went wrong.
            except Exception as error:  # noqa: BLE001 - raised below
                return [], error

    try:
        value, error = run_in_loop(bounded())
    except asyncio.CancelledError:
        if asked_to_stop:
            raise stopped(context) from None
        raise
    if error is not None:
        raise error
    return value[0]


def _value(kind: type[Node], config: Mapping[str, Any], returned: Any) -> dict[str, Any]:
    """What ``execute`` returned, checked, as JSON."""
    output = _as_output(kind, returned)
    ports, port = kind.ports_of(config), getattr(output, "port", None)
    if ports and port not in ports:
        raise OutputRefused(
            f"{kind.name} chose the port {port!r}, which it does not have",
            remedy=f"Its ports are {', '.join(ports)}.",
            retry=False,
        )
    try:
        return output.model_dump(mode="json")
    except (PydanticSerializationError, ValueError) as error:
        raise OutputRefused(
            f"the Output of {kind.name} cannot be written as JSON: {error}",
            remedy="Return text, numbers, true or false, lists and dicts of these; put files into the storage.",
            retry=False,
        ) from None


def _as_output(kind: type[Node], returned: Any) -> NodeOutput:
    # An instance is validated again: pydantic lets its fields be set to anything after it was made.
    given: Any = returned.model_dump(warnings=False) if isinstance(returned, kind.Output) else returned
    if not isinstance(given, Mapping):
        what = "nothing" if given is None else f"a {type(given).__name__}"
        raise OutputRefused(
            f"execute of {kind.name} returned {what}, not an Output",
            remedy="End it with return self.Output(...).",
            retry=False,
        )
    try:
        return kind.Output.model_validate(given)
    except ValidationError as error:
        what, _ = told(_by_python_names(kind, problems_of(kind.Output, error, given)), "output")
        raise OutputRefused(f"{kind.name} gave a wrong Output: {what}", retry=False) from None


def _by_python_names(kind: type[Node], problems: list[ValueProblem]) -> list[ValueProblem]:
    """Code reads and writes an Output by its fields' Python names, so it is told by these as well."""
    names = {info.alias: name for name, info in kind.Output.model_fields.items()}
    return [
        replace(problem, path=(names.get(str(problem.path[0]), problem.path[0]), *problem.path[1:]))
        for problem in problems
    ]
