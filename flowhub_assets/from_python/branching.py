"""``task.branch(value)``: a task that decides which of the tasks behind it run.

Its function returns True or False, or the name of a case. Whoever takes a branch, ``choice.true`` say, takes the
value that the choice was made on, and runs only where that branch was chosen.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from keyword import iskeyword
from typing import TYPE_CHECKING, Any, NoReturn

from flowhub_assets.errors import DefinitionError, TracingError, ValueRefused
from flowhub_assets.from_python import options
from flowhub_assets.from_python.conditional import Conditional, is_conditional, may_run, plain
from flowhub_assets.from_python.trace import Graph
from flowhub_assets.from_python.traced import REFUSED, Traced
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.pipeline import Edge, Source
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.runtime.secret_values import mask_secrets

if TYPE_CHECKING:
    from flowhub_assets.from_python.task import TaskFunction

#: The ports of a function that returns True or False.
TRUE_FALSE = ("true", "false")

#: The port of whatever else a function with cases returns.
OTHERWISE = "default"

_LONGEST_SHOWN = 60


class Choice:
    """What a deciding task decides: ``choice.true`` and ``choice.false``, or ``choice["case"]`` for each case.

    Each is a value to hand to a task. The choice itself is none: whatever would use it so raises TracingError.
    """

    __slots__ = ("_branches", "_decider")
    _branches: Mapping[str, Any]
    _decider: str

    def __init__(self, decider: str, branches: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_decider", decider)
        object.__setattr__(self, "_branches", branches)

    def __repr__(self) -> str:
        return f"<the choice of task {self._decider!r}: {listed(self._branches)}>"

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(f"a choice has no attribute {name!r}")
        return self._branch(name, f".{name}")

    def __getitem__(self, name: object) -> Any:
        return self._branch(name, f"[{name!r}]")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise _refused(self, f"given the attribute .{name}")

    def _branch(self, name: object, asked: str) -> Any:
        if isinstance(name, str) and name in self._branches:
            return self._branches[name]
        near = did_you_mean(str(name), self._branches)
        raise TracingError(
            f"the choice of task {self._decider!r} has no branch {asked}",
            where=caller(),
            effect="what it were handed to would never run",
            remedy=near or f"it has {listed(map(_written, self._branches))}",
        )


def _written(port: str) -> str:
    """How a branch is asked for: choice.true, choice["two words"]."""
    return f"choice.{port}" if port.isidentifier() and not iskeyword(port) else f"choice[{port!r}]"


def first_branch(choice: Choice) -> str:
    """How the first of its branches is asked for."""
    return _written(next(iter(choice._branches)))


def _refused(choice: Choice, how: str) -> TracingError:
    return TracingError(
        f"the choice of task {choice._decider!r} is {how} in the flow's body",
        where=caller(),
        effect="the body runs once, to find which task needs which; what is chosen is known when the flow runs",
        remedy=f"hand each branch to the task that is to run there: my_task({first_branch(choice)})",
    )


def _refuse(how: str) -> Any:
    def refuse(self: Choice, *_: object, **__: object) -> NoReturn:
        raise _refused(self, how)

    return refuse


for _how, _remedy, _methods in REFUSED:
    for _method in _methods.split():
        setattr(Choice, f"__{_method}__", _refuse(_how))


def ports_of(function: TaskFunction, cases: object) -> tuple[str, ...]:
    """The ports that the words of ``branch`` ask for. Raises DefinitionError for what are no cases."""
    if cases is None:
        return TRUE_FALSE
    named = options.texts("cases", cases, "pdf")
    if not named or "" in named:
        raise DefinitionError(
            f"task {function.name!r} branches over no case" if not named else "a case has no name",
            where=caller(),
            remedy=f"name what it may return: {function.__name__}.branch(args, cases=('pdf', 'text'))",
        )
    twice = next((case for case in named if named.count(case) > 1), None)
    if twice is not None:
        raise DefinitionError(f"the case {twice!r} is named twice", where=caller(), remedy="name each case once")
    return named if OTHERWISE in named else (*named, OTHERWISE)


def branch_in_flow(graph: Graph, function: TaskFunction, ports: tuple[str, ...], values: Any, merge: bool) -> Choice:
    """Notes the deciding task; each branch is the value that it decides on, behind one of its ports."""
    graph.require_new(function)
    taken, after = graph.taken(function.name, values)
    task = function.as_task(graph.needs(function, taken, merge), merge)
    graph.add(replace(task, ports=ports, after=after), {task.name: deciding_body(function, ports)})
    names = graph.merged_needs(taken)
    return Choice(task.name, {port: Traced(graph, names, (Edge(task.name, port),)) for port in ports})


def branch_plain(function: TaskFunction, ports: tuple[str, ...], values: tuple[Any, ...]) -> Choice:
    """The choice for plain dicts, outside a flow's body: the branch not taken is empty, and its tasks are skipped."""
    chosen = ""
    if may_run(values):
        given = [plain(value) for value in values]
        one = function.parameters.is_single and len(given) > 1
        returned = function.called(_merged(given)) if one else function.called(*given)
        chosen = port_of(returned, ports, function.name, function.source, given)
    value = _merged(value for value in values if not isinstance(value, Conditional) or value.there)
    return Choice(function.name, {port: Conditional(value, there=port == chosen, gate=True) for port in ports})


def _merged(values: Any) -> dict[str, Any]:
    return {key: item for one in values for key, item in one.items()}


def call_plain(function: TaskFunction, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """A call with plain dicts of which some belong to branches: skipped, or what the function returns."""
    values = [*args, *kwargs.values()]
    if not may_run(values):
        return Conditional.skipped()
    returned = function(*map(plain, args), **{name: plain(value) for name, value in kwargs.items()})
    if is_conditional(values) and isinstance(returned, dict):
        return Conditional(returned, there=True)
    return returned


def deciding_body(function: TaskFunction, ports: tuple[str, ...]) -> Callable[..., dict[str, str]]:
    """The body of the deciding task: the user's function, and which port its answer means."""
    decide, name, where = function.body, function.name, function.source

    def body(*args: Any) -> dict[str, str]:
        return {"port": port_of(decide(*args), ports, name, where, args)}

    return body


def port_of(returned: Any, ports: tuple[str, ...], name: str, where: Source, args: Any = ()) -> str:
    """The port that ``returned`` means. Raises ValueRefused, naming what may be returned, if it means none."""
    answer = returned.item() if type(returned).__module__ == "numpy" and hasattr(returned, "item") else returned
    if isinstance(answer, str) and answer in ports:
        return answer
    if ports == TRUE_FALSE:
        if isinstance(answer, bool):
            return "true" if answer else "false"
        legal, remedy = "True or False", "Return True or False; names of cases are told by branch(..., cases=(...))."
    else:
        if answer is None or isinstance(answer, str):
            return OTHERWISE
        legal = "the name of a case"
        remedy = f"Return one of {listed(map(repr, ports[:-1]))}; any other text, or None, means {OTHERWISE!r}."
    raise ValueRefused(
        f"task {name!r} decides, and returned {_shown(returned, args)}, not {legal}",
        where=where,
        effect="No branch could be chosen.",
        remedy=remedy,
    )


def _shown(value: object, args: Any) -> str:
    if value is None or isinstance(value, (bool, int, float)):
        return repr(value)
    if not isinstance(value, str):
        return f"a {type(value).__name__}"
    env: Mapping[str, Any] = {}
    for one in args:
        env = one.get("env") or env
    text = repr(mask_secrets(value, env))
    return text if len(text) <= _LONGEST_SHOWN else f"{text[:_LONGEST_SHOWN]}..."
