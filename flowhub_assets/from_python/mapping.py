"""``task.map(value, over="items")``: a task once for each item of a list that is known only when the flow runs."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NoReturn

from flowhub_assets.errors import DefinitionError, ValueRefused
from flowhub_assets.from_python import options
from flowhub_assets.from_python.conditional import Conditional, may_run
from flowhub_assets.from_python.trace import Graph
from flowhub_assets.from_python.traced import Traced
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.pipeline import LOOP_ITEM, Loop, Source, Task
from flowhub_assets.ir.spelling import did_you_mean, listed

if TYPE_CHECKING:
    from flowhub_assets.from_python.task import TaskFunction

_MOST_KEYS_TOLD = 20


def map_in_flow(
    graph: Graph, function: TaskFunction, values: tuple[object, ...], over: str, max_concurrent: int, most: int
) -> Traced:
    """Notes the looping task, with one task inside that runs the user's function on each item."""
    graph.require_new(function)
    taken, after = graph.taken(function.name, values)
    inner = function.as_task((LOOP_ITEM,), True)
    inner = replace(inner, name=f"{function.name}.each")
    where = caller()
    loop = Loop(over, (inner,), inner.name, into=over, max_concurrent=max_concurrent, most=most)
    looping = Task(
        function.name,
        graph.merged_needs(taken),
        where,
        description=inner.description,
        priority=inner.priority,
        run_on="engine",  # it only hands out the items of a list that it is given
        after=after,
        loop=loop,
    )
    return graph.add(looping, {looping.name: items_body(looping.name, over, where), inner.name: function.body})


def map_plain(function: TaskFunction, values: tuple[Any, ...], over: str, most: int, where: Source) -> dict[str, Any]:
    """What the map gives for plain dicts, outside a flow's body: the function is called here, item by item."""
    if not may_run(values):
        return Conditional.skipped()
    args = {key: value for one in values for key, value in one.items()}
    env = {"env": args["env"]} if "env" in args else {}
    items = loop_items(function.name, over, args, where)
    if len(items) > most:
        raise ValueRefused(f"task {function.name!r} maps over {len(items)} items, more than its most={most}")
    return {over: [function.called({**item, **env}) for item in items]}


def items_body(name: str, over: str, where: Source) -> Callable[[Mapping[str, Any]], dict[str, Any]]:
    """The body of the looping task: what each item's function is to take."""

    def body(args: Mapping[str, Any]) -> dict[str, Any]:
        return {"items": loop_items(name, over, args, where)}

    return body


def loop_items(name: str, over: str, args: Mapping[str, Any], where: Source) -> list[dict[str, Any]]:
    """One dict for each item of ``args[over]``: the other args, ``item``, and its ``index`` from 0.

    Raises ValueRefused if there is no list under that key.
    """
    rest = {key: value for key, value in args.items() if key not in (over, "env")}
    if over not in args:
        _refuse_missing(name, over, list(rest), where)
    if not isinstance(args[over], (list, tuple)):
        raise ValueRefused(
            f"task {name!r} maps over {over!r}, which is a {type(args[over]).__name__}, not a list",
            where=where,
            effect="There are no items to run it on.",
            remedy=f"Let the task before it give a list: return {{**args, {over!r}: [...]}}.",
        )
    return [{**rest, "item": item, "index": index} for index, item in enumerate(args[over])]


def _refuse_missing(name: str, over: str, has: list[str], where: Source) -> NoReturn:
    near = did_you_mean(over, has)
    shown = listed(has[:_MOST_KEYS_TOLD]) + (" and more" if len(has) > _MOST_KEYS_TOLD else "")
    raise ValueRefused(
        f"task {name!r} maps over {over!r}, which its args do not have",
        where=where,
        effect=f"They have {shown}.",
        remedy=near or f"Let the task before it give a list: return {{**args, {over!r}: [...]}}.",
    )


def checked_words(function: TaskFunction, over: object, max_concurrent: object, most: object) -> tuple[str, int, int]:
    """The words of ``map`` in their types. Raises DefinitionError, also if the function cannot take one dict."""
    if function.parameters.required > 1:
        names = function.parameters.names
        raise DefinitionError(
            f"task {function.name!r} is mapped and has {len(names)} parameters: {', '.join(names)}",
            where=caller(),
            effect="it is given one dict for each item",
            remedy=f"write def {function.__name__}(args): and read args['item'] and the other args from it",
        )
    if not isinstance(over, str) or not over:
        raise options.wrong("over", over, f"the key of the list: {function.__name__}.map(args, over='items')")
    return (
        over,
        options.whole_number("max_concurrent", max_concurrent, 4),
        options.whole_number("most", most, 1000),
    )
