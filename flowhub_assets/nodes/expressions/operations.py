"""The operators of templates and conditions: on plain JSON, without surprises between types, and within bounds."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any

from flowhub_assets.nodes.expressions.limits import MOST_BITS, Budget
from flowhub_assets.nodes.expressions.lookup import is_missing
from flowhub_assets.nodes.expressions.problem import TemplateProblem, described

#: An operator's sign → its words.
_CALCULATIONS: dict[str, Callable[[Any, Any], Any]] = {
    "+": operator.add,
    "-": operator.sub,
    "*": operator.mul,
    "/": operator.truediv,
    "//": operator.floordiv,
    "%": operator.mod,
    "**": operator.pow,
}
_ORDERS: dict[str, Callable[[Any, Any], Any]] = {
    "<": operator.lt,
    "<=": operator.le,
    ">": operator.gt,
    ">=": operator.ge,
}


def is_number(value: object) -> bool:
    """Whether it is a number; true and false are none."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def there(*values: Any) -> None:
    """Raises ValueAbsent for the first value that is missing."""
    for value in values:
        if is_missing(value):
            value.fail()


def calculated(budget: Budget, sign: str, left: Any, right: Any) -> Any:
    """``left sign right``. Raises TemplateProblem for types that do not fit, and for what gets too large."""
    there(left, right)
    if is_number(left) and is_number(right):
        return budget.made(_number(sign, left, right))
    if sign == "+" and isinstance(left, str) and isinstance(right, str):
        budget.text(len(left) + len(right))
        return left + right
    if sign == "+" and isinstance(left, list) and isinstance(right, list):
        budget.entries(len(left) + len(right))
        return left + right
    if sign == "*" and isinstance(right, str) and isinstance(left, int):
        left, right = right, left
    if sign == "*" and isinstance(left, (str, list)) and isinstance(right, int) and not isinstance(right, bool):
        (budget.text if isinstance(left, str) else budget.entries)(len(left) * max(right, 0))
        return left * right
    raise TemplateProblem(f"{sign!r} does not go with {described(left)} and {described(right)}", remedy=_help(sign))


def negated(budget: Budget, sign: str, value: Any) -> Any:
    """``-value`` or ``+value``, of a number."""
    there(value)
    if not is_number(value):
        raise TemplateProblem(f"{sign!r} does not go with {described(value)}")
    return budget.made(-value if sign == "-" else value)


def compared(budget: Budget, sign: str, left: Any, right: Any) -> bool:
    """``left sign right`` for ``== != < <= > >=``, ``in`` and ``not in``.

    Values of two types are unequal, true and 1 too; only two numbers or two texts have an order.
    """
    there(left, right)
    if sign in ("==", "!="):
        return equal(budget, left, right) is (sign == "==")
    if sign in ("in", "not in"):
        return contains(budget, right, left) is (sign == "in")
    budget.tick()
    if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
        return bool(_ORDERS[sign](left, right))
    raise TemplateProblem(
        f"{sign!r} cannot compare {described(left)} with {described(right)}",
        remedy="Compare numbers with numbers and texts with texts: int(...) and float(...) make numbers of texts."
        if isinstance(left, str) or isinstance(right, str)
        else "Compare numbers with numbers and texts with texts.",
    )


def equal(budget: Budget, left: Any, right: Any) -> bool:
    """Whether two JSON values are the same."""
    budget.tick()
    if isinstance(left, dict) and isinstance(right, dict):
        return len(left) == len(right) and all(
            key in right and equal(budget, item, right[key]) for key, item in left.items()
        )
    if isinstance(left, (list, tuple)) and isinstance(right, (list, tuple)):
        return len(left) == len(right) and all(equal(budget, *pair) for pair in zip(left, right, strict=True))
    if isinstance(left, bool) or isinstance(right, bool):
        return left is right
    if isinstance(left, (str, int, float, type(None))) and isinstance(right, (str, int, float, type(None))):
        return left == right
    return False


def contains(budget: Budget, whole: Any, part: Any) -> bool:
    """Whether a text holds a part, a list an item, an object a key."""
    there(whole, part)
    budget.tick()
    if isinstance(whole, str) and isinstance(part, str):
        return part in whole
    if isinstance(whole, (list, tuple)):
        return any(equal(budget, item, part) for item in whole)
    if isinstance(whole, dict):
        return isinstance(part, str) and part in whole
    raise TemplateProblem(
        f"{described(part)} cannot be looked for in {described(whole)}",
        remedy="It goes with a text in a text, an item in a list, a key in an object.",
    )


def _number(sign: str, left: Any, right: Any) -> Any:
    whole = isinstance(left, int) and isinstance(right, int)
    if sign == "**" and whole and abs(left) > 1 and left.bit_length() * abs(right) > MOST_BITS:
        raise TemplateProblem(f"{described(left)} to the power of {described(right)} is too large")
    try:
        result = _CALCULATIONS[sign](left, right)
    except ZeroDivisionError:
        raise TemplateProblem(f"{left!r} {sign} 0 has no value", remedy="Ask for the 0 first, with if.") from None
    except OverflowError:
        raise TemplateProblem("a number in it gets too large") from None
    if isinstance(result, complex) or (isinstance(result, float) and not math.isfinite(result)):
        raise TemplateProblem(f"{left!r} {sign} {right!r} is no number that JSON knows")
    return result


def _help(sign: str) -> str:
    if sign == "+":
        return "Join a text with something else by ~, or write it in two pairs of braces; add numbers to numbers."
    if sign == "%":
        return "It is the remainder of numbers; texts are put together with ~."
    return "It goes with numbers: int(...) and float(...) make numbers of texts."
