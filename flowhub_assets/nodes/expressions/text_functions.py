"""What templates and conditions can do with texts and numbers; the first parameter of each is the Budget.

There are no regular expressions: one that a user writes can take hours. There is no format, center or ljust: a
short text asks them for gigabytes.
"""

from __future__ import annotations

import math
import urllib.parse
from typing import Any

from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.operations import is_number, there
from flowhub_assets.nodes.expressions.problem import TemplateProblem, described
from flowhub_assets.nodes.expressions.text import json_text, text_of
from flowhub_assets.nodes.json_reading import read_json

#: Digits of a text that becomes a whole number.
_MOST_DIGITS = 1_000
#: Where str.splitlines ends a line.
_LINE_ENDS = "\n\r\v\f\x1c\x1d\x1e\x85\u2028\u2029"


def text(value: Any, what: str = "it") -> str:
    """``value``, which must be a text."""
    there(value)
    if not isinstance(value, str):
        raise TemplateProblem(f"{what} takes a text, not {described(value)}", remedy="string(...) makes a text of it.")
    return value


def whole(value: Any, what: str) -> int:
    """``value``, which must be a whole number."""
    there(value)
    if not isinstance(value, int) or isinstance(value, bool):
        raise TemplateProblem(f"{what} takes a whole number, not {described(value)}")
    return value


def lower(_: Budget, value: Any) -> str:
    """The text in small letters."""
    return text(value, "lower").lower()


def upper(_: Budget, value: Any) -> str:
    """The text in capital letters."""
    return text(value, "upper").upper()


def capitalize(_: Budget, value: Any) -> str:
    """The text with a capital in front."""
    return text(value, "capitalize").capitalize()


def title(_: Budget, value: Any) -> str:
    """The text with a capital in front of each word."""
    return text(value, "title").title()


def trim(_: Budget, value: Any, characters: Any = None) -> str:
    """The text without blanks, or the characters, at its ends."""
    return text(value, "trim").strip(None if characters is None else text(characters, "trim"))


def trim_start(_: Budget, value: Any, characters: Any = None) -> str:
    """The text without blanks, or the characters, at its beginning."""
    return text(value, "lstrip").lstrip(None if characters is None else text(characters, "lstrip"))


def trim_end(_: Budget, value: Any, characters: Any = None) -> str:
    """The text without blanks, or the characters, at its end."""
    return text(value, "rstrip").rstrip(None if characters is None else text(characters, "rstrip"))


def startswith(_: Budget, value: Any, start: Any) -> bool:
    """Whether the text starts so."""
    return text(value, "startswith").startswith(text(start, "startswith"))


def endswith(_: Budget, value: Any, end: Any) -> bool:
    """Whether the text ends so."""
    return text(value, "endswith").endswith(text(end, "endswith"))


def remove_prefix(_: Budget, value: Any, start: Any) -> str:
    """The text without this beginning."""
    return text(value, "removeprefix").removeprefix(text(start, "removeprefix"))


def remove_suffix(_: Budget, value: Any, end: Any) -> str:
    """The text without this end."""
    return text(value, "removesuffix").removesuffix(text(end, "removesuffix"))


def replace(budget: Budget, value: Any, old: Any, new: Any, count: Any = -1) -> str:
    """The text with ``new`` for each ``old``, for the first ``count`` of them if that is given."""
    given, part, other = text(value, "replace"), text(old, "replace"), text(new, "replace")
    found = given.count(part) if part else len(given) + 1
    budget.text(len(given) + max(0, len(other) - len(part)) * found)
    return given.replace(part, other, whole(count, "replace"))


def find(_: Budget, value: Any, part: Any) -> int:
    """Where the part begins in the text, counted from 0; -1 if it is not there."""
    return text(value, "find").find(text(part, "find"))


