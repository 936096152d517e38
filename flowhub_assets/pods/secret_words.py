"""Where a known credential stands in a text, and when a short one is only a word like others."""

from __future__ import annotations

import re

from flowhub_assets.ir.pipeline import Source

_SHORTEST, _LONGEST_WORD, _LONGEST_NUMBER = 4, 15, 5


def is_ordinary(secret: str) -> bool:
    """Whether the same text may well stand somewhere for another reason: ``minio``, ``password``, ``8080``."""
    if len(secret) < _SHORTEST:
        return True
    return (secret.isalpha() and len(secret) <= _LONGEST_WORD) or (secret.isdigit() and len(secret) <= _LONGEST_NUMBER)


def holds(text: str, secret: str) -> bool:
    """Whether ``text`` gives the credential ``secret`` away: it is that, or holds one that is no ordinary word."""
    return not is_ordinary(secret) and secret in text


def line_of(where: Source, value: str) -> Source:
    """The line of the file of ``where`` that holds ``value``; ``where`` itself if that cannot be told."""
    if len(value) < _SHORTEST:
        return where
    spelled = {value, repr(value)[1:-1], next((line for line in value.splitlines() if len(line) >= _SHORTEST), value)}
    try:
        with open(where.file, encoding="utf-8") as file:
            for number, line in enumerate(file, 1):
                if any(one in line for one in spelled):
                    return Source(where.file, number)
    except (OSError, ValueError):
        pass
    return where


def masked(text: str, secret: str) -> str:
    """``text`` with *** in the place of ``secret``; of an ordinary word only where it stands alone."""
    if is_ordinary(secret):
        return re.sub(rf"(?<!\w){re.escape(secret)}(?!\w)", "***", text)
    return text.replace(secret, "***")
