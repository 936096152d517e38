"""Finds the graph of a flow: its body is called once with traced values, and each task notes who calls it."""

from __future__ import annotations

import re
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Callable, Optional

from flowhub_assets.errors import DefinitionError, FlowhubError, TracingError
from flowhub_assets.from_python.traced import Traced, described
from flowhub_assets.from_python.where import caller, source_of_function
from flowhub_assets.ir.pipeline import FLOW_INPUT, Edge, Source, Task
from flowhub_assets.ir.task_tree import waits_for

if TYPE_CHECKING:
    from flowhub_assets.from_python.flow import Flow
    from flowhub_assets.from_python.task import TaskFunction

_active = threading.local()


class Graph:
    """What the body of ``flow`` has called so far, in order."""

    def __init__(self, flow: Flow) -> None:
        self.flow = flow
        self.tasks: list[Task] = []
        self.bodies: dict[str, Callable[..., Any]] = {}
        self._called_at: dict[str, Source] = {}
        #: The tasks that may be skipped, and the branches that have become tasks.
        self._conditional: set[str] = set()
        self._handed_on: dict[tuple[tuple[str, ...], tuple[Edge, ...]], Traced] = {}
        self._path = [flow]
        #: The names whose outputs the flow gives back; known when the body has returned.
        self.returned: tuple[str, ...] = ()

    def call(self, function: TaskFunction, values: Sequence[object], merge: bool) -> Traced:
        """Notes one call of a task. Raises DefinitionError if a value is not traced or the task is called twice."""
        self.require_new(function)
        taken, after = self.taken(function.name, values)
        task = function.as_task(self.needs(function, taken, merge), merge)
        return self.add(replace(task, after=after), {task.name: function.body})

    def add(self, task: Task, bodies: Mapping[str, Callable[..., Any]]) -> Traced:
        """Notes a task, with the bodies of it and of what runs inside it; gives its output."""
        self.tasks.append(task)
        self.bodies.update(bodies)
        self._called_at[task.name] = caller()
        upstream = waits_for(task)
        if task.after or (upstream and all(name in self._conditional for name in upstream)):
            self._conditional.add(task.name)
        return Traced(self, (task.name,))

    def require_new(self, function: TaskFunction) -> None:
        """Raises DefinitionError if a task of that name has been called."""
        name = function.name
        if name in self._called_at:
            raise DefinitionError(
                f"task {name!r} is called twice in flow {self.flow.name!r}, first at line {self._called_at[name].line}",
                where=caller(),
                effect="two tasks of one flow cannot have one name: their values would overwrite each other",
                remedy=f"name one of the calls: {function.__name__}.named('{name}-2')(...)",
            )

    def taken(self, name: str, values: Sequence[object]) -> tuple[list[Traced], tuple[Edge, ...]]:
        """The values that task ``name`` is given, and the edges that decide whether it runs; none: its needs do.

        Where it is handed a branch beside other values that may be missing, each branch becomes a task of its own,
        which hands the value on: so what was not chosen gives nothing.
        """
        inputs = [self.checked(name, value) for value in values]
        branches = [value for value in inputs if value.edges]
        if not branches:
            return inputs, ()
        others = [one for value in inputs if not value.edges for one in value.names if one in self._conditional]
        # Where all are one branch, or are branches of one value alone, that value is what is taken whichever is chosen.
        same = {value.edges for value in branches} if len(branches) < len(inputs) else {branches[0].edges}
        if not others and len(same) == 1 and all(value.names == branches[0].names for value in branches):
            return inputs, tuple(dict.fromkeys(edge for value in branches for edge in value.edges))
        inputs = [self.handed_on(value) for value in inputs]
        ways = [*others, *(one for value, given in zip(inputs, values) if value is not given for one in value.names)]
        return inputs, tuple(Edge(one) for one in dict.fromkeys(ways))

    def handed_on(self, value: Traced) -> Traced:
        """The output of a task that gives on a branch's value; ``value`` itself if it is no branch."""
        if not value.edges:
            return value
        key = (value.names, value.edges)
        if key not in self._handed_on:
            decider = next(task for task in self.tasks if task.name == value.edges[0].task)
            ports = re.sub(r"[^\w.-]", "_", "-".join(str(edge.port) for edge in value.edges))
            same = sum(edges == value.edges for _, edges in self._handed_on)
            name = f"{decider.name}.{ports}" + (f"-{same + 1}" if same else "")
            task = Task(name, value.names, decider.source, decider.function, run_on="engine", after=value.edges)
            self._handed_on[key] = self.add(task, {name: dict})
        return self._handed_on[key]

    def merged_needs(self, inputs: Sequence[Traced]) -> tuple[str, ...]:
        """The names of all ``inputs``, merged left to right."""
        return merged(name for value in inputs for name in value.names)

    def needs(self, function: TaskFunction, inputs: Sequence[Traced], merge: bool) -> tuple[str, ...]:
        """What a call of ``function`` needs. Raises TracingError if a merged value is to be one of several."""
        if merge:
            return self.merged_needs(inputs)
        for value in inputs:
            if len(value.names) != 1:
                raise TracingError(
                    f"task {function.name!r} takes its inputs one by one, but one of them is {described(value.names)}",
                    where=caller(),
                    effect="they would have to be merged first",
                    remedy="merge them in a task with one parameter: def merge(args): return args",
                )
        return tuple(value.names[0] for value in inputs)

    def checked(self, name: str, value: object) -> Traced:
        """``value``, if it is a traced one of this flow. Raises TracingError with what to write instead."""
        if not isinstance(value, Traced):
            raise TracingError(
                f"{name!r} is given {_shown(value)} instead of the flow's input or what a task returned",
                where=caller(),
                remedy=_instead(name, value),
            )
        if value.graph is not self:
            raise TracingError(
                f"{name!r} is given a value of flow {value.graph.flow.name!r} in flow {self.flow.name!r}",
                where=caller(),
                effect="a value lives in the body that it was made in",
                remedy=f"hand it over as the flow's input: {self.flow.function.__name__}(value)",
            )
        return value

    def inline(self, flow: Flow, values: Sequence[object]) -> Traced:
        """Calls the body of another flow here: its tasks become tasks of this one."""
        if flow in self._path:
            path = " -> ".join(f.name for f in [*self._path, flow])
            raise DefinitionError(
                f"flow {flow.name!r} calls itself: {path}",
                where=caller(),
                effect="its graph would have no end",
                remedy="call the tasks that it needs, or loop inside a task",
            )
        taken, edges = self.taken(flow.name, values)
        first = len(self.tasks)
        self._path.append(flow)
        try:
            result = call_body(flow, Traced(self, self.merged_needs(taken), edges))
            return Traced(self, self.result(flow, result, first))
        finally:
            self._path.pop()

    def result(self, flow: Flow, returned: object, first: int = 0) -> tuple[str, ...]:
        """The names whose outputs ``flow`` gives back.

        Where it returned None: those of its tasks (from number ``first`` on) whose output nobody takes.
        """
        if returned is None:
            taken = {name for task in self.tasks[first:] for name in waits_for(task)}
            return tuple(task.name for task in self.tasks[first:] if task.name not in taken) or (FLOW_INPUT,)
        values = returned if isinstance(returned, (tuple, list)) else (returned,)
        if not values or not all(isinstance(value, Traced) and value.graph is self for value in values):
            raise TracingError(
                f"flow {flow.name!r} returns {_shown(returned)}",
                where=flow.source,
                remedy="return what a task returned: return _c, or return _b, _c to give both back merged",
            )
        return self.merged_needs([self.handed_on(value) for value in values])


