"""How a kind's ``execute`` wants to be called, found out once."""

from __future__ import annotations

import inspect
import weakref
from dataclasses import dataclass

from flowhub_assets.errors import DefinitionError
from flowhub_assets.nodes.sdk import Node

_known: weakref.WeakKeyDictionary[type[Node], Execution] = weakref.WeakKeyDictionary()


@dataclass(frozen=True)
class Execution:
    """``context`` is the name of the parameter that takes the NodeContext, None if there is none."""

    is_async: bool
    context: str | None


def execution_of(kind: type[Node]) -> Execution:
    """How to call ``execute`` of ``kind``. Raises DefinitionError if it cannot be called as one."""
    if kind not in _known:
        _known[kind] = _inspect(kind)
    return _known[kind]


def place_of(kind: type[Node]) -> str:
    """``file:line`` of the class, as far as Python knows it."""
    file = file_of(kind)
    try:
        return f"{file}:{inspect.getsourcelines(kind)[1]}"
    except (OSError, TypeError):
        return file


def file_of(kind: type) -> str:
    """The file of the class: that of its own functions, for its module may not be importable any more."""
    for value in vars(kind).values():
        code = getattr(inspect.unwrap(value) if callable(value) else value, "__code__", None)
        if code is not None:
            return str(code.co_filename)
    try:
        return inspect.getfile(kind)
    except (OSError, TypeError):
        return kind.__module__


def _inspect(kind: type[Node]) -> Execution:
    execute = getattr(kind, "execute", None)
    if not inspect.isfunction(execute):
        raise _wrong(kind, f"{kind.__name__} has no method execute")
    if inspect.isgeneratorfunction(execute) or inspect.isasyncgenfunction(execute):
        raise _wrong(kind, f"execute of {kind.__name__} has a yield in it")
    parameters = list(inspect.signature(execute).parameters.values())[1:]
    if not parameters or parameters[0].kind not in (
        inspect.Parameter.POSITIONAL_ONLY,
        inspect.Parameter.POSITIONAL_OR_KEYWORD,
    ):
        raise _wrong(kind, f"execute of {kind.__name__} takes no input")
    context = next((one.name for one in parameters[1:] if _is_context(one)), None)
    for one in parameters[1:]:
        required = one.default is inspect.Parameter.empty and one.kind not in (
            inspect.Parameter.VAR_POSITIONAL,
            inspect.Parameter.VAR_KEYWORD,
        )
        if required and one.name != context:
            raise _wrong(kind, f"execute of {kind.__name__} takes {one.name!r}, which nobody gives it")
    return Execution(inspect.iscoroutinefunction(execute), context)


def _is_context(parameter: inspect.Parameter) -> bool:
    annotation = parameter.annotation
    text = annotation if isinstance(annotation, str) else getattr(annotation, "__name__", "")
    return parameter.kind not in (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD) and (
        parameter.name == "context" or text.rpartition(".")[2] == "NodeContext"
    )


def _wrong(kind: type[Node], what: str) -> DefinitionError:
    return DefinitionError(
        what,
        where=place_of(kind),
        effect="nodes of this kind cannot run",
        remedy="write async def execute(self, input: Input) -> Output, and after input context, if it needs one",
    )