def split(budget: Budget, value: Any, separator: Any = None, most: Any = -1) -> list[str]:
    """The parts of the text between separators, or between blanks."""
    given = text(value, "split")
    if separator is not None and not text(separator, "split"):
        raise TemplateProblem("split takes a separator that is not empty")
    budget.entries(given.count(separator) + 1 if separator else len(given) // 2 + 1)
    return given.split(separator, whole(most, "split"))


def lines(budget: Budget, value: Any) -> list[str]:
    """The lines of the text."""
    given = text(value, "splitlines")
    budget.entries(sum(map(given.count, _LINE_ENDS)) + 1)
    return given.splitlines()


def truncate(_: Budget, value: Any, length: Any = 255, end: Any = "…") -> str:
    """The text, cut to ``length`` characters, ``end`` included, if it is longer."""
    given, mark = text(value, "truncate"), text(end, "truncate")
    if len(given) <= whole(length, "truncate"):
        return given
    return given[: max(0, length - len(mark))] + mark


def indent(budget: Budget, value: Any, width: Any = 4, first: bool = False) -> str:
    """The text with so many blanks before each line, before the first one on request."""
    given, blanks = text(value, "indent"), whole(width, "indent")
    if blanks < 0 or blanks > 100:
        raise TemplateProblem(f"indent takes 0 to 100 blanks, not {described(width)}")
    budget.text(len(given) + blanks * (given.count("\n") + 1))
    indented = given.replace("\n", "\n" + " " * blanks)
    return " " * blanks + indented if first else indented


def url_encode(budget: Budget, value: Any) -> str:
    """The text, or the pairs of an object, as part of a URL."""
    there(value)
    if isinstance(value, dict):
        pairs = {key: text_of(item, budget) for key, item in value.items()}
        budget.text(3 * sum(len(key) + len(item) for key, item in pairs.items()))
        return urllib.parse.urlencode(pairs)
    budget.text(3 * len(text_of(value, budget)))
    return urllib.parse.quote(text_of(value, budget), safe="")


def string(budget: Budget, value: Any) -> str:
    """The value as text: itself if it is one, else its JSON."""
    return text_of(value, budget)


def to_json(budget: Budget, value: Any, indent: Any = None) -> str:
    """The value as JSON."""
    there(value)
    if indent is not None and not 0 <= whole(indent, "tojson") <= 8:
        raise TemplateProblem(f"tojson indents by 0 to 8 blanks, not {described(indent)}")
    return json_text(value, budget, indent)


def from_json(budget: Budget, value: Any) -> Any:
    """The value that a text of JSON stands for."""
    budget.text(len(text(value, "from_json")))
    try:
        found = read_json(value)
    except ValueError as error:
        raise TemplateProblem(f"{described(value)} is no JSON: {error}") from None
    budget.measure(found)
    return found


def integer(_: Budget, value: Any, default: Any = None) -> Any:
    """The whole number that a number or a text stands for; ``default``, if there is one, for anything else."""
    there(value)
    try:
        if isinstance(value, str) and len(value) <= _MOST_DIGITS:
            return int(value.strip())
        if is_number(value) or isinstance(value, bool):
            return int(value)
    except (ValueError, OverflowError):
        pass
    return _or_default(value, default, "int", "a whole number")


def floating(_: Budget, value: Any, default: Any = None) -> Any:
    """The number that a number or a text stands for; ``default``, if there is one, for anything else."""
    there(value)
    try:
        if isinstance(value, (str, int, float)) and not (isinstance(value, str) and len(value) > _MOST_DIGITS):
            number = float(value)
            if math.isfinite(number):
                return number
    except (ValueError, OverflowError):
        pass
    return _or_default(value, default, "float", "a number")


def rounded(_: Budget, value: Any, digits: Any = 0) -> Any:
    """The number, rounded to so many digits after the point; a whole number for none."""
    number(value, "round")
    if not -300 <= whole(digits, "round") <= 300:
        raise TemplateProblem(f"round takes -300 to 300 digits, not {described(digits)}")
    return round(value, digits) if digits else round(value)


def absolute(_: Budget, value: Any) -> Any:
    """The number without its sign."""
    return abs(number(value, "abs"))


def number(value: Any, what: str) -> Any:
    """``value``, which must be a number."""
    there(value)
    if not is_number(value):
        raise TemplateProblem(f"{what} takes a number, not {described(value)}")
    return value


def joined(budget: Budget, *values: Any) -> str:
    """``a ~ b``: all values as one text."""
    texts = [text_of(value, budget) for value in values]
    budget.text(sum(map(len, texts)))
    return "".join(texts)


def _or_default(value: Any, default: Any, what: str, wanted: str) -> Any:
    if default is not None:
        return default
    raise TemplateProblem(
        f"{described(value)} is not {wanted}", remedy=f"Give {what} a second argument for what is no number: {what}(0)."
    )
