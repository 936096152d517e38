"""Runnables built from plain functions, without the decorators of from_python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Source, Task
from flowhub_assets.runtime.step import Runnable


def task_of(body: Callable[..., Any], *needs: str, **more: Any) -> Task:
    """The task of ``body``; it needs the flow's input if nothing else is said."""
    parameters = len(inspect.signature(body).parameters)
    source = Source(body.__code__.co_filename, body.__code__.co_firstlineno)
    task = Task(body.__name__, needs or (FLOW_INPUT,), source, body.__qualname__, merge=parameters == 1)
    return replace(task, **more)


def runnable(
    *steps: tuple[Task, Callable[..., Any]], failure: Callable[..., Any] | None = None, **more: Any
) -> Runnable:
    """A pipeline of these steps, in this order; its result is the last one's output."""
    tasks = tuple(task for task, _ in steps)
    bodies: dict[str, Callable[..., Any]] = {task.name: body for task, body in steps}
    settings: Mapping[str, Any] = {"result": (tasks[-1].name,), **more}
    failure_task = None
    if failure is not None:
        failure_task = task_of(failure)
        bodies[failure_task.name] = failure
    pipeline = Pipeline("by-hand", tasks, Source(__file__, 1), failure_task=failure_task, **settings)
    return Runnable(pipeline, bodies)
