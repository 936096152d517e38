"""The bodies of a file's tasks that are Python functions: imported when they run, in a process of their own."""

from __future__ import annotations

import functools
import operator
from typing import Any

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import all_tasks
from flowhub_assets.runtime.step import Body


def function_bodies(pipeline: Pipeline) -> dict[str, Body]:
    """A body for each task that names a function of a workflow file."""
    return {
        task.name: functools.partial(_call, task)
        for task in all_tasks(pipeline)
        if task.node is None and task.function and task.loop is None
    }


def _call(task: Task, *args: Any) -> Any:
    from flowhub_assets.from_python.loading import load_module

    module = load_module(task.source.file)
    try:
        function = operator.attrgetter(task.function)(module)
    except AttributeError:
        raise DefinitionError(
            f"there is no function {task.function!r}", where=task.source.file, remedy="mend task.function of the node"
        ) from None
    return getattr(function, "function", function)(*args)
