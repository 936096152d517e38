"""What templates and conditions can do with lists and objects; the first parameter of each is the Budget."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.lookup import Missing, inside, is_missing, step_inside
from flowhub_assets.nodes.expressions.operations import calculated, compared, contains, equal, there
from flowhub_assets.nodes.expressions.problem import TemplateProblem, described
from flowhub_assets.nodes.expressions.text import text_of
from flowhub_assets.nodes.expressions.text_functions import number, text, whole


def items_of(value: Any, what: str) -> list[Any]:
    """The items of a list, the keys of an object, the characters of a text."""
    there(value)
    if not isinstance(value, (list, tuple, dict, str)):
        raise TemplateProblem(f"{what} takes a list, not {described(value)}")
    return list(value)


def default(_: Budget, value: Any, instead: Any = "", boolean: Any = False) -> Any:
    """``value``, or ``instead`` where it is missing or null; with ``boolean`` also where it is false, 0 or empty."""
    return instead if is_missing(value) or value is None or (boolean and not value) else value


def has(_: Budget, value: Any) -> bool:
    """Whether the value is there; null is there."""
    return not is_missing(value)


def length(_: Budget, value: Any) -> int:
    """How many characters, items or keys it has."""
    there(value)
    if not isinstance(value, (str, list, tuple, dict)):
        raise TemplateProblem(f"{described(value)} has no length")
    return len(value)


def join(budget: Budget, value: Any, separator: Any = "", attribute: Any = None) -> str:
    """The items as one text, with the separator between them."""
    texts = [text_of(_at(item, attribute), budget) for item in items_of(value, "join")]
    budget.text(sum(map(len, texts)) + len(text(separator, "join")) * len(texts))
    return str(separator).join(texts)


def join_by(budget: Budget, separator: Any, value: Any) -> str:
    """``", ".join(items)``"""
    return join(budget, value, separator)


def first(_: Budget, value: Any) -> Any:
    """The first item; missing if there is none."""
    items = items_of(value, "first")
    return items[0] if items else Missing("there is no first item in an empty list", key=0)


def last(_: Budget, value: Any) -> Any:
    """The last item; missing if there is none."""
    items = items_of(value, "last")
    return items[-1] if items else Missing("there is no last item in an empty list", key=-1)


def lowest(budget: Budget, value: Any, *more: Any) -> Any:
    """The lowest of the numbers, or texts."""
    return _extreme(budget, "<", "min", [value, *more] if more else items_of(value, "min"))


def highest(budget: Budget, value: Any, *more: Any) -> Any:
    """The highest of the numbers, or texts."""
    return _extreme(budget, ">", "max", [value, *more] if more else items_of(value, "max"))


def total(budget: Budget, value: Any, attribute: Any = None, start: Any = 0) -> Any:
    """The sum of the numbers."""
    for item in items_of(value, "sum"):
        start = calculated(budget, "+", number(start, "sum"), number(_at(item, attribute), "sum"))
    return start


def reverse(_: Budget, value: Any) -> Any:
    """The list, or the text, from its end."""
    return value[::-1] if isinstance(value, str) else items_of(value, "reverse")[::-1]


def sort(budget: Budget, value: Any, reverse: Any = False, attribute: Any = None) -> list[Any]:
    """The list in the order of its numbers, or texts, or of those that ``attribute`` names in its items."""
    items = items_of(value, "sort")
    keys = [_at(item, attribute) for item in items]
    there(*keys)
    for key in keys[1:]:
        compared(budget, "<", keys[0], key)  # all numbers, or all texts
    budget.entries(len(items))
    order = sorted(range(len(items)), key=keys.__getitem__, reverse=bool(reverse))
    return [items[place] for place in order]


def unique(budget: Budget, value: Any, attribute: Any = None) -> list[Any]:
    """The list without what is there a second time."""
    seen: list[Any] = []
    result = []
    for item in items_of(value, "unique"):
        key = _at(item, attribute)
        there(key)
        if not contains(budget, seen, key):
            seen.append(key)
            result.append(item)
    return result


def as_list(_: Budget, value: Any) -> list[Any]:
    """The items as a list."""
    return items_of(value, "list")


def slice_of(budget: Budget, value: Any, start: Any, stop: Any, step: Any) -> Any:
    """``value[start:stop:step]`` of a list or a text."""
    there(value)
    bounds = [None if bound is None else whole(bound, "[:]") for bound in (start, stop, step)]
    if not isinstance(value, (list, tuple, str)) or bounds[2] == 0:
        raise TemplateProblem(f"{described(value)} cannot be cut with [:]")
    return budget.made(value[slice(*bounds)])


def batch(budget: Budget, value: Any, size: Any) -> list[list[Any]]:
    """The list in lists of so many items; the last may be shorter."""
    items = items_of(value, "batch")
    if whole(size, "batch") < 1:
        raise TemplateProblem(f"batch takes a size of 1 at least, not {size}")
    budget.entries(len(items))
    return [items[place : place + size] for place in range(0, len(items), size)]


def keys(_: Budget, value: Any) -> list[Any]:
    """The keys of an object."""
    return list(object_of(value, "keys"))


def values(_: Budget, value: Any) -> list[Any]:
    """The values of an object."""
    return list(object_of(value, "values").values())


def pairs(budget: Budget, value: Any) -> list[Any]:
    """The keys and values of an object, as lists of two."""
    budget.entries(2 * len(object_of(value, "items")))
    return [list(pair) for pair in value.items()]


def get(_: Budget, value: Any, key: Any, instead: Any = None) -> Any:
    """The object's value under the key; ``instead`` where it has none."""
    found = inside(object_of(value, "get"), key)
    return instead if is_missing(found) else found


