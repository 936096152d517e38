"""Checks of a pipeline's graph: its tasks, their names and what each needs."""

from __future__ import annotations

import re
from collections.abc import Iterator

from flowhub_assets import names
from flowhub_assets.ir.pipeline import FLOW_INPUT, Pipeline, Source, Task
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed

#: Names become parts of file names and object keys, whose parts hold 255 bytes.
_LONGEST_NAME = 200
_NAME = re.compile(r"\w[\w.-]*")


def has_tasks(pipeline: Pipeline) -> Iterator[Problem]:
    """A pipeline has a task."""
    if not pipeline.tasks:
        yield Problem(
            f"flow {pipeline.name!r} calls no task",
            pipeline.source,
            "there is nothing to run",
            "call a function with @task in its body: return step1(args)",
        )


def names_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A name can stand in a file name, an object key and a command line."""
    yield from _name_fault("flow", pipeline.name, pipeline.source)
    for task in all_tasks(pipeline):
        yield from _name_fault("task", task.name, task.source)


def _name_fault(kind: str, name: str, where: Source) -> Iterator[Problem]:
    remedy = f"write @{kind}(name='...') with letters, digits, '_', '-' and '.'; description= takes any text"
    if not name:
        yield Problem(f"the name of a {kind} is empty", where, remedy=remedy)
    elif len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        what = f"the name of {kind} {name[:40] + '...'!r} is longer than {_LONGEST_NAME} bytes"
        yield Problem(what, where, "it does not fit into a file name", remedy)
    elif not _NAME.fullmatch(name):
        yield Problem(f"{name!r} cannot be the name of a {kind}", where, "it names files and objects", remedy)


def names_stay_apart(pipeline: Pipeline) -> Iterator[Problem]:
    """No two tasks have one name, nor names that become one in Dagster."""
    tasks = all_tasks(pipeline)
    for first, second in names.collisions([task.name for task in tasks]):
        owner = [task for task in tasks if task.name == second][-1]
        same = "two tasks are named" if first == second else f"tasks {first!r} and"
        became = "" if first == second else f" both become {names.dagster_name(first)!r} in Dagster"
        yield Problem(
            f"{same} {second!r}{became}",
            owner.source,
            "their values would overwrite each other",
            "give one of them another name: @task(name='...'), or function.named('...') in the flow",
        )


def needs_exist(pipeline: Pipeline) -> Iterator[Problem]:
    """What a task needs, and what the pipeline gives back, is a task of the pipeline or its input."""
    known = {task.name: task for task in pipeline.tasks}
    for task in pipeline.tasks:
        for need in task.needs:
            if need != FLOW_INPUT and need not in known:
                hint = did_you_mean(need, known) or f"the tasks are {listed(known)}"
                yield Problem(f"task {task.name!r} needs {need!r}, which is not a task", task.source, remedy=hint)
    for name in pipeline.result:
        if name != FLOW_INPUT and name not in known:
            hint = did_you_mean(name, known) or f"the tasks are {listed(known)}"
            yield Problem(f"the result names {name!r}, which is not a task", pipeline.source, remedy=hint)


def has_no_cycle(pipeline: Pipeline) -> Iterator[Problem]:
    """No task needs itself, directly or through others."""
    path = find_cycle({task.name: task.needs for task in pipeline.tasks})
    if path:
        yield Problem(
            f"tasks need each other in a circle: {' -> '.join(path)}",
            pipeline.task(path[0]).source,
            "none of them could start",
            "take one of these inputs away",
        )


def find_cycle(needs: dict[str, tuple[str, ...]]) -> list[str]:
    """The names on one circle in the direction in which values flow, its first name again at the end; [] if none."""
    done: set[str] = set()
    for start in needs:
        path: dict[str, None] = {}  # in order, and quick to look into
        ahead = [iter((start,))]
        while ahead:
            name = next(ahead[-1], None)
            if name is None:
                ahead.pop()
                if path:
                    done.add(path.popitem()[0])
            elif name in path:
                names_on_path = list(path)
                return [*names_on_path[names_on_path.index(name) :], name][::-1]
            elif name in needs and name not in done:
                path[name] = None
                ahead.append(iter(needs[name]))
    return []


def stands_in_order(pipeline: Pipeline) -> Iterator[Problem]:
    """Each task stands after all that it needs."""
    known = {task.name for task in pipeline.tasks}
    if find_cycle({task.name: task.needs for task in pipeline.tasks}):
        return  # no order exists: has_no_cycle says so
    seen = {FLOW_INPUT}
    for task in pipeline.tasks:
        for need in task.needs:
            if need in known and need not in seen:
                what = f"task {task.name!r} stands before {need!r}, which it needs"
                yield Problem(what, task.source, remedy=f"put {need!r} first")
        seen.add(task.name)


def failure_task_takes_the_input(pipeline: Pipeline) -> Iterator[Problem]:
    """The failure task needs no other task: none of them is sure to have run."""
    task = pipeline.failure_task
    if task and task.needs != (FLOW_INPUT,):
        yield Problem(
            f"the failure task {task.name!r} needs {listed(task.needs)}",
            task.source,
            "after a failure no task is sure to have an output",
            "let it take one parameter, args: the flow's input with failed_task, error, error_type and traceback",
        )


def all_tasks(pipeline: Pipeline) -> list[Task]:
    """The tasks and, if there is one, the failure task after them."""
    return [*pipeline.tasks, *([pipeline.failure_task] if pipeline.failure_task else [])]


CHECKS = (
    has_tasks,
    names_are_legal,
    names_stay_apart,
    needs_exist,
    has_no_cycle,
    stands_in_order,
    failure_task_takes_the_input,
)
