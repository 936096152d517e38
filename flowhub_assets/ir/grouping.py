"""Which neighbouring light tasks become one step, where a pipeline asks for it with ``fuse``."""

from __future__ import annotations

from flowhub_assets.ir.pipeline import Pipeline, Task
from flowhub_assets.ir.task_tree import waits_for
from flowhub_assets.names import dagster_name


def groups(pipeline: Pipeline) -> list[tuple[Task, ...]]:
    """The pipeline's tasks in groups, one for each step, in an order in which each comes after what it waits for.

    A group of several holds light tasks that are linked with each other, and none waits for a task outside that
    itself waits for one of the group: the steps have no circle.
    """
    if not pipeline.fuse:
        return [(task,) for task in pipeline.tasks]
    level = _levels(pipeline)
    leader = {task.name: task.name for task in pipeline.tasks}
    for task in pipeline.tasks:
        for name in waits_for(task):
            if level[name] == level[task.name]:
                _join(leader, task.name, name)
    members: dict[str, list[Task]] = {}
    for task in pipeline.tasks:
        members.setdefault(_leader(leader, task.name), []).append(task)
    order = {task.name: number for number, task in enumerate(pipeline.tasks)}
    return [tuple(group) for group in sorted(members.values(), key=lambda g: (level[g[0].name], order[g[0].name]))]


def step_name(group: tuple[Task, ...]) -> str:
    """The name of the op of a group; a loop's list and iterations have it with __items and __each behind it."""
    name = dagster_name(group[0].name)
    return name if len(group) == 1 else f"{name}__and_{len(group) - 1}_more"


def steps_of_tasks(pipeline: Pipeline) -> dict[str, str]:
    """Each task → the op of its step."""
    found = {task.name: step_name(group) for group in groups(pipeline) for task in group}
    return found | {task.name: dagster_name(task.name) for task in pipeline.finally_tasks}


def can_fuse(task: Task) -> bool:
    """Whether a task may share its step: a light one that Dagster need not see, as it has no asset, pool or loop."""
    return task.run_on == "engine" and task.loop is None and task.asset is None and task.pool is None


def _levels(pipeline: Pipeline) -> dict[str, int]:
    """How many borders between steps lie before each task on the longest way to it."""
    level: dict[str, int] = {}
    fusable = {task.name: can_fuse(task) for task in pipeline.tasks}
    for task in pipeline.tasks:
        steps = (level[name] + (not (fusable[name] and fusable[task.name])) for name in waits_for(task))
        level[task.name] = max(steps, default=0)
    return level


def _leader(leader: dict[str, str], name: str) -> str:
    while leader[name] != name:
        leader[name] = leader[leader[name]]
        name = leader[name]
    return name


def _join(leader: dict[str, str], one: str, other: str) -> None:
    leader[_leader(leader, one)] = _leader(leader, other)
