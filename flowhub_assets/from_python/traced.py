"""The values of a flow's body: they stand for what tasks will return, and can only be handed on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NoReturn

from flowhub_assets.errors import TracingError
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.pipeline import FLOW_INPUT, Edge

if TYPE_CHECKING:
    from flowhub_assets.from_python.trace import Graph

_EFFECT = "the body runs once, to find which task needs which; no task has run yet, so no value is known"
_INSIDE = "do it inside a task: def my_task(args): ..."


class Traced:
    """What the tasks ``names`` will return, merged left to right, in the body of the flow that ``graph`` belongs to.

    With ``edges`` it is a branch of a choice: it is there only if one of them is live. Whatever would need the
    value itself raises TracingError with the user's line and what to write instead.
    """

    __slots__ = ("edges", "graph", "names")
    graph: Graph
    names: tuple[str, ...]
    edges: tuple[Edge, ...]

    def __init__(self, graph: Graph, names: tuple[str, ...], edges: tuple[Edge, ...] = ()) -> None:
        object.__setattr__(self, "graph", graph)
        object.__setattr__(self, "names", names)
        object.__setattr__(self, "edges", edges)

    def __repr__(self) -> str:
        return f"<{described(self.names)}, known when the flow runs>"

    # Debuggers, notebooks and copy.copy ask for these; they learn nothing and break nothing.
    def __copy__(self) -> Traced:
        return self

    def __deepcopy__(self, memo: object) -> Traced:
        return self

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise _refused(self, "pickled", f"{_INSIDE}, and store what it needs with get_storage(args['env'])")

    def __getattr__(self, name: str) -> Any:
        if name.startswith(("__", "_repr_", "_ipython_")):
            raise AttributeError(f"a traced value has no attribute {name!r}")
        if name == "get":
            raise _refused(self, "read with .get(...)", "read it inside a task: args.get('key')")
        raise _refused(self, f"asked for its attribute .{name}", f"use it inside a task: args.{name}")

    def __setattr__(self, name: str, value: object) -> NoReturn:
        raise _refused(self, f"given the attribute .{name}", "return it from a task: return {**args, 'key': value}")

    def __getitem__(self, key: object) -> NoReturn:
        raise _refused(self, f"indexed with [{key!r}]", f"read it inside the task that uses it: args[{key!r}]")

    def __setitem__(self, key: object, value: object) -> NoReturn:
        raise _refused(self, f"changed at [{key!r}]", f"return it from a task: return {{**args, {key!r}: ...}}")

    def __delitem__(self, key: object) -> NoReturn:
        raise _refused(self, f"changed at [{key!r}]", "return a dict without that key from a task")

    def keys(self) -> NoReturn:
        """What ``{**value}`` and ``dict(value)`` ask for."""
        remedy = "hand several values to one task, which takes them merged: my_task(_a, _b)"
        raise _refused(self, "unpacked or asked for its keys", remedy)


def described(names: tuple[str, ...]) -> str:
    """``the output of task 'a'`` and the like."""
    if names == (FLOW_INPUT,):
        return "the flow's input"
    return " and ".join("the flow's input" if name == FLOW_INPUT else f"the output of task {name!r}" for name in names)


def _refused(value: Traced, how: str, remedy: str) -> TracingError:
    return TracingError(
        f"{described(value.names)} is {how} in the flow's body", where=caller(), effect=_EFFECT, remedy=remedy
    )


def _refuse(how: str, remedy: str) -> Any:
    def refuse(self: Traced, *_: object, **__: object) -> NoReturn:
        raise _refused(self, how, remedy)

    return refuse


_LOOP = (
    "loop inside a task: for item in args['items']; or run a task once for each item: my_task.map(value, over='items')"
)
_CHOOSE = "decide inside a task: if args['key']: ...; or let a task choose what runs: choice = is_big.branch(value)"
_COMPUTE = "compute inside a task: def my_task(args): return {**args, 'total': args['a'] + args['b']}"
_TEXT = "make the text inside a task: def my_task(args): f\"{args['key']}\""
_WITH = "open it inside a task: def my_task(args): with open(args['path']) as file: ..."
_ASYNC = "call the task without await; inside a task, asyncio.run(...) waits"

_ARITHMETIC = (
    "neg pos abs invert add sub mul matmul truediv floordiv mod divmod pow lshift rshift and or xor"
    " radd rsub rmul rmatmul rtruediv rfloordiv rmod rdivmod rpow rlshift rrshift rand ror rxor"
    " iadd isub imul imatmul itruediv ifloordiv imod ipow ilshift irshift iand ior ixor"
)

# How each kind of use is called, what to write instead, and the methods through which Python asks for it.
REFUSED = (
    ("used as a condition (if, while, and, or, not)", _CHOOSE, "bool"),
    ("looped over or unpacked", _LOOP, "iter next reversed"),
    ("searched with 'in'", _CHOOSE, "contains"),
    ("asked for its length", _CHOOSE, "len length_hint"),
    ("put into a text", _TEXT, "str format bytes"),
    ("used as an index or a number", _COMPUTE, "index int float complex round trunc floor ceil"),
    ("used as a key of a dict or a member of a set", "use a list, or the task's name as the key", "hash"),
    ("compared", _CHOOSE, "eq ne lt le gt ge"),
    ("opened with 'with'", _WITH, "enter exit aenter aexit"),
    ("called", "call a function with @task and hand this value to it: my_task(value)", "call"),
    ("awaited", _ASYNC, "await aiter anext"),
    ("used as a path", _WITH, "fspath"),
    ("used in arithmetic", _COMPUTE, _ARITHMETIC),
)
for _how, _remedy, _methods in REFUSED:
    for _method in _methods.split():
        setattr(Traced, f"__{_method}__", _refuse(_how, _remedy))