def current() -> Optional[Graph]:
    """The graph that this thread is finding, if it is."""
    stack: list[Graph] = getattr(_active, "stack", [])
    return stack[-1] if stack else None


def trace(flow: Flow) -> Graph:
    """Calls the body of ``flow`` once. Returns the graph; raises DefinitionError for what is wrong with it."""
    for graph in getattr(_active, "stack", []):
        if graph.flow is flow:
            raise DefinitionError(
                f"flow {flow.name!r} asks for its own pipeline in its body",
                where=caller(),
                remedy="the pipeline is ready when the body has returned: ask for it outside",
            )
    graph = Graph(flow)
    with _tracing(graph):
        graph.returned = graph.result(flow, call_body(flow, Traced(graph, (FLOW_INPUT,))))
    return graph


@contextmanager
def _tracing(graph: Graph) -> Iterator[None]:
    stack: list[Graph] = _active.__dict__.setdefault("stack", [])
    stack.append(graph)
    try:
        yield
    finally:
        stack.pop()


def call_body(flow: Flow, value: Traced) -> Any:
    """What the body of ``flow`` returns for ``value``. An error of the user's code becomes a DefinitionError."""
    try:
        return flow.function(value)
    except FlowhubError:
        raise
    except (Exception, SystemExit) as error:
        from flowhub_assets.runtime.user_traceback import error_text, user_line

        text = error_text(error)
        raise DefinitionError(
            f"the body of flow {flow.name!r} raised {type(error).__name__}{': ' if text else ''}{text}",
            where=user_line(error) or source_of_function(flow.function),
            effect="its graph is not known",
            remedy="the body only calls tasks and hands their values on: move other work into a task",
        ) from error


def merged(names: Iterator[str]) -> tuple[str, ...]:
    """Each name once, at its last place: in a merge from left to right the last one wins."""
    last = list(names)[::-1]
    return tuple(dict.fromkeys(last))[::-1]


def _shown(value: object) -> str:
    from flowhub_assets.from_python.branching import Choice

    if isinstance(value, Choice):
        return repr(value)[1:-1]
    if value is None:
        return "None"
    if isinstance(value, (list, tuple)) and any(isinstance(item, Traced) for item in value):
        return f"a {type(value).__name__} of values"
    return f"a {type(value).__name__}"


def _instead(name: str, value: object) -> str:
    from flowhub_assets.from_python.branching import Choice, first_branch
    from flowhub_assets.from_python.task import TaskFunction

    if isinstance(value, Choice):
        return f"hand one of its branches to the task: {name}({first_branch(value)})"
    if isinstance(value, TaskFunction):
        return f"call it first: {name}({value.__name__}(args))"
    if value is None:
        return "a function in between forgot to return its value"
    if isinstance(value, (list, tuple)):
        return f"hand the values over one by one: {name}(*values)"
    return "put constants into @flow(params={...}) or env={...}, or write them inside the task"
