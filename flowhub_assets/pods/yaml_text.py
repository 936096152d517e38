"""Texts as YAML scalars: a block to be read where YAML can hold the text so, else a JSON string, which is YAML too."""

from __future__ import annotations

import re

# What YAML calls printable, but for the breaks that YAML 1.1 knows beside \n and that readers turn into one.
_NOT_PLAIN = re.compile("[^\t\n -~\u00a0-\u2027\u202a-\ud7ff\ue000-\ufefe\uff00-\ufffd\U00010000-\U0010ffff]")
_SHORT = {'"': '\\"', "\\": "\\\\", "\n": "\\n", "\t": "\\t", "\r": "\\r"}
_ESCAPED = re.compile(f'["\\\\\n\t]|{_NOT_PLAIN.pattern}')


def quoted(text: str) -> str:
    """``text`` as a double-quoted scalar on one line; every JSON reader takes it, too."""
    return f'"{_ESCAPED.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    letter = found.group()
    return _SHORT.get(letter) or f"\\u{ord(letter):04x}"


def block(text: str, indent: int) -> str:
    """``text`` as a literal block (``|``) whose lines are indented by ``indent`` blanks, behind a key's colon.

    A text that such a block would not give back as it is becomes a ``quoted`` one.
    """
    if not _fits_block(text):
        return quoted(text)
    lines = "\n".join(f"{' ' * indent}{line}" if line else "" for line in text[:-1].split("\n"))
    return f"|\n{lines}"


def _fits_block(text: str) -> bool:
    """Whether it ends with one line break, begins with a letter or mark, and holds only what YAML prints."""
    first = text[:1]
    if first in ("", " ", "\t", "\n") or not text.endswith("\n") or text.endswith("\n\n"):
        return False
    return _NOT_PLAIN.search(text) is None
