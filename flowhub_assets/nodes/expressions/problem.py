"""What is wrong with a template or a condition, told to the person who wrote it."""

from __future__ import annotations

from collections.abc import Mapping

#: How much of a wrong value is shown.
_MOST_SHOWN = 40


class TemplateProblem(Exception):
    """``what`` is wrong at ``offset`` characters into the text, and the ``remedy`` for it, '' if none is known."""

    def __init__(self, what: str, offset: int = 0, remedy: str = "") -> None:
        super().__init__(what)
        self.what = what
        self.offset = offset
        self.remedy = remedy

    def __reduce__(self) -> tuple[type[TemplateProblem], tuple[str, int, str]]:
        # It crosses from a node's own process to its parent.
        return type(self), (self.what, self.offset, self.remedy)


class ValueAbsent(TemplateProblem):
    """A value was used that is not there. ``key`` is the step of the path that led nowhere."""

    def __init__(self, what: str, offset: int = 0, remedy: str = "", key: object = None) -> None:
        super().__init__(what, offset, remedy)
        self.key = key


def described(value: object) -> str:
    """``the text 'abc'``, ``the number 3``, ``a list``: what a message says of a value; a long text is cut."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"the number {value!r}" if isinstance(value, float) or value.bit_length() < 128 else "a huge number"
    if isinstance(value, str):
        return f"the text {value!r}" if len(value) <= _MOST_SHOWN else f"the text {value[:_MOST_SHOWN]!r}…"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return "an object" if isinstance(value, Mapping) else "a function"
