"""What somebody probably meant to write."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Collection, Iterable

#: Characters: to compare two longer texts takes seconds, and they are no names.
_LONGEST = 200
#: A file with some thousand names may have as many mistakes: then only the names next to a word are compared with it.
_MANY = 200
_NEIGHBOURS = 40


def did_you_mean(word: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> str:
    """``did you mean 'memory'?`` for the names in ``known``, ``most`` at most, nearest to ``word``; '' if none is.

    ``likeness`` is difflib's ratio, from 0 to 1, that a name must reach.
    """
    import difflib  # only mistakes pay for it

    if len(word) > _LONGEST:
        return ""
    by_lower = {name.lower(): name for name in known if len(name) <= _LONGEST}
    if len(by_lower) > _MANY:
        by_lower = {name: by_lower[name] for name in _next_to(word.lower(), by_lower)}
    near = difflib.get_close_matches(word.lower(), by_lower, n=most, cutoff=likeness)
    return f"did you mean {' or '.join(repr(by_lower[name]) for name in near)}?" if near else ""


def _next_to(word: str, names: Collection[str]) -> list[str]:
    """The names that stand beside ``word`` when they are sorted by their beginnings, and by their ends."""
    by_end = _beside(word[::-1], sorted(name[::-1] for name in names))
    return [*_beside(word, sorted(names)), *(name[::-1] for name in by_end)]


def _beside(word: str, ordered: list[str]) -> list[str]:
    place = bisect_left(ordered, word)
    return ordered[max(0, place - _NEIGHBOURS) : place + _NEIGHBOURS]


def listed(names: Iterable[str]) -> str:
    """``a, b and c``; 'none' for no names."""
    items = list(names)
    if not items:
        return "none"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
