"""What one rendering of templates may use, so that no text written by a user hangs or fills a process."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from flowhub_assets.nodes.expressions.problem import TemplateProblem, described

#: Characters of the text that a template gives, and of the code inside its braces.
MOST_OUTPUT = 1 << 20
MOST_CODE = 10_000
#: Iterations of all loops of one rendering together.
MOST_ITERATIONS = 10_000
#: Characters and list or object entries that all steps of a rendering may make together.
MOST_MADE_TEXT = 16 << 20
MOST_MADE_ENTRIES = 250_000
#: Seconds of this thread's processor time: a busy machine fails nobody.
MOST_SECONDS = 1.0
#: Operators, calls, brackets and blocks inside one another.
DEEPEST = 60
#: Bits of a whole number.
MOST_BITS = 4_096

_LOOK_EVERY = 0.05


class Budget:
    """What is left for one rendering. Every method raises TemplateProblem when something is used up."""

    __slots__ = ("_entries", "_iterations", "_look_at", "_output", "_started", "_text")

    def __init__(self) -> None:
        self._iterations = MOST_ITERATIONS
        self._entries = MOST_MADE_ENTRIES
        self._text = MOST_MADE_TEXT
        self._output = MOST_OUTPUT
        self._started = time.thread_time()
        self._look_at = time.monotonic() + _LOOK_EVERY

    @contextlib.contextmanager
    def clock_stopped(self) -> Iterator[None]:
        """What runs inside takes none of the time: reading a template, which is done once."""
        start = time.thread_time()
        try:
            yield
        finally:
            self._started += time.thread_time() - start

    def tick(self) -> None:
        """To be called by everything that can be repeated."""
        now = time.monotonic()
        if now >= self._look_at:
            self._look_at = now + _LOOK_EVERY
            if time.thread_time() - self._started > MOST_SECONDS:
                raise TemplateProblem(
                    f"it takes longer than {MOST_SECONDS:g} s", remedy="Do heavy work in a python node."
                )

    def output(self, length: int) -> None:
        """So many characters more are rendered."""
        self.tick()
        self._output -= length
        if self._output < 0:
            raise TemplateProblem(
                f"it gives more than {MOST_OUTPUT:,} characters",
                remedy='Pass large data whole, as "{{id.output}}", or write it to the storage and pass its URL.',
            )

    def iterations(self, count: int) -> None:
        """A loop over so many items begins."""
        self._iterations -= count
        if self._iterations < 0:
            raise TemplateProblem(
                f"its loops run more than {MOST_ITERATIONS:,} times in all",
                remedy="Use a loop node, json-transform or a python node for long lists.",
            )

    def text(self, length: int) -> None:
        """A text of so many characters is about to be made, or was."""
        self.tick()
        self._text -= length
        if self._text < 0 or length > MOST_MADE_TEXT:
            raise TemplateProblem(
                f"its steps make texts of more than {MOST_MADE_TEXT:,} characters in all",
                remedy="Do heavy work in a python node.",
            )

    def entries(self, count: int) -> None:
        """A list or object of so many entries is about to be made, or was."""
        self.tick()
        self._entries -= count
        if self._entries < 0:
            raise TemplateProblem(
                f"its steps make lists and objects of more than {MOST_MADE_ENTRIES:,} entries in all",
                remedy="Use json-transform or a python node for long lists.",
            )

    def made(self, value: Any) -> Any:
        """``value``, which a step has made out of what was there: charged for."""
        if isinstance(value, str):
            self.text(len(value))
        elif isinstance(value, (list, tuple, dict)):
            self.entries(len(value))
        else:
            self.tick()
            if isinstance(value, int) and value.bit_length() > MOST_BITS:
                raise TemplateProblem("a number in it gets too large", remedy=f"It may have {MOST_BITS:,} bits.")
        return value

    def measure(self, value: Any, depth: int = 0) -> None:
        """Charges for all of ``value``, to the last entry: a list that holds itself often is as long as it prints."""
        if depth > DEEPEST * 4:
            raise TemplateProblem("a value in it is nested too deeply")
        if not isinstance(value, (str, int, float, list, tuple, dict, type(None))):
            raise TemplateProblem(
                f"{described(value)} is no value that can be passed on", remedy="A function is called: x.upper()."
            )
        self.made(value)
        inner = value.values() if isinstance(value, dict) else value if isinstance(value, (list, tuple)) else ()
        for item in inner:
            self.measure(item, depth + 1)
        if isinstance(value, dict):
            self.text(sum(map(len, value)))


class Counted:
    """The items of a loop, each of which looks at the clock."""

    def __init__(self, budget: Budget, items: Sequence[Any]) -> None:
        budget.iterations(len(items))
        self._budget = budget
        self._items = items

    def __len__(self) -> int:
        return len(self._items)

    def __iter__(self) -> Iterator[Any]:
        for item in self._items:
            self._budget.tick()
            yield item
