"""Whether a regular expression can take forever on a text of some hundred characters.

Python's ``re`` tries every way in which repeated parts can share a text: ``(a+)+$`` needs a second for 25 letters
and a year for 50. Such a pattern is refused before anybody's text meets it. What is asked: within a part that is
repeated without bound, can one text be read in several ways?
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from functools import lru_cache
from importlib import import_module
from typing import Any

try:  # Python 3.11 renamed it
    sre_parse: Any = import_module("re._parser")
except ImportError:  # pragma: no cover - Python 3.9 and 3.10
    sre_parse = import_module("sre_parse")

#: So many repetitions count as without bound.
_MANY = 10
#: Stands for all letters: ASCII, and some of other scripts.
_LETTERS = frozenset([*map(chr, range(128)), *"éß가나中Ωж²\u2028"])
_CATEGORIES = {"CATEGORY_DIGIT": r"\d", "CATEGORY_SPACE": r"\s", "CATEGORY_WORD": r"\w"}
_REPEATS = ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT")


@lru_cache(maxsize=1_000)
def can_take_forever(pattern: str) -> bool:
    """Whether some text keeps ``re`` busy for a time that doubles with each letter. Raises re.error for no pattern."""
    return any(not _has_one_way(body) for body in _repeated(sre_parse.parse(pattern)))


def _repeated(items: Any) -> Iterator[Any]:
    """The bodies of all repetitions without bound, however deep."""
    for name, value in _named(items):
        if name in _REPEATS and _is_many(value[1]):
            yield value[2]
        for inner in _inside(name, value):
            yield from _repeated(inner)


def _has_one_way(body: Any) -> bool:
    """Whether a text that ``body`` matches, again and again, can be cut into its parts in one way only."""
    parts = list(_flat(body))
    if not all(_is_letter(name) or _part_has_one_way(name, value) for name, value in parts):
        return False
    letters = [_letters(*part) for part in parts]
    # Where a letter, or one of several words, begins, there is no doubt where it ends.
    uncertain = [place for place, (name, _) in enumerate(parts) if name in _REPEATS]
    return all(
        _is_cut_between(first, second, parts, letters)
        for first in uncertain
        for second in uncertain
        if letters[first] & letters[second]
    )


def _part_has_one_way(name: str, value: Any) -> bool:
    if name in _REPEATS:
        return _has_one_way(value[2])
    return name == "BRANCH" and _alternatives_differ(value[1])


def _is_cut_between(
    first: int, second: int, parts: Sequence[tuple[str, Any]], letters: Sequence[frozenset[str]]
) -> bool:
    """Whether between two parts, the second perhaps of the next round, something must stand that is in neither."""
    count = len(parts)
    between = [place % count for place in range(first + 1, second if second > first else second + count)]
    return any(
        _must_be_there(*parts[place]) and not letters[place] & (letters[first] | letters[second]) for place in between
    )


def _must_be_there(name: str, value: Any) -> bool:
    if name in _REPEATS:
        return int(value[0]) > 0 and any(_must_be_there(*part) for part in _flat(value[2]))
    return _is_letter(name)


def _alternatives_differ(alternatives: Any) -> bool:
    """Whether the first letter tells which alternative it is, and each is of one length."""
    seen: frozenset[str] = frozenset()
    for alternative in alternatives:
        parts = list(_flat(alternative))
        if not parts or not all(_is_letter(name) for name, _ in parts):
            return False
        first = _letters(*parts[0])
        if first & seen:
            return False
        seen |= first
    return True


def _flat(items: Any) -> Iterator[tuple[str, Any]]:
    """The parts of a sequence, those of groups beside the others; places such as ^ are no parts."""
    for name, value in _named(items):
        if name in ("SUBPATTERN", "ATOMIC_GROUP"):
            yield from _flat(value[-1] if name == "SUBPATTERN" else value)
        elif name in _REPEATS and value[0] == value[1] > 0 and all(_is_letter(one) for one, _ in _flat(value[2])):
            yield from _flat(value[2])  # \d{4}: how often it stands there leaves no doubt
        elif name != "AT":
            yield name, value


def _letters(name: str, value: Any) -> frozenset[str]:
    """The letters that stand in what the part matches."""
    if name in ("LITERAL", "NOT_LITERAL"):
        letter = frozenset([chr(value)])
        return letter if name == "LITERAL" else _LETTERS - letter
    if name == "ANY":
        return _LETTERS
    if name == "IN":
        return _letters_of_set(value)
    inner = [_letters(*part) for items in _inside(name, value) for part in _flat(items)]
    return frozenset().union(*inner)


def _letters_of_set(members: Any) -> frozenset[str]:
    found: set[str] = set()
    negated = False
    for name, value in _named(members):
        if name == "NEGATE":
            negated = True
        elif name == "LITERAL":
            found.add(chr(value))
        elif name == "RANGE":
            found |= {letter for letter in _LETTERS if value[0] <= ord(letter) <= value[1]}
        elif name == "CATEGORY":
            found |= _letters_of_category(str(value))
    return _LETTERS - found if negated else frozenset(found)


def _letters_of_category(category: str) -> frozenset[str]:
    known = _CATEGORIES.get(category.replace("_NOT_", "_"), ".")
    found = frozenset(letter for letter in _LETTERS if re.match(known, letter))
    return _LETTERS - found if "_NOT_" in category else found


def _inside(name: str, value: Any) -> list[Any]:
    if name in _REPEATS:
        return [value[2]]
    if name == "SUBPATTERN":
        return [value[-1]]
    if name == "BRANCH":
        return list(value[1])
    if name in ("ASSERT", "ASSERT_NOT"):
        return [value[1]]
    if name == "GROUPREF_EXISTS":
        return [one for one in value[1:] if one is not None]
    return [value] if name == "ATOMIC_GROUP" else []


def _is_letter(name: str) -> bool:
    return name in ("LITERAL", "NOT_LITERAL", "ANY", "IN")


def _is_many(most: Any) -> bool:
    return int(most) >= _MANY


def _named(items: Any) -> Iterator[tuple[str, Any]]:
    return ((str(name), value) for name, value in items)
