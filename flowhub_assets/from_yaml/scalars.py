"""What a scalar without quotes means: the core schema of YAML 1.2 (its section 10.3.2).

So ``on``, ``yes`` and ``2026-01-01`` are texts, and only true and false are booleans.
"""

from __future__ import annotations

import re
from collections.abc import Callable

_WORDS: dict[str, object] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL"), None),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
_NUMBER_STARTS = frozenset("0123456789+-.")
_DECIMAL = re.compile(r"[-+]?[0-9]+", re.ASCII)
_FLOAT = re.compile(r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", re.ASCII)
_OTHER_BASES: tuple[tuple[re.Pattern[str], int], ...] = (
    (re.compile(r"0o[0-7]+", re.ASCII), 8),
    (re.compile(r"0x[0-9a-fA-F]+", re.ASCII), 16),
)
_NOT_FINITE = re.compile(r"[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)", re.ASCII)

#: More digits than any number of a pipeline has; Python itself refuses to read many thousand.
_LONGEST_NUMBER = 400


def plain_value(text: str) -> object:
    """The JSON value of a plain scalar. Raises ValueError for a number that JSON cannot keep."""
    if text in _WORDS:
        return _WORDS[text]
    if text[0] not in _NUMBER_STARTS:
        return text
    return _number(text)


def _number(text: str) -> object:
    if _FLOAT.fullmatch(text):
        if len(text) > _LONGEST_NUMBER:
            raise ValueError(f"a number of {len(text)} digits")
        if _DECIMAL.fullmatch(text):
            return int(text)
        return _finite(float(text), text)
    for pattern, base in _OTHER_BASES:
        if pattern.fullmatch(text):
            return int(text, base)
    if _NOT_FINITE.fullmatch(text):
        raise ValueError(f"{text}, which JSON does not have")
    return text


def _finite(number: float, text: str) -> float:
    if number in (float("inf"), float("-inf")):
        raise ValueError(f"{text}, which is larger than any number of JSON")
    return number


def tagged(tag: str) -> Callable[[str], object] | None:
    """How a scalar with an explicit tag such as ``!!str`` is read; None for a tag that no pipeline file may have."""
    return _TAGGED.get(tag.removeprefix("tag:yaml.org,2002:") if tag.startswith("tag:yaml.org,2002:") else "!")


def _of_type(*kinds: type) -> Callable[[str], object]:
    def read(text: str) -> object:
        value = plain_value(text)
        if type(value) not in kinds:
            raise ValueError(f"{text!r}, which is not what its tag says")
        return value

    return read


_TAGGED: dict[str, Callable[[str], object]] = {
    "str": str,
    "int": _of_type(int),
    "float": _of_type(float, int),
    "bool": _of_type(bool),
    "null": _of_type(type(None)),
}
