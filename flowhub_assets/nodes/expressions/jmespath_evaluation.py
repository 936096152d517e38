"""jmespath's evaluation within bounds: a line of JMESPath can ask for more than any machine has.

``[@, @] | [@, @] | ...`` doubles what it gives with every step, and a list written into the expression can be gone
through for each item of another. So what an expression makes is measured, and its time is limited.
"""

from __future__ import annotations

import time
from typing import Any

# Nobody but a json-transform node imports this module, and only when it runs.
from jmespath.parser import ParsedResult  # noqa: TID253
from jmespath.visitor import TreeInterpreter  # noqa: TID253

#: List and object entries, and characters of texts, that all steps of an evaluation may make together.
MOST_MADE_ENTRIES = 5_000_000
MOST_MADE_TEXT = 128 << 20
#: Seconds of this thread's processor time: a busy machine fails nobody.
MOST_SECONDS = 10.0

#: Steps between two looks at the clock; one step can go through all of the data.
_LOOK_EVERY = 32

#: Every other kind of step picks from what is there.
_MAKES = frozenset(("multi_select_list", "multi_select_dict", "function_expression"))


class TooMuch(Exception):
    """An expression that makes or takes more than it may; the text says of what."""


def evaluated(expression: ParsedResult, data: Any) -> Any:
    """What the expression gives of ``data``. Raises TooMuch, and what jmespath raises."""
    return _BoundedInterpreter().visit(expression.parsed, data)


class _BoundedInterpreter(TreeInterpreter):
    """One evaluation."""

    def __init__(self) -> None:
        super().__init__()
        self._entries = MOST_MADE_ENTRIES
        self._text = MOST_MADE_TEXT
        self._steps = 0
        self._ends = time.thread_time() + MOST_SECONDS

    def visit(self, node: Any, *args: Any, **kwargs: Any) -> Any:
        """Takes one step of the expression."""
        self._steps += 1
        if self._steps % _LOOK_EVERY == 0 and time.thread_time() > self._ends:
            raise TooMuch(f"it takes longer than {MOST_SECONDS:g} s")
        value = super().visit(node, *args, **kwargs)
        if node["type"] in _MAKES:
            self._charge(value)
        return value

    def _charge(self, made: Any) -> None:
        """Counts all of ``made``, to the last entry: what is in it several times is written several times."""
        waiting = [made]
        while waiting:
            value = waiting.pop()
            if isinstance(value, str):
                self._text -= len(value)
            elif isinstance(value, (list, dict)):
                self._entries -= len(value)
                if self._entries >= 0:
                    waiting.extend(value.values() if isinstance(value, dict) else value)
            if self._entries < 0:
                raise TooMuch(f"it makes lists and objects of more than {MOST_MADE_ENTRIES:,} entries in all")
            if self._text < 0:
                raise TooMuch(f"it makes texts of more than {MOST_MADE_TEXT:,} characters in all")
