"""The names in a template's or a condition's code: node ids as people write them, hyphens, dots and all.

Neither Jinja nor Python knows a name such as ``fetch-topic`` or ``$now``. So before either reads the code, each
known name in it is replaced with an identifier; the longest one wins where several could be meant, and a minus with
blanks around it is always a minus.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass, field

from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.expressions.problem import TemplateProblem

#: Words that are no names in either language.
KEYWORDS = frozenset("and or not in is if else elif for true false none null True False None lambda".split())

_TOKEN = re.compile(
    r"""(?P<string>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*")
    |(?P<run>\$?\w+(?:[-.]\w+)*)
    |(?P<space>\s+)
    |(?P<open>[\[({])
    |(?P<close>[\])}])
    |(?P<other>.)""",
    re.VERBOSE | re.DOTALL,
)
_PARTS = re.compile(r"[-.]|[^-.]+")
_MOST_LISTED = 12
#: Words, hyphens and dots of a name.
_MOST_PARTS = 41


@dataclass(frozen=True)
class Name:
    """A path that a text names, as far as it is constant: ("fetch", "output", "0"), ``offset`` characters into it."""

    path: tuple[str, ...]
    offset: int


@dataclass
class Code:
    """A piece of code with identifiers for known names.

    ``names`` maps each identifier to the name it stands for and its offset. ``others`` maps each word that is not
    known to its offset, the whole run of words, hyphens and dots that it was found in, and that one's offset.
    ``asked`` are the names that were looked for and whether they were known: the same answers give the same code.
    """

    prefix: str
    names: dict[str, tuple[str, int]] = field(default_factory=dict)
    others: dict[str, tuple[int, str, int]] = field(default_factory=dict)
    asked: dict[str, bool] = field(default_factory=dict)
    keep_attributes: bool = True
    _pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """All that was added."""
        return "".join(self._pieces)

    def add(self, piece: str) -> None:
        """Adds to the text: to grow a text itself would copy it for each of a hundred thousand comments."""
        self._pieces.append(piece)

    def identifier(self, name: str, offset: int) -> str:
        """A new identifier for ``name``."""
        made = f"{self.prefix}{len(self.names)}"
        self.names[made] = (name, offset)
        return made


def tokens(text: str, start: int) -> Iterator[tuple[str, str, int]]:
    """(kind, token, offset) from ``start`` on; kind is string, run, space, open, close or other."""
    for match in _TOKEN.finditer(text, start):
        yield match.lastgroup or "other", match.group(), match.start()


def free_prefix(text: str) -> str:
    """The beginning of identifiers that do not stand in ``text``."""
    prefix = "name_"
    while prefix in text:
        prefix += "_"
    return prefix


class NameReader:
    """Adds code to a Code, token by token."""

    def __init__(self, code: Code, known: Collection[str]) -> None:
        self.code = code
        self.known = known
        self.before = ""  # the last token that is no space

    def add(self, kind: str, word: str, offset: int, then: str = "", depth: int = 0) -> None:
        """``word`` is a token, ``then`` the text that follows it, ``depth`` how many brackets are open there."""
        if kind != "run":
            self.code.add(word)
        elif self.before == "|" or (self.before in ("is", "is not") and word != "not"):
            self.code.add(word)  # the name of a filter or a test
        else:
            self._run(word, offset, then, depth)
        if kind != "space":
            self.before = "is not" if (self.before, word) == ("is", "not") else word

    def _run(self, token: str, offset: int, then: str, depth: int) -> None:
        parts = [(match.group(), match.start()) for match in _PARTS.finditer(token)]
        is_attribute, index = self.before == ".", 0
        while index < len(parts):
            part, place = parts[index]
            if part in "-.":
                self.code.add(part)
                is_attribute = part == "."
                index += 1
                continue
            last = index == len(parts) - 1
            if is_attribute:
                self.code.add(part if self.code.keep_attributes else self.code.identifier(part, offset + place))
                index += 1
            elif last and depth and re.match(r"\s*=(?!=)", then):
                self.code.add(part)  # a keyword argument
                index += 1
            else:
                index += self._name(parts[index : index + _MOST_PARTS], offset + place, (token, offset))
            is_attribute = False

    def _name(self, parts: list[tuple[str, int]], offset: int, run: tuple[str, int]) -> int:
        """Adds the longest known name that ``parts`` begin with; how many of them it takes."""
        for count in range(len(parts) - 1 + len(parts) % 2, 0, -2):
            name = "".join(part for part, _ in parts[:count])
            if name in KEYWORDS:
                break
            known = self.code.asked.setdefault(name, name in self.known)
            if known:
                self.code.add(self.code.identifier(name, offset))
                return count
        word = parts[0][0]
        if word[0].isdigit():
            number = "".join(part for part, _ in parts[:3]) if len(parts) > 2 and parts[1][0] == "." else word
            self.code.add(number)
            return 3 if number != word else 1
        if word not in KEYWORDS:
            self.code.others.setdefault(word, (offset, *run))
            if word.startswith("$"):
                raise unknown(word, self.code, self.known)
        self.code.add(word)
        return 1


def unknown(word: str, code: Code, known: Collection[str], functions: Collection[str] = ()) -> TemplateProblem:
    """The problem of a name that nobody knows."""
    offset, run, run_offset = code.others.get(word, (0, word, 0))
    names = [*known, *functions]
    hyphened = re.match(r"(.*?)\.([^.]*-[^.]*)", run)
    if hyphened and offset - run_offset > hyphened.start(2):
        written = f"{hyphened.group(1)}[{hyphened.group(2)!r}]"
        return TemplateProblem(
            f"there is no {word!r} here", offset, f"A key with a hyphen in it is written in brackets: {written}."
        )
    for wanted in (run.partition(".")[0], run, word):
        near = did_you_mean(wanted, names)
        if near and wanted not in names:
            return TemplateProblem(f"there is no {wanted!r} here", offset if wanted == word else run_offset, near)
    some = sorted(known, key=lambda name: (name.startswith("$"), name))
    more = " and more" if len(some) > _MOST_LISTED else ""
    return TemplateProblem(f"there is no {word!r} here", offset, f"Known are {listed(some[:_MOST_LISTED])}{more}.")
