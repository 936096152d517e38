"""What is wrong with a pipeline file, and where: line and column, counted from 1."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class FileProblem:
    """One mistake of a file, told to the person who can mend it; the words are those of errors.FlowhubError."""

    file: str
    line: int
    column: int
    what: str
    effect: str = ""
    remedy: str = ""

    @property
    def where(self) -> str:
        """``file:line:column``; only ``file`` for what is wrong with the file as a whole (line 0)."""
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        """On one line: where it is, what is wrong, why it matters, what to do."""
        return _one_line(f"{self.where}: {self.told}")

    @property
    def told(self) -> str:
        """What is wrong, why it matters and what to do, without the place."""
        more = " ".join(_sentence(part) for part in (self.effect, self.remedy) if part)
        return _one_line(f"{self.what}. {more}" if more else self.what)


def _sentence(text: str) -> str:
    whole = text[0].upper() + text[1:]
    return whole if whole.endswith((".", "?", "!", ":")) else f"{whole}."


def _one_line(text: str) -> str:
    """What a file holds may be anything, and a terminal obeys some of it."""
    return "".join(letter if letter.isprintable() else " " if letter == "\n" else _escaped(letter) for letter in text)


def _escaped(letter: str) -> str:
    return letter.encode("unicode_escape", "replace").decode("ascii")
