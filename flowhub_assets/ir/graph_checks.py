"""Checks of a pipeline's graph: its tasks, their names, what each needs and comes after."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from flowhub_assets import names
from flowhub_assets.ir.pipeline import FLOW_INPUT, LOOP_ITEM, Edge, Pipeline, Source, Task
from flowhub_assets.ir.problem import Problem
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.ir.task_tree import Level, all_tasks, levels, noun, told, waits_for

#: Names become parts of file names and object keys, whose parts hold 255 bytes.
_LONGEST_NAME = 200
_NAME = re.compile(r"\w[\w.-]*")


def has_tasks(pipeline: Pipeline) -> Iterator[Problem]:
    """A pipeline has a task."""
    if not pipeline.tasks:
        yield Problem(
            f"flow {pipeline.name!r} calls no task" if pipeline.function else f"pipeline {pipeline.name!r} has no task",
            pipeline.source,
            "there is nothing to run",
            "call a function with @task in its body: return step1(args)" if pipeline.function else "give it a node",
        )


def names_are_legal(pipeline: Pipeline) -> Iterator[Problem]:
    """A name can stand in a file name, an object key and a command line."""
    yield from _name_fault("flow" if pipeline.function else "pipeline", pipeline.name, pipeline.source)
    for task in all_tasks(pipeline):
        yield from _name_fault(noun(task), task.name, task.source)


#: Where each kind of name is written.
_WRITTEN = {"flow": "@flow(name='...')", "task": "@task(name='...')", "pipeline": "metadata.name", "node": "id"}


def _name_fault(kind: str, name: str, where: Source) -> Iterator[Problem]:
    remedy = f"write {_WRITTEN[kind]} with letters, digits, '_', '-' and '.'; description takes any text"
    if not name:
        yield Problem(f"the name of a {kind} is empty", where, remedy=remedy)
    elif len(name.encode("utf-8", "surrogatepass")) > _LONGEST_NAME:
        what = f"the name of {kind} {name[:40] + '...'!r} is longer than {_LONGEST_NAME} bytes"
        yield Problem(what, where, "it does not fit into a file name", remedy)
    elif not _NAME.fullmatch(name):
        yield Problem(f"{name!r} cannot be the name of a {kind}", where, "it names files and objects", remedy)


def names_stay_apart(pipeline: Pipeline) -> Iterator[Problem]:
    """No two tasks have one name, nor names that become one in Dagster; those inside loops count too."""
    tasks = all_tasks(pipeline)
    for first, second in names.collisions([task.name for task in tasks]):
        owner = [task for task in tasks if task.name == second][-1]
        plural = f"{noun(owner)}s"
        same = f"two {plural} are named" if first == second else f"{plural} {first!r} and"
        became = "" if first == second else f" both become {names.dagster_name(first)!r} in Dagster"
        yield Problem(
            f"{same} {second!r}{became}",
            owner.source,
            "their values would overwrite each other",
            "give one of them another id"
            if owner.node is not None
            else "give one of them another name: @task(name='...'), or function.named('...') in the flow",
        )


def needs_exist(pipeline: Pipeline) -> Iterator[Problem]:
    """What a task needs, and what the pipeline gives back, is a task of the pipeline or its input."""
    everywhere = {task.name for task in all_tasks(pipeline)}
    for level in levels(pipeline):
        known = [*(task.name for task in level.tasks), *level.outer]
        for task in level.tasks:
            for need in task.needs:
                if need not in known:
                    yield _unknown_need(task, need, level, known, need in everywhere)
    known = [task.name for task in pipeline.tasks]
    for name in pipeline.result:
        if name != FLOW_INPUT and name not in known:
            hint = did_you_mean(name, known) or f"the tasks are {listed(known)}"
            yield Problem(f"the result names {name!r}, which is not a task", pipeline.source, remedy=hint)


def _unknown_need(task: Task, need: str, level: Level, known: Sequence[str], exists: bool) -> Problem:
    if need == LOOP_ITEM:
        remedy = "put it into a loop's own tasks, or let it need something else"
        return Problem(f"{told(task)} needs a loop's item outside of any loop", task.source, remedy=remedy)
    if exists and level.owner is not None:
        what = f"{told(task)} needs {need!r}, which its loop {level.owner.name!r} does not need"
        remedy = f"let {level.owner.name!r} need it too: what runs inside waits for what the loop waits for"
        return Problem(what, task.source, "it is not sure to have run before the loop begins", remedy)
    if exists:
        what = f"{told(task)} needs {need!r}, which runs inside a loop or at the end of a run"
        return Problem(what, task.source, "it has no single value here", "take the value of the loop itself")
    plain = [name for name in known if name not in (FLOW_INPUT, LOOP_ITEM)]
    hint = did_you_mean(need, plain) or f"the {noun(task)}s are {listed(plain)}"
    return Problem(f"{told(task)} needs {need!r}, which is not a {noun(task)}", task.source, remedy=hint)


def edges_exist(pipeline: Pipeline) -> Iterator[Problem]:
    """What a task comes after is a task beside it, and a port that this one has."""
    for level in levels(pipeline):
        known = {task.name: task for task in level.tasks}
        for task in level.tasks:
            for edge in task.after:
                yield from _edge_fault(task, edge, known)


def _edge_fault(task: Task, edge: Edge, known: Mapping[str, Task]) -> Iterator[Problem]:
    before = known.get(edge.task)
    if before is None:
        hint = did_you_mean(edge.task, known) or f"the {noun(task)}s beside it are {listed(known)}"
        yield Problem(f"{told(task)} comes after {edge.task!r}, which is not a {noun(task)}", task.source, remedy=hint)
    elif edge.port is not None and edge.port not in before.ports:
        what = f"{told(task)} comes after the port {edge.port!r} of {edge.task!r}, which it does not have"
        near = did_you_mean(edge.port, before.ports)
        remedy = near or f"the ports of {edge.task!r} are {listed(map(repr, before.ports))}"
        if not before.ports:
            remedy = f"leave the port out: {edge.task!r} decides nothing"
        yield Problem(what, task.source, f"{told(task)} would never run", remedy)


def has_no_cycle(pipeline: Pipeline) -> Iterator[Problem]:
    """No task waits for itself, directly or through others."""
    for level in levels(pipeline):
        known = {task.name: task for task in level.tasks}
        path = find_cycle({task.name: waits_for(task) for task in level.tasks})
        if path:
            yield Problem(
                f"{noun(known[path[0]])}s need each other in a circle: {' -> '.join(path)}",
                known[path[0]].source,
                "none of them could start",
                "take one of these inputs or edges away",
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
    """Each task stands after all that it waits for."""
    for level in levels(pipeline):
        known = {task.name for task in level.tasks}
        if find_cycle({task.name: waits_for(task) for task in level.tasks}):
            continue  # no order exists: has_no_cycle says so
        seen: set[str] = set()
        for task in level.tasks:
            for name in waits_for(task):
                if name in known and name not in seen:
                    how = "needs" if name in task.needs else "comes after"
                    what = f"{told(task)} stands before {name!r}, which it {how}"
                    yield Problem(what, task.source, remedy=f"put {name!r} first")
            seen.add(task.name)


def failure_task_takes_the_input(pipeline: Pipeline) -> Iterator[Problem]:
    """The failure task needs no other task: none of them is sure to have run."""
    task = pipeline.failure_task
    if task and (task.needs != (FLOW_INPUT,) or task.after):
        needed = task.needs if task.needs != (FLOW_INPUT,) else tuple(edge.task for edge in task.after)
        yield Problem(
            f"the failure {told(task)} needs {listed(needed)}",
            task.source,
            "after a failure no task is sure to have an output",
            "let it take one parameter, args: the flow's input with failed_task, error, error_type and traceback"
            if task.node is None
            else "let it use params, variables and failure alone: failure.error, failure.failed_task",
        )


def final_tasks_take_the_input(pipeline: Pipeline) -> Iterator[Problem]:
    """What runs at the end of each run needs no other task: it also runs when some of them have failed."""
    for task in pipeline.finally_tasks:
        needed = waits_for(task)
        if needed:
            yield Problem(
                f"the final {told(task)} needs {listed(map(repr, needed))}",
                task.source,
                "it runs at the end, also when the run has failed and nothing is there to take",
                "let it use params, variables and failure alone, or make it one of the pipeline's own tasks",
            )


CHECKS = (
    has_tasks,
    names_are_legal,
    names_stay_apart,
    needs_exist,
    edges_exist,
    has_no_cycle,
    stands_in_order,
    failure_task_takes_the_input,
    final_tasks_take_the_input,
)
