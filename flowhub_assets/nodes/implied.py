"""What a pipeline file need not say, because it follows from the rest: shared by those who read and who write files."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

from flowhub_assets.errors import FlowhubError
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Loop, Task
from flowhub_assets.ir.placement import Placement
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.references import is_template
from flowhub_assets.nodes.sdk import Node

#: The kind of node that runs others, once for each item of a list.
LOOP = "loop"


def ends(tasks: Sequence[Task]) -> tuple[str, ...]:
    """The tasks that no other one waits for, in order: their outputs are the pipeline's result."""
    waited_for = {name for task in tasks for name in waits_for(task)}
    return tuple(task.name for task in tasks if task.name not in waited_for)


def needs(used: Iterable[str], inner: Sequence[Task], in_loop: bool) -> tuple[str, ...]:
    """What a task needs whose templates use the nodes ``used``, and which runs the tasks ``inner`` in a loop."""
    own = {task.name for task in inner}
    outside = [name for task in inner for name in task.needs if name not in own]
    given = (FLOW_INPUT, LOOP_ITEM) if in_loop else (FLOW_INPUT,)
    outer = [name for name in outside if name not in (FLOW_INPUT, LOOP_ITEM)]
    return tuple(dict.fromkeys((*given, *used, *outer)))


def run_on(kind: type[Node] | None, is_function: bool) -> str | None:
    """Where a task runs that does not say it."""
    if is_function:
        return None
    if kind is None:
        return "engine"
    # Whoever runs the task gives it the process that it wants, and so knows how many there are.
    return None if kind.own_process and kind.run_on == "engine" else kind.run_on


def placement(where: str | None) -> Placement:
    """What a task that runs there asks of the cluster if it does not say it."""
    return Placement(gpu="1") if where == "gpu" else Placement()


def ports(kind: type[Node] | None, config: Mapping[str, Any]) -> tuple[str, ...]:
    """The ports of a node with that config."""
    if kind is None:
        return ()
    try:
        return tuple(kind.ports_of(config))
    except Exception:  # noqa: BLE001 - a kind's own code, on a config that is wrong: the check of its values tells why
        return ()


def loop(config: Mapping[str, Any], inputs: Mapping[str, Any], inner: Sequence[Task]) -> Loop:
    """What the config of a node of the kind ``loop`` says; wrong values in it are left out."""
    default = Loop(over="", tasks=(), result="")
    concurrent = config.get("maxConcurrency", config.get("max_concurrency"))
    most, result = config.get("maxIterations", config.get("max_iterations")), config.get("result")
    return Loop(
        over=over(config.get("items", inputs.get("items"))),
        tasks=tuple(inner),
        result=result if isinstance(result, str) else (ends(inner) or tuple(task.name for task in inner) or ("?",))[-1],
        max_concurrent=_whole(concurrent, default.max_concurrent),
        most=_whole(most, default.most),
    )


def over(items: object) -> str:
    """How a loop's list is written: its template, or, written out, its JSON; '?' for what is none."""
    if isinstance(items, list):
        return json.dumps(items, ensure_ascii=False)
    return items if isinstance(items, str) and is_template(items) else "?"


def kind_of(name: str) -> type[Node] | None:
    """The kind of that name, or None if it cannot be had."""
    try:
        return registry.get(name)
    except (FlowhubError, ImportError):
        return None


def _whole(value: object, default: int) -> int:
    if isinstance(value, float) and value.is_integer():
        return int(value)  # JSON has one kind of number
    return value if isinstance(value, int) and not isinstance(value, bool) else default


def known_names(ids: Collection[str]) -> tuple[str, ...]:
    """Every name that some template of a pipeline with these nodes can begin with."""
    from flowhub_assets.nodes.scope import END_ROOTS, LOOP_ROOTS, ROOTS, RUN_NAMES

    return (*ids, *ROOTS, *LOOP_ROOTS, *END_ROOTS, *RUN_NAMES)
