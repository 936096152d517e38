"""How a task's parameters take the values of a call."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from flowhub_assets.errors import DefinitionError
from flowhub_assets.from_python.where import caller
from flowhub_assets.ir.pipeline import Source
from flowhub_assets.ir.spelling import did_you_mean, listed


class Parameters(NamedTuple):
    """The parameters that take dicts, by name; the first ``required`` have no default; ``spread`` is for ``*args``."""

    names: tuple[str, ...]
    required: int
    spread: bool

    @classmethod
    def of(cls, function: Any, where: Source) -> Parameters:
        """Reads a function's signature. Raises DefinitionError if positional dicts cannot call it."""
        names: list[str] = []
        required = 0
        spread = False
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
                names.append(parameter.name)
                required += parameter.default is parameter.empty
            elif parameter.kind is parameter.VAR_POSITIONAL:
                spread = True
            elif parameter.kind is parameter.KEYWORD_ONLY and parameter.default is parameter.empty:
                raise DefinitionError(
                    f"{function.__name__!r} has the keyword-only parameter {parameter.name!r} without a default",
                    where=where,
                    remedy=f"write def {function.__name__}({', '.join([*names, parameter.name])}): without the *",
                )
        if not names and not spread:
            raise DefinitionError(
                f"{function.__name__!r} takes no parameter",
                where=where,
                effect="it could not be given its input",
                remedy=f"write def {function.__name__}(args): ...",
            )
        return cls(tuple(names), required, spread)

    @property
    def is_single(self) -> bool:
        """Whether there is one parameter, which takes several values merged."""
        return len(self.names) == 1 and not self.spread

    def bind(self, task: str, args: Sequence[object], kwargs: Mapping[str, object]) -> tuple[list[object], bool]:
        """The values in the order of the parameters, and whether they are to be merged into one dict.

        Raises DefinitionError for too many or too few values and for unknown names.
        """
        if not args and not kwargs:
            raise DefinitionError(
                f"task {task!r} is called without a value",
                where=caller(),
                remedy=f"hand the flow's input or another task's value to it: {task}(args)",
            )
        if self.is_single and len(args) > 1 and not kwargs:
            return list(args), True
        values = dict(zip(self.names, args))
        for name, value in kwargs.items():
            if name not in self.names or name in values:
                self._refuse_name(task, name, name in values)
            values[name] = value
        extra = list(args[len(self.names) :])
        taken = [name for name in self.names if name in values]
        missing = [name for name in self.names[: self.required] if name not in values]
        if missing or (extra and not self.spread) or taken != list(self.names[: len(taken)]):
            count = len(args) + len(kwargs)
            raise DefinitionError(
                f"task {task!r} takes {len(self.names)} inputs ({', '.join(self.names)}) but is given {count}",
                where=caller(),
                effect=f"nothing is given for {listed(missing)}" if missing else "",
                remedy="give as many as it has parameters; a function with one parameter takes several merged",
            )
        return [*(values[name] for name in taken), *extra], self.is_single

    def _refuse_name(self, task: str, name: str, twice: bool) -> None:
        what = f"task {task!r} is given {name!r} twice" if twice else f"task {task!r} has no parameter {name!r}"
        hint = "" if twice else did_you_mean(name, self.names)
        raise DefinitionError(what, where=caller(), remedy=hint or f"its parameters are {listed(self.names)}")
