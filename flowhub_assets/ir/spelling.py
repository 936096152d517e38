"""What somebody probably meant to write."""

from __future__ import annotations

from collections.abc import Iterable


def did_you_mean(word: str, known: Iterable[str], most: int = 1, likeness: float = 0.6) -> str:
    """``did you mean 'memory'?`` for the names in ``known``, ``most`` at most, nearest to ``word``; '' if none is.

    ``likeness`` is difflib's ratio, from 0 to 1, that a name must reach.
    """
    import difflib  # only mistakes pay for it

    by_lower = {name.lower(): name for name in known}
    near = difflib.get_close_matches(word.lower(), by_lower, n=most, cutoff=likeness)
    return f"did you mean {' or '.join(repr(by_lower[name]) for name in near)}?" if near else ""


def listed(names: Iterable[str]) -> str:
    """``a, b and c``; 'none' for no names."""
    items = list(names)
    if not items:
        return "none"
    return items[0] if len(items) == 1 else f"{', '.join(items[:-1])} and {items[-1]}"
