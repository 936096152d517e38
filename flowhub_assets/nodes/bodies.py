"""The bodies of a pipeline's nodes: what a runner calls for each of them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any, TypeVar

from flowhub_assets.ir.pipeline import LOOP_ITEM, Pipeline, Task
from flowhub_assets.ir.pipeline import Node as WrittenNode
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.expressions.conditions import holds
from flowhub_assets.nodes.expressions.templates import TemplateProblem, render
from flowhub_assets.nodes.running import run_node
from flowhub_assets.nodes.scope import scope_of
from flowhub_assets.nodes.sdk import Node, NodeContext, NodeError
from flowhub_assets.nodes.validation import InputRefused, path_text, type_text
from flowhub_assets.nodes.verbatim import replaced, verbatim_paths
from flowhub_assets.runtime.step import Body, Skip
from flowhub_assets.runtime.step_context import current_step

Value = TypeVar("Value")
Path = tuple[str | int, ...]


def bodies_of(pipeline: Pipeline) -> dict[str, Body]:
    """A body for each task that is a node, those of loops, onFailure and finally too; its kind need not be loaded."""
    tasks = {task.name: task for task in all_tasks(pipeline)}
    return {name: NodeBody(pipeline, task, tasks) for name, task in tasks.items() if task.node is not None}


class NodeBody:
    """Takes one dict for each of the task's needs and gives the node's Output, a loop's items, or Skip.

    Raises TaskTimedOut, TaskCancelled, NodeError for what is wrong with the node's values, and what the node raises.
    """

    __slots__ = ("pipeline", "task", "tasks")

    def __init__(self, pipeline: Pipeline, task: Task, tasks: Mapping[str, Task]) -> None:
        self.pipeline = pipeline
        self.task = task
        self.tasks = tasks

    def __call__(self, *args: Mapping[str, Any]) -> dict[str, Any] | Skip:
        """Runs the node; ``args`` stand in the order of the task's needs."""
        node = self.task.node
        assert node is not None
        scope = scope_of(self.pipeline, self.task, self.tasks, dict(zip(self.task.needs, args, strict=True)))
        condition = self.task.when
        if condition is not None and not _told(lambda: holds(condition, scope, scope.keys()), ("when",)):
            return Skip(f"its condition does not hold: {condition}")
        if self.task.loop is not None:
            return {"items": _items(self.task, node, scope, _iteration(self.task, args))}
        kind = registry.get(node.type)
        return run_node(
            kind,
            _rendered_config(kind, node.config, scope),
            _rendered(node.inputs, scope, "inputs"),
            self._context(args, scope),
            alone=self.task.run_on != "engine",
        )

    def _context(self, args: tuple[Mapping[str, Any], ...], scope: Mapping[str, Any]) -> NodeContext:
        step = current_step()
        return NodeContext(
            node=self.task.name,
            profile=args[0].get("env", {}) if args else {},
            attempt=step.attempt,
            # Whoever gave the node a process of its own keeps its time, too.
            timeout=self.task.timeout if self.task.run_on == "engine" else None,
            iteration=_iteration(self.task, args),
            logger=step.log,
            cancellation=step.cancellation,
            trigger=scope["trigger"],
            holds=lambda text: _told(lambda: holds(text, scope, scope.keys()), (f"the condition {text!r}",)),
        )


def _iteration(task: Task, args: tuple[Mapping[str, Any], ...]) -> tuple[int, ...]:
    """The indexes of the items that the task works on, that of the outermost loop first; () outside of loops."""
    if LOOP_ITEM not in task.needs:
        return ()
    item = args[task.needs.index(LOOP_ITEM)]
    return (*item.get("outer", ()), item["index"])


def _items(task: Task, node: WrittenNode, scope: Mapping[str, Any], outer: tuple[int, ...]) -> list[dict[str, Any]]:
    assert task.loop is not None
    place, written = ("config", node.config) if "items" in node.config else ("inputs", node.inputs)
    items = _rendered({"items": written.get("items", task.loop.over)}, scope, place)["items"]
    if not isinstance(items, list):
        raise InputRefused(
            f"{place}.items is {type_text(items)}, but must be a list",
            remedy='Name a list, whole: items: "{{split.output.parts}}".',
            retry=False,
        )
    if len(items) > task.loop.most:
        raise InputRefused(
            f"{place}.items has {len(items):,} items, and the loop runs {task.loop.most:,} at most",
            remedy="Make the list shorter, or raise maxIterations of the loop's config.",
            retry=False,
        )
    around = {"outer": list(outer)} if outer else {}
    return [{"item": item, "index": index, **around} for index, item in enumerate(items)]


def _rendered_config(kind: type[Node], values: Mapping[str, Any], scope: Mapping[str, Any]) -> dict[str, Any]:
    """The config rendered, but for what the kind takes as it is written."""
    as_written = verbatim_paths(kind, values)
    if not as_written:
        return _rendered(values, scope, "config")
    rendered: dict[str, Any] = _rendered(replaced(values, as_written), scope, "config")
    return dict(replaced(rendered, as_written, values))


def _rendered(values: Mapping[str, Any], scope: Mapping[str, Any], told_as: str) -> dict[str, Any]:
    """``values`` with their templates rendered. Raises NodeError naming the value whose template is wrong."""
    known = scope.keys()
    try:
        rendered: dict[str, Any] = render(dict(values), scope, known)
    except TemplateProblem as problem:
        raise _refused(problem, (told_as, *_wrong_place(dict(values), scope, known))) from None
    return rendered


def _told(call: Callable[[], Value], path: Path) -> Value:
    try:
        return call()
    except TemplateProblem as problem:
        raise _refused(problem, path) from None


def _refused(problem: TemplateProblem, path: Path) -> NodeError:
    return InputRefused(f"{path_text(path)}: {problem.what}", remedy=problem.remedy, retry=False)


def _wrong_place(value: Any, scope: Mapping[str, Any], known: Collection[str]) -> Path:
    """The keys that lead to the first template in ``value`` that cannot be rendered."""
    inner: list[tuple[str | int, Any]] = []
    if isinstance(value, Mapping):
        inner = list(value.items())
    elif isinstance(value, list):
        inner = list(enumerate(value))
    for key, item in inner:
        try:
            render(item, scope, known)
        except TemplateProblem:
            return (key, *_wrong_place(item, scope, known))
    return ()
