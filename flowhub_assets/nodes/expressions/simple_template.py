"""Templates of plain text and plain paths, which most are: read and rendered without Jinja, to the same result."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import Any

from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.lookup import Missing, follow
from flowhub_assets.nodes.expressions.names import KEYWORDS, Name
from flowhub_assets.nodes.expressions.text import text_of

_PATH = re.compile(r"\{\{\s*(\$?\w+(?:[-.]\w+)*)\s*\}\}")
_LEADING_DIGIT = re.compile(r"\d")
#: Characters; each hyphen and dot of a path may end the name that it begins with.
_LONGEST_PATH = 1_000


@dataclass(frozen=True)
class SimpleTemplate:
    """Literal texts and paths in turn; ``asked`` are the names that were looked for and whether they were known."""

    parts: tuple[str | Name, ...]
    asked: Mapping[str, bool]

    @property
    def names(self) -> tuple[Name, ...]:
        """The paths that it holds."""
        return tuple(part for part in self.parts if isinstance(part, Name))

    def render(self, scope: Mapping[str, Any], budget: Budget) -> Any:
        """The value of its only path, or a text."""
        if len(self.parts) == 1 and isinstance(self.parts[0], Name):
            return present(self.parts[0], scope)
        texts = []
        for part in self.parts:
            text = part if isinstance(part, str) else text_of(present(part, scope), budget)
            budget.output(len(text))
            texts.append(text)
        return "".join(texts)


def simple_template(text: str, known: Collection[str]) -> SimpleTemplate | None:
    """The template if it is a simple one, with known names only."""
    if "{%" in text or "{#" in text:
        return None
    parts: list[str | Name] = []
    asked: dict[str, bool] = {}
    end = 0
    for match in _PATH.finditer(text):
        short = len(match.group(1)) <= _LONGEST_PATH
        name = _name(match.group(1), match.start(1), known, asked) if short else None
        if name is None or "{{" in text[end : match.start()]:
            return None
        if match.start() > end:
            parts.append(text[end : match.start()])
        parts.append(name)
        end = match.end()
    rest = text[end:]
    if "{{" in rest or not parts:
        return None
    if rest and not (rest == "\n" and len(parts) == 1 and isinstance(parts[0], Name)):
        parts.append(rest)
    return SimpleTemplate(tuple(parts), asked)


def present(name: Name, scope: Mapping[str, Any]) -> Any:
    """What the path leads to. Raises ValueAbsent if it leads nowhere."""
    root, *path = name.path
    value = follow(scope[root], tuple(path)) if root in scope else Missing(f"there is no {root!r} here", key=root)
    return value.fail() if isinstance(value, Missing) else value


def _name(run: str, offset: int, known: Collection[str], asked: dict[str, bool]) -> Name | None:
    ends = [match.start() for match in re.finditer(r"[-.]", run)]
    for end in (len(run), *reversed(ends)):
        word = run[:end]
        if word in KEYWORDS:
            return None
        if asked.setdefault(word, word in known):
            rest = run[end:]
            path = rest.split(".")[1:]
            if "-" in rest or any(_LEADING_DIGIT.match(part) for part in path):
                return None
            return Name((word, *path), offset)
    return None
