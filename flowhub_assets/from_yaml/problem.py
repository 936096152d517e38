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
        told = " ".join(_sentence(part) for part in (self.effect, self.remedy) if part)
        what = " ".join(self.what.split("\n"))
        return f"{self.where}: {what}" + (f". {told}" if told else "")


def _sentence(text: str) -> str:
    whole = " ".join((text[0].upper() + text[1:]).split("\n"))
    return whole if whole.endswith((".", "?", "!", ":")) else f"{whole}."
