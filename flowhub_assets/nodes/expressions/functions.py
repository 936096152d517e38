"""The tables of what templates and conditions can call, under the names that people know from Jinja and Python."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

from flowhub_assets.nodes.expressions import date_functions as dates
from flowhub_assets.nodes.expressions import list_functions as lists
from flowhub_assets.nodes.expressions import text_functions as texts
from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.lookup import is_missing
from flowhub_assets.nodes.expressions.operations import compared, contains, is_number
from flowhub_assets.nodes.expressions.problem import TemplateProblem

Function = Callable[..., Any]


def _contains(budget: Budget, whole: Any, part: Any) -> bool:
    return contains(budget, whole, part)


_TEXT_METHODS: dict[str, Function] = {
    "lower": texts.lower,
    "upper": texts.upper,
    "capitalize": texts.capitalize,
    "title": texts.title,
    "strip": texts.trim,
    "lstrip": texts.trim_start,
    "rstrip": texts.trim_end,
    "startswith": texts.startswith,
    "endswith": texts.endswith,
    "removeprefix": texts.remove_prefix,
    "removesuffix": texts.remove_suffix,
    "replace": texts.replace,
    "find": texts.find,
    "split": texts.split,
    "splitlines": texts.lines,
    "contains": _contains,
    "join": lists.join_by,
}

#: ``x.name(...)``, by the type of x.
METHODS: dict[type, Mapping[str, Function]] = {
    str: _TEXT_METHODS,
    list: {"contains": _contains},
    dict: {
        "keys": lists.keys,
        "values": lists.values,
        "items": lists.pairs,
        "get": lists.get,
        "contains": _contains,
    },
}

#: ``name(x, ...)`` in templates and conditions.
FUNCTIONS: dict[str, Function] = {
    "abs": texts.absolute,
    "contains": _contains,
    "default": lists.default,
    "endswith": texts.endswith,
    "float": texts.floating,
    "has": lists.has,
    "int": texts.integer,
    "len": lists.length,
    "lower": texts.lower,
    "max": lists.highest,
    "min": lists.lowest,
    "range": lists.numbers_from,
    "round": texts.rounded,
    "size": lists.length,
    "startswith": texts.startswith,
    "string": texts.string,
    "strip": texts.trim,
    "sum": lists.total,
    "trim": texts.trim,
    "upper": texts.upper,
}

#: ``x | name``, beside map, select, reject, selectattr and rejectattr.
FILTERS: dict[str, Function] = {
    **{name: function for name, function in FUNCTIONS.items() if name not in ("has", "len", "range", "size")},
    **{name: function for name, function in _TEXT_METHODS.items() if name != "join"},
    "add_time": dates.add_time,
    "batch": lists.batch,
    "count": lists.length,
    "d": lists.default,
    "date": dates.date,
    "first": lists.first,
    "from_json": texts.from_json,
    "fromjson": texts.from_json,
    "get": lists.get,
    "indent": texts.indent,
    "items": lists.pairs,
    "join": lists.join,
    "keys": lists.keys,
    "last": lists.last,
    "length": lists.length,
    "list": lists.as_list,
    "merge": lists.merge,
    "reverse": lists.reverse,
    "sort": lists.sort,
    "timestamp": dates.timestamp,
    "to_json": texts.to_json,
    "tojson": texts.to_json,
    "truncate": texts.truncate,
    "unique": lists.unique,
    "urlencode": texts.url_encode,
    "values": lists.values,
}


def _comparison(sign: str) -> Function:
    return lambda budget, value, other: compared(budget, sign, value, other)


#: ``x is name``
TESTS: dict[str, Function] = {
    "defined": lists.has,
    "undefined": lambda _, value: is_missing(value),
    "none": lambda _, value: value is None,
    "null": lambda _, value: value is None,
    "string": lambda _, value: isinstance(value, str),
    "number": lambda _, value: is_number(value),
    "integer": lambda _, value: is_number(value) and isinstance(value, int),
    "float": lambda _, value: isinstance(value, float),
    "boolean": lambda _, value: isinstance(value, bool),
    "true": lambda _, value: value is True,
    "false": lambda _, value: value is False,
    "mapping": lambda _, value: isinstance(value, dict),
    "sequence": lambda _, value: isinstance(value, (list, tuple, str)),
    "iterable": lambda _, value: isinstance(value, (list, tuple, str, dict)),
    "odd": lambda _, value: texts.whole(value, "odd") % 2 == 1,
    "even": lambda _, value: texts.whole(value, "even") % 2 == 0,
    "divisibleby": lambda _, value, by: _remainder(value, by) == 0,
    "in": lambda budget, value, whole: contains(budget, whole, value),
    "containing": _contains,
    "startingwith": texts.startswith,
    **{
        name: _comparison(sign)
        for sign, names in {
            "==": ("==", "eq", "equalto"),
            "!=": ("!=", "ne"),
            "<": ("<", "lt", "lessthan"),
            "<=": ("<=", "le"),
            ">": (">", "gt", "greaterthan"),
            ">=": (">=", "ge"),
        }.items()
        for name in names
    },
}


#: They give one of the values that they were given, or a value inside it.
_GIVES_WHAT_IS_THERE = frozenset((lists.default, lists.first, lists.last, lists.get, lists.lowest, lists.highest))


def call(budget: Budget, name: str, function: Function, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """What the function gives, charged for. Raises TemplateProblem, also for arguments that it does not take."""
    budget.tick()
    try:
        found = function(budget, *args, **named)
        return found if function in _GIVES_WHAT_IS_THERE else budget.made(found)
    except TypeError:
        try:
            inspect.signature(function).bind(budget, *args, **named)
        except TypeError:
            raise TemplateProblem(f"{name} was given arguments that it does not take") from None
        raise


def _remainder(value: Any, by: Any) -> int:
    if texts.whole(by, "divisibleby") == 0:
        raise TemplateProblem("nothing is divisible by 0")
    return texts.whole(value, "divisibleby") % texts.whole(by, "divisibleby")
