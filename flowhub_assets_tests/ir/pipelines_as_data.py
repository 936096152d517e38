"""Small pipelines made by hand, and what the checks say of them."""

from __future__ import annotations

from typing import Any

from flowhub_assets.ir.checks import problems
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Loop, Pipeline, Source, Task


def task_of(name: str, *needs: str, line: int = 1, **more: Any) -> Task:
    """A task of a function; it needs the flow's input if nothing else is said."""
    return Task(name, needs or (FLOW_INPUT,), Source("flow.yaml", line), **{"function": name, **more})


def loop_of(name: str, *inner: Task, needs: tuple[str, ...] = (FLOW_INPUT,), line: int = 1, **more: Any) -> Task:
    """A looping task whose value is that of the last of its ``inner`` tasks."""
    settings = {"over": "items", "result": inner[-1].name if inner else "", **more}
    return Task(name, needs, Source("flow.yaml", line), loop=Loop(tasks=inner, **settings))


def item_task(name: str, *needs: str, **more: Any) -> Task:
    """A task of a loop."""
    return task_of(name, *(needs or (LOOP_ITEM,)), **more)


def pipeline_of(*tasks: Task, **more: Any) -> Pipeline:
    """A pipeline of these tasks, in a file flow.yaml."""
    return Pipeline("flow", tasks, Source("flow.yaml", 1), **more)


def messages(pipeline: Pipeline) -> list[str]:
    """Where and what, for each problem."""
    return [f"{problem.where}: {problem.what}" for problem in problems(pipeline)]
