"""What a flow's body handles when it is called with plain dicts, in a unit test say, and only some branches run."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any


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


def may_run(values: Iterable[object]) -> bool:
    """Whether a task that takes these values runs: the rule of the runtime.

    A value that may be missing decides where one of them is a branch itself; where none is, each value counts.
    """
    given = list(values)
    conditional = [value for value in given if isinstance(value, Conditional)]
    if any(value.gate for value in conditional):
        return any(value.there for value in conditional)
    return not given or len(conditional) < len(given) or any(value.there for value in conditional)


def is_conditional(values: Iterable[object]) -> bool:
    """Whether the output of a task that takes these values may be missing."""
    given = list(values)
    conditional = [value for value in given if isinstance(value, Conditional)]
    return bool(given) and (len(conditional) == len(given) or any(value.gate for value in conditional))


def plain(value: Any) -> Any:
    """The dict that the user's function is handed."""
    return dict(value) if isinstance(value, Conditional) else value
