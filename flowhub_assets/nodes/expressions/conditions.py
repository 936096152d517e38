"""Conditions: safe expressions on the values of a run, in Python's words (``a.output.count > 3 and not b.skipped``).

They are parsed and walked by simpleeval, with every operator, function and step taken from the tables of the
templates. CEL (cel-expr-python 0.1.3) was tried beside it: it is faster (5 µs a condition), but it copies the whole
scope for each (66 ms for 100,000 rows), refuses ``count + 1.5`` and ``price * 2`` when a JSON number happens to be of
the other kind, gives a missing key as a value that is not raised and forgets it beside ``|| true``, has no wheel for
musl or old glibc and no source distribution, and adds 14 MB. simpleeval alone is no sandbox for memory: it pads a
text to a gigabyte by ``center`` and takes ``a.items`` for a method, so none of its operators and steps are used.

``and``, ``or`` and ``not`` take true and false only; so does a condition as a whole. A name that is not known is an
error when the condition is read, a key that is not there when it is evaluated: ``has(x)`` and ``default(x, y)`` ask.
A condition that is one ``{{ expression }}`` is a template.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Mapping
from typing import Any

from flowhub_assets.nodes.expressions.condition_code import Condition, read_condition
from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.lookup import is_missing, located
from flowhub_assets.nodes.expressions.names import Name
from flowhub_assets.nodes.expressions.problem import TemplateProblem, ValueAbsent, described
from flowhub_assets.nodes.expressions.templates import render, template_names

__all__ = ["condition_names", "evaluate", "holds"]

_MOST_KEPT = 2_000
_BRACES = re.compile(r"\s*\{\{(?:(?!\}\}).)*\}\}\s*", re.DOTALL)


def condition_names(text: str, known: Collection[str]) -> list[Name]:
    """The paths that the condition names. Raises TemplateProblem for wrong syntax and for names that are not known."""
    if _is_template(text):
        return template_names(text, known)
    return sorted(_read(text, known).names, key=lambda name: name.offset)


def evaluate(text: str, scope: Mapping[str, Any], known: Collection[str]) -> Any:
    """The value of the expression, plain JSON. Raises TemplateProblem, also for a key that is not there."""
    if _is_template(text):
        return render(text.strip(), scope, known)
    condition = _read(text, known)
    from flowhub_assets.nodes.expressions.condition_evaluation import Evaluation

    budget = Budget()
    try:
        value = Evaluation(condition, scope, budget).eval(text, condition.tree)
        if is_missing(value):
            value.fail()
    except ValueAbsent as problem:
        raise located(problem, condition.names, scope) from None
    except (RecursionError, MemoryError):
        raise TemplateProblem("a value in the condition is nested too deeply, or too large") from None
    return value


def holds(text: str, scope: Mapping[str, Any], known: Collection[str]) -> bool:
    """Whether the condition is true. Raises TemplateProblem, also for any value but true and false."""
    value = evaluate(text, scope, known)
    if not isinstance(value, bool):
        from flowhub_assets.nodes.expressions.condition_evaluation import remedy_for

        raise TemplateProblem(f"the condition gives {described(value)}, not true or false", remedy=remedy_for(value))
    return value


def _is_template(text: str) -> bool:
    return "{{" in text and _BRACES.fullmatch(text) is not None


_kept: OrderedDict[str, list[Condition]] = OrderedDict()


def _read(text: str, known: Collection[str]) -> Condition:
    for condition in _kept.get(text, ()):
        if all((name in known) is answer for name, answer in condition.asked.items()):
            return condition
    condition = read_condition(text, known)
    _kept[text] = [condition, *_kept.get(text, [])[:3]]
    while len(_kept) > _MOST_KEPT:
        _kept.popitem(last=False)
    return condition
