"""All the tasks of a pipeline: those of its graph, those inside its loops, and those that end a run."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Optional

from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Pipeline, Task


@dataclass(frozen=True)
class Level:
    """Tasks that may need each other: a pipeline's own, or those of the loop of ``owner``.

    ``outer`` names what they may need beside: the flow's input, and in a loop its item and what its owner needs.
    """

    tasks: tuple[Task, ...]
    outer: tuple[str, ...]
    owner: Optional[Task] = None


def all_tasks(pipeline: Pipeline) -> list[Task]:
    """The tasks, each followed by those of its loop; behind them the failure task and those that run at the end."""
    ends = [pipeline.failure_task] if pipeline.failure_task else []
    return list(with_nested((*pipeline.tasks, *ends, *pipeline.finally_tasks)))


def with_nested(tasks: tuple[Task, ...]) -> Iterator[Task]:
    """The tasks, each followed by those of its loop."""
    ahead = list(tasks[::-1])
    while ahead:
        task = ahead.pop()
        yield task
        if task.loop is not None:
            ahead.extend(task.loop.tasks[::-1])


def with_env(pipeline: Pipeline, env_of: Callable[[Task], Mapping[str, Any]]) -> Pipeline:
    """``pipeline`` with other ``env`` for its tasks, nested ones too: what ``env_of`` gives for each."""
    return with_changed_tasks(pipeline, lambda task: replace(task, env=env_of(task)))


def with_changed_tasks(pipeline: Pipeline, change: Callable[[Task], Task]) -> Pipeline:
    """``pipeline`` with what ``change`` makes of each task, nested ones first."""

    def changed(task: Task) -> Task:
        loop = replace(task.loop, tasks=tuple(map(changed, task.loop.tasks))) if task.loop is not None else None
        return change(replace(task, loop=loop))

    return replace(
        pipeline,
        tasks=tuple(map(changed, pipeline.tasks)),
        failure_task=changed(pipeline.failure_task) if pipeline.failure_task is not None else None,
        finally_tasks=tuple(map(changed, pipeline.finally_tasks)),
    )


def levels(pipeline: Pipeline) -> list[Level]:
    """The pipeline's own tasks, and each loop's, the outer level before the inner one."""
    found = [Level(pipeline.tasks, (FLOW_INPUT,))]
    for task in all_tasks(pipeline):
        if task.loop is not None:
            outer = (LOOP_ITEM, *(need for need in task.needs if need not in (FLOW_INPUT, LOOP_ITEM)), FLOW_INPUT)
            found.append(Level(task.loop.tasks, outer, task))
    return found


def waits_for(task: Task) -> tuple[str, ...]:
    """The tasks that must have ended before ``task`` starts, each once: those that it needs or comes after."""
    names = (*task.needs, *(edge.task for edge in task.after))
    return tuple(dict.fromkeys(name for name in names if name not in (FLOW_INPUT, LOOP_ITEM)))


def told(task: Task) -> str:
    """``node 'x'`` or ``task 'x'``: the word that its writer knows it by."""
    return f"{noun(task)} {task.name!r}"


def noun(task: Task) -> str:
    """``node`` where a pipeline file wrote it, ``task`` where Python did."""
    return "task" if task.node is None else "node"
