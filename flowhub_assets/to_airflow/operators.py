"""The tasks of a pipeline → the operators of its DAG and their edges.

A task is a pod. One that decides has a branch operator and an empty task for each port behind it. A loop is a pod that
makes the list, a mapped pod for each item, and an operator that gathers what they gave.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.pipeline import Edge, Pipeline, Task
from flowhub_assets.ir.task_tree import told, waits_for, with_nested
from flowhub_assets.names import airflow_name

#: The operator that fails where a task has failed, whatever ran after it: a run's state is that of its last tasks.
OUTCOME = "flowhub.outcome"

#: The sensor that waits for an object, where one starts the pipeline.
ARRIVAL = "flowhub.arrival"

#: Airflow's trigger rules. JOIN is the local runtime's: all has ended, nothing failed, something ran.
ALL, JOIN, SETTLED, ANY_FAILED, ENDED = (
    "all_success",
    "none_failed_min_one_success",
    "none_failed",
    "one_failed",
    "all_done",
)

#: Where a result is: the id of an operator, or {"task": id, "name": task} or {"task": id, "key": XCom key}.
Place = Any


@dataclass(frozen=True)
class Operator:
    """One operator. ``kind`` is pod, choice, port, loop, outcome or arrival; ``arguments`` are those of its function.

    A pod runs ``tasks`` as ``asks`` asks for it; ``task`` is what it is about, ``step`` what the pod is told. With
    ``over`` it is mapped over the list that this operator gives.
    """

    id: str
    kind: str
    upstream: tuple[str, ...] = ()
    rule: str = ALL
    task: Task | None = None
    asks: Task | None = None
    tasks: tuple[Task, ...] = ()
    step: Mapping[str, Any] = field(default_factory=dict)
    arguments: Mapping[str, Any] = field(default_factory=dict)
    over: str | None = None
    most_at_a_time: int = 0


def operators(pipeline: Pipeline, groups: Iterable[tuple[Task, ...]], first: Operator | None = None) -> list[Operator]:
    """The operators, each after those that it waits for; ``groups`` of several tasks share a pod.

    ``first`` is an operator that all others wait for. Raises DefinitionError for names that become one in Airflow.
    """
    graph = _Graph(pipeline)
    for group in groups:
        graph.add(group)
    made = graph.operators
    if first is not None:
        made = [first, *(one if one.upstream else replace(one, upstream=(first.id,)) for one in made)]
    return [*made, *_ends(pipeline, made, graph.failures)]


def _ends(pipeline: Pipeline, made: Sequence[Operator], failures: list[Place]) -> Iterator[Operator]:
    """on_failure, the finally tasks, and, where there are any, what keeps a failed run red."""
    waited_for = {name for one in made for name in one.upstream}
    last = tuple(one.id for one in made if one.id not in waited_for)
    everything = [one.id for one in made]
    told_of: dict[str, Any] = {"inputs": {}, "after": [], "failures": failures}
    if pipeline.failure_task is not None:
        end = _end(pipeline.failure_task, "failure", told_of)
        yield replace(end, upstream=last, rule=ANY_FAILED)
        everything.append(end.id)
    for task in pipeline.finally_tasks:
        yield replace(_end(task, "finally", told_of), upstream=tuple(everything), rule=ENDED)
    if pipeline.failure_task is not None or pipeline.finally_tasks:
        yield Operator(OUTCOME, "outcome", last, ANY_FAILED, arguments={"places": failures})


def _end(task: Task, part: str, told_of: Mapping[str, Any]) -> Operator:
    step = {"part": part, "tasks": [task.name], **told_of}
    return Operator(airflow_name(task.name), "pod", task=task, asks=task, tasks=(task,), step=step)


class _Graph:
    """The operators as they are added, and where each task's result is."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.operators: list[Operator] = []
        self.failures: list[Place] = []
        self._pipeline = pipeline
        self._place: dict[str, Place] = {}
        #: Task → the operator that has ended when the task has; (task, port) → that behind which its branch begins.
        self._end: dict[str, str] = {}
        self._port: dict[tuple[str, str], str] = {}
        self._before: dict[str, frozenset[str]] = {}
        self._may_skip: set[str] = set()
        self._meant: dict[str, str] = {OUTCOME: "the outcome of the run", ARRIVAL: "the arrival of an object"}
        for task in (pipeline.failure_task, *pipeline.finally_tasks):
            if task is not None:
                self._claim(airflow_name(task.name), told(task))

    def add(self, group: tuple[Task, ...]) -> None:
        """The operators of one task, or of several that share a pod."""
        task = group[0]
        if len(group) > 1:
            self._add_group(group)
        elif task.loop is not None:
            self._add_loop(task)
        else:
            pod = self._pod(airflow_name(task.name), "task", group)
            self._put(replace(pod, rule=self._rule(pod)), may_skip=task.when is not None)
            self._ends_at(task, pod.id, pod.id)
        for one in group:
            if one.ports:
                self._add_ports(one)

    def _pod(self, name: str, part: str, group: tuple[Task, ...]) -> Operator:
        inputs = {upstream: self._place[upstream] for upstream in self._upstream(group)}
        after = [[edge.task, edge.port] for edge in group[0].after]
        step = {"part": part, "tasks": [one.name for one in group], "inputs": inputs, "after": after}
        task = group[0]
        return Operator(name, "pod", self._edges(group), task=task, asks=task, tasks=group, step=step)

    def _add_group(self, group: tuple[Task, ...]) -> None:
        """Which of them are to run is found out in the pod."""
        pod = self._pod(f"{airflow_name(group[0].name)}.and_{len(group) - 1}_more", "group", group)
        # The pod is never skipped, but what is behind a task that is skipped in there may be.
        may_skip = any(task.when is not None or task.after for task in group)
        self._put(replace(pod, rule=SETTLED if pod.upstream else ALL), may_skip=may_skip)
        for task in group:
            self._claim(airflow_name(task.name), told(task))
            self._ends_at(task, pod.id, {"task": pod.id, "name": task.name})

    def _add_loop(self, task: Task) -> None:
        assert task.loop is not None
        name = airflow_name(task.name)
        listing = self._pod(f"{name}.list", "items", (task,))
        self._put(replace(listing, rule=self._rule(listing)), may_skip=task.when is not None)
        place = {"list": listing.id, "each": f"{name}.each"}
        inputs = {**listing.step["inputs"], f"{task.name}/items": {"task": listing.id, "key": "list"}}
        step = {**listing.step, "part": "iteration", "inputs": inputs, "after": []}
        each = replace(listing, id=place["each"], upstream=(listing.id,), rule=ALL, step=step, over=listing.id)
        self._put(replace(each, asks=_most_demanding(task), most_at_a_time=task.loop.max_concurrent))
        arguments = {"place": place, "into": task.loop.into}
        self._put(Operator(name, "loop", (listing.id, each.id), SETTLED, task, arguments=arguments))
        self.failures += [listing.id, place]
        self._ends_at(task, name, name)

    def _add_ports(self, task: Task) -> None:
        """Airflow's own branch: it skips the empty tasks of the ports that were not chosen, and what is behind them."""
        name = airflow_name(task.name)
        # A side of a Python flow's branch may be a task decide.true: the ports have longer names.
        ports = {port: airflow_name(f"{name}.choice.{airflow_name(port)}") for port in task.ports}
        arguments = {"decides": self._place[task.name], "ports": ports}
        self._put(Operator(f"{name}.choice", "choice", (self._end[task.name],), arguments=arguments))
        for port, port_id in ports.items():
            self._put(Operator(port_id, "port", (f"{name}.choice",)), f"port {port!r} of {told(task)}", may_skip=True)
            self._port[task.name, port] = port_id

    def _ends_at(self, task: Task, operator: str, place: Place) -> None:
        self._end[task.name], self._place[task.name] = operator, place
        if task.loop is None and operator not in self.failures:
            self.failures.append(operator)

    def _rule(self, operator: Operator) -> str:
        return JOIN if self._may_skip.intersection(operator.upstream) else ALL

    def _put(self, operator: Operator, meant: str = "", *, may_skip: bool = False) -> None:
        task = operator.task
        if may_skip or self._may_skip.intersection(operator.upstream):
            self._may_skip.add(operator.id)
        self._claim(operator.id, meant or (told(task) if task is not None else operator.id))
        self.operators.append(operator)
        self._before[operator.id] = frozenset(operator.upstream).union(
            *(self._before[one] for one in operator.upstream)
        )

    def _claim(self, name: str, meant: str) -> None:
        other = self._meant.setdefault(name, meant)
        if other != meant:
            raise DefinitionError(
                f"{other} and {meant} have one name in Airflow: {name!r}",
                where=self._pipeline.source,
                effect="one would hide the other",
                remedy="rename one of them",
            )

    def _behind(self, edge: Edge) -> str:
        """The operator that an edge comes from: a port's, or that which has ended when its task has."""
        return self._port.get((edge.task, edge.port or ""), self._end[edge.task])

    def _upstream(self, group: tuple[Task, ...]) -> list[str]:
        own = {task.name for task in group}
        return list(dict.fromkeys(name for task in group for name in waits_for(task) if name not in own))

    def _edges(self, group: tuple[Task, ...]) -> tuple[str, ...]:
        """What an operator waits for. What one of these has waited for anyway needs no edge of its own."""
        chosen: dict[str, None] = {}
        needed: dict[str, None] = {}
        own = {task.name for task in group}
        for task in group:
            chosen |= {
                self._port.get((one.task, one.port or ""), self._end.get(one.task, "")): None
                for one in task.after
                if one.task not in own
            }
            named = {one.task for one in task.after}
            needed |= {self._end[name]: None for name in waits_for(task) if name not in own and name not in named}
        before = frozenset().union(*(self._before[one] for one in chosen))
        return (*chosen, *(one for one in needed if one not in chosen and one not in before))


def _most_demanding(task: Task) -> Task:
    """Whose pod an iteration asks for: that of the task inside which asks for a GPU, for an image, for anything."""
    assert task.loop is not None
    inner = with_nested(task.loop.tasks)
    return max(
        inner, key=lambda one: (one.placement.gpu is not None, one.placement.image is not None, one.run_on or "")
    )