def merge(_: Budget, value: Any, *others: Any) -> dict[str, Any]:
    """One object of several; the last one's values win."""
    result = dict(object_of(value, "merge"))
    for other in others:
        result.update(object_of(other, "merge"))
    return result


def object_of(value: Any, what: str) -> dict[str, Any]:
    """``value``, which must be an object."""
    there(value)
    if not isinstance(value, Mapping):
        raise TemplateProblem(f"{what} takes an object, not {described(value)}")
    return value if isinstance(value, dict) else dict(value)


def numbers_from(budget: Budget, start: Any, stop: Any = None, step: Any = 1) -> list[int]:
    """``range(stop)`` or ``range(start, stop, step)``."""
    low, high = (0, whole(start, "range")) if stop is None else (whole(start, "range"), whole(stop, "range"))
    if whole(step, "range") == 0:
        raise TemplateProblem("range takes a step that is not 0")
    steps = range(low, high, step)
    count = max(0, -((low - high) // step)) if step > 0 else max(0, -((high - low) // -step))
    budget.entries(count)
    return list(steps)


def made(budget: Budget, value: Any) -> Any:
    """A list or object that is written in the template itself."""
    if isinstance(value, dict):
        for key in value:
            text(key, "a key of an object")
        there(*value.values())
        return budget.made(value)
    there(*value)
    return budget.made(list(value))


def equals(budget: Budget, value: Any, other: Any) -> bool:
    """Whether the two are the same."""
    there(value, other)
    return equal(budget, value, other)


def _at(item: Any, attribute: Any) -> Any:
    """What a path such as author.name leads to in the item; the item itself for no path."""
    if attribute is None:
        return item
    for step in text(attribute, "attribute").split("."):
        item = step_inside(item, step)
    return item


def _extreme(budget: Budget, sign: str, what: str, items: list[Any]) -> Any:
    if not items:
        return Missing(f"{what} of an empty list has no value")
    best = items[0]
    for item in items[1:]:
        if compared(budget, sign, item, best):
            best = item
    return best


def mapped(
    budget: Budget, value: Any, function: Callable[[Any], Any] | None, attribute: Any, instead: Any
) -> list[Any]:
    """Each item's ``attribute``, or what the function makes of it; ``instead`` where that is missing."""
    budget.entries(length(budget, value))
    result = []
    for item in items_of(value, "map"):
        found = _at(item, attribute) if function is None else function(item)
        if is_missing(found) and instead is not None:
            found = instead
        there(found)
        result.append(found)
    return result


def selected(
    budget: Budget, value: Any, test: Callable[[Any], bool], attribute: Any, wanted: bool, what: str
) -> list[Any]:
    """The items whose ``attribute``, or which themselves, pass the test, or do not."""
    result = []
    for item in items_of(value, what):
        budget.tick()
        if bool(test(_at(item, attribute))) is wanted:
            result.append(item)
    return result
