"""What a flow's body handles when it is called with plain dicts, in a unit test say, and only some branches run."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Mapping
from contextvars import ContextVar
from typing import Any

from flowhub_assets.runtime.step_env import env_of_step


class Conditional(dict):  # type: ignore[type-arg]  # Python 3.9 knows dict[...] as a base; the checker wants more
    """A value that is there only if its branch was taken; empty where it is not ``there``.

    With ``gate`` it is a branch of a choice itself, and so decides whether a task that takes it runs.
    """

    def __init__(self, value: Mapping[str, Any], *, there: bool, gate: bool = False) -> None:
        super().__init__(value if there else {})
        self.there = there
        self.gate = gate

    @classmethod
    def skipped(cls) -> Conditional:
        """The value of a task that was skipped."""
        return cls({}, there=False)


class FlowInput(dict):  # type: ignore[type-arg]
    """What the flow was given: it is always there, and so says nothing about whether a task runs."""


_in_flow: ContextVar[bool] = ContextVar("flowhub_in_plain_flow", default=False)


def call_flow(function: Callable[..., Any], args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> Any:
    """What the body of a flow returns for plain dicts: the outermost flow's are marked as its input."""
    if _in_flow.get():
        return function(*args, **kwargs)
    token = _in_flow.set(True)
    env = next((one["env"] for one in (*args, *kwargs.values()) if isinstance(one, Mapping) and "env" in one), None)
    try:
        with env_of_step(env) if env is not None else contextlib.nullcontext():
            return plain(function(*(FlowInput(one) if type(one) is dict else one for one in args), **kwargs))
    finally:
        _in_flow.reset(token)


def in_plain_flow() -> bool:
    """Whether the body of a flow is called with plain dicts: what its tasks return goes to other tasks."""
    return _in_flow.get()


def may_run(values: Iterable[object]) -> bool:
    """Whether a task that takes these values runs: the rule of the runtime.

    A value that may be missing decides where one of them is a branch itself; where none is, each value counts.
    """
    given = [value for value in values if not isinstance(value, FlowInput)]
    conditional = [value for value in given if isinstance(value, Conditional)]
    if any(value.gate for value in conditional):
        return any(value.there for value in conditional)
    return not given or len(conditional) < len(given) or any(value.there for value in conditional)


def is_conditional(values: Iterable[object]) -> bool:
    """Whether the output of a task that takes these values may be missing."""
    given = [value for value in values if not isinstance(value, FlowInput)]
    conditional = [value for value in given if isinstance(value, Conditional)]
    return bool(given) and (len(conditional) == len(given) or any(value.gate for value in conditional))


def plain(value: Any) -> Any:
    """The dict that the user's function is handed."""
    return dict(value) if isinstance(value, (Conditional, FlowInput)) else value
