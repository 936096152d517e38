"""The bodies of a file's tasks that are Python functions: imported when they run, in a process of their own."""

from __future__ import annotations

import functools
import operator
from typing import Any

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.branching import port_of
from flowhub_assets.from_python.mapping import items_body
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.runtime.step import Body


def function_bodies(pipeline: Pipeline) -> dict[str, Body]:
    """A body for each task that names a function of a workflow file, or maps one over a list."""
    return {task.name: _body(task) for task in all_tasks(pipeline) if task.node is None}


def _body(task: Task) -> Body:
    if task.loop is not None:
        return items_body(task.name, task.loop.over, task.source)
    return functools.partial(_call, task)


def _call(task: Task, *args: Any) -> Any:
    from flowhub_assets.from_python.loading import load_module

    module = load_module(task.source.file)
    try:
        function = operator.attrgetter(task.function)(module)
    except AttributeError:
        known = [name for name, value in vars(module).items() if callable(value)]
        raise DefinitionError(
            f"there is no function {task.function!r}",
            where=task.source.file,
            effect=f"node {task.name!r} has nothing to do",
            remedy=did_you_mean(task.function, known) or "write the name of one of its functions",
        ) from None
    # A function with @task runs as it is; what the decorator says of it is in the pipeline's own file.
    from flowhub_assets.from_python.typed_tasks import typed_body

    returned = typed_body(getattr(function, "function", function), task.name)(*args)
    if not task.ports:
        return returned
    return {"port": port_of(returned, task.ports, task.name, task.source, args)}
