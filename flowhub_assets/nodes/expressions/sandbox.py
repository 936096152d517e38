"""Jinja's immutable sandbox, narrowed to plain JSON values and to the functions of template_functions.

Jinja compiles and runs the templates; what it would do to a value (a step inside, a call, an operator, a filter, a
loop) is done by functions of ours that look at types and at the Budget first. Statements that include, import,
inherit, define macros or keep state are refused when the template is read.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from flowhub_assets.nodes.expressions import list_functions as lists
from flowhub_assets.nodes.expressions import text_functions as texts
from flowhub_assets.nodes.expressions.functions import FILTERS, FUNCTIONS, METHODS, TESTS, Function, call
from flowhub_assets.nodes.expressions.limits import Budget, Counted
from flowhub_assets.nodes.expressions.lookup import Missing, inside, is_missing
from flowhub_assets.nodes.expressions.operations import calculated, compared, negated, there
from flowhub_assets.nodes.expressions.problem import TemplateProblem, ValueAbsent, described
from flowhub_assets.nodes.expressions.text import text_of

if TYPE_CHECKING:
    from jinja2.runtime import Context
    from jinja2.sandbox import ImmutableSandboxedEnvironment

#: No template can write a name such as this one.
BUDGET = "(budget)"
#: What the tree's nodes are replaced with; no template can name them.
EACH, MADE, COMPARE, JOIN, SLICE = "(each)", "(made)", "(compare)", "(join)", "(slice)"

#: ``loop.name``
_LOOP_VALUES = frozenset(
    ("index", "index0", "revindex", "revindex0", "first", "last", "length", "previtem", "nextitem", "depth", "depth0")
)
_OPERATORS = frozenset(("+", "-", "*", "/", "//", "%", "**"))


class Callee:
    """A function, or a method ``x.upper`` with its x, until it is called."""

    __slots__ = ("first", "function", "name")

    def __init__(self, name: str, function: Function, *first: Any) -> None:
        self.name = name
        self.function = function
        self.first = first


def step(value: Any, name: Any, is_attribute: bool) -> Any:
    """``value.name`` or ``value[name]``: what is inside, else a method of the value's type."""
    found = inside(value, name)
    if isinstance(found, Missing) and is_attribute and found is not value:
        function = METHODS.get(type(value), {}).get(name)
        if function is not None:
            return Callee(name, function, value)
    return found


def call_value(budget: Budget, value: Any, args: tuple[Any, ...], named: Mapping[str, Any]) -> Any:
    """``value(...)``, of a Callee; nothing else can be called."""
    there(value)
    if isinstance(value, Callee):
        return call(budget, value.name, value.function, (*value.first, *args), named)
    raise TemplateProblem(f"{described(value)} cannot be called")


@functools.cache
def sandbox() -> ImmutableSandboxedEnvironment:
    """The environment; Jinja is imported for it."""
    from jinja2 import StrictUndefined, pass_context
    from jinja2.runtime import LoopContext
    from jinja2.sandbox import ImmutableSandboxedEnvironment

    class Unset(StrictUndefined):
        """A variable that the template itself never set."""

        stands_for_missing = True

        def fail(self, *_: object) -> NoReturn:
            name = self._undefined_name
            raise ValueAbsent(f"{name!r} has no value here" if name else "an if without else has no value here")

        __str__ = __bool__ = __iter__ = __len__ = __eq__ = __ne__ = __hash__ = __contains__ = fail

    class Sandbox(ImmutableSandboxedEnvironment):
        """Knows plain JSON, loops, and nothing else."""

        intercepted_binops = _OPERATORS
        intercepted_unops = frozenset(("+", "-"))

        def getattr(self, obj: Any, attribute: str) -> Any:
            if isinstance(obj, LoopContext):
                return getattr(obj, attribute) if attribute in _LOOP_VALUES else _no_loop_value(attribute)
            return step(obj, attribute, is_attribute=True)

        def getitem(self, obj: Any, argument: Any) -> Any:
            there(argument)
            return step(obj, argument, is_attribute=False)

        def call(self, context: Context, obj: Any, /, *args: Any, **named: Any) -> Any:
            for name in ("_loop_vars", "_block_vars"):  # Jinja adds them for functions that take a context
                named.pop(name, None)
            return call_value(context.parent[BUDGET], obj, args, named)

        def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
            return calculated(context.parent[BUDGET], operator, left, right)

        def call_unop(self, context: Context, operator: str, arg: Any) -> Any:
            return negated(context.parent[BUDGET], operator, arg)

    @pass_context
    def shown(context: Context, value: Any) -> str:
        return text_of(value, context.parent[BUDGET])

    environment = Sandbox(
        undefined=Unset, finalize=shown, keep_trailing_newline=True, autoescape=False, optimized=False
    )
    environment.globals.clear()
    environment.filters.clear()
    environment.tests.clear()
    environment.filters.update({name: pass_context(_filter(name, one)) for name, one in FILTERS.items()})
    environment.filters.update({name: pass_context(one) for name, one in _JINJA_FILTERS.items()})
    environment.tests.update({name: pass_context(_test(name, one)) for name, one in TESTS.items()})
    return environment


#: FUNCTIONS as values that can be called, and nothing else can be done with them.
CALLEES: dict[str, Callee] = {name: Callee(name, function) for name, function in FUNCTIONS.items()}


def _filter(name: str, function: Function) -> Function:
    def run(context: Context, value: Any, *args: Any, **named: Any) -> Any:
        return call(context.parent[BUDGET], name, function, (value, *args), named)

    return run


def _test(name: str, function: Function) -> Function:
    def run(context: Context, value: Any, *args: Any, **named: Any) -> Any:
        if name not in ("defined", "undefined"):
            there(value)
        return call(context.parent[BUDGET], name, function, (value, *args), named)

    return run


def _no_loop_value(name: str) -> NoReturn:
    raise TemplateProblem(f"loop has no {name!r}", remedy=f"It has {', '.join(sorted(_LOOP_VALUES))}.")


def _each(context: Context, value: Any) -> Counted:
    return Counted(context.parent[BUDGET], lists.items_of(value, "for"))


def _compare(context: Context, left: Any, *rest: Any) -> bool:
    for sign, right in zip(rest[::2], rest[1::2], strict=True):
        if not compared(context.parent[BUDGET], sign, left, right):
            return False
        left = right
    return True


def _map(context: Context, value: Any, name: Any = None, *args: Any, attribute: Any = None, default: Any = None) -> Any:
    budget = context.parent[BUDGET]
    if name is None:
        return lists.mapped(budget, value, None, texts.text(attribute, "map"), default)
    function = FILTERS.get(texts.text(name, "map"))
    if function is None:
        raise TemplateProblem(f"map does not know a filter {name!r}")
    return lists.mapped(budget, value, lambda item: call(budget, name, function, (item, *args), {}), None, default)


def _select(wanted: bool, by_attribute: bool, what: str) -> Callable[..., Any]:
    def run(context: Context, value: Any, *args: Any) -> Any:
        budget = context.parent[BUDGET]
        if by_attribute and not args:
            raise TemplateProblem(f"{what} takes the name of an attribute first")
        attribute, test = (args[0], args[1:]) if by_attribute else (None, args)

        def passes(item: Any) -> bool:
            if not test:
                return not is_missing(item) and bool(item)
            if test[0] not in TESTS:
                raise TemplateProblem(f"{what} does not know a test {test[0]!r}")
            return bool(_test(test[0], TESTS[test[0]])(context, item, *test[1:]))

        return budget.made(lists.selected(budget, value, passes, attribute, wanted, what))

    return run


#: The filters that call others, and the stand-ins for parts of the tree.
_JINJA_FILTERS: dict[str, Callable[..., Any]] = {
    "map": _map,
    "select": _select(True, False, "select"),
    "reject": _select(False, False, "reject"),
    "selectattr": _select(True, True, "selectattr"),
    "rejectattr": _select(False, True, "rejectattr"),
    EACH: _each,
    COMPARE: _compare,
    MADE: lambda context, value: lists.made(context.parent[BUDGET], value),
    JOIN: lambda context, *values: texts.joined(context.parent[BUDGET], *values),
    SLICE: lambda context, value, *bounds: lists.slice_of(context.parent[BUDGET], value, *bounds),
}

#: What can stand after ``|``.
FILTER_NAMES = (*FILTERS, *(name for name in _JINJA_FILTERS if name.isalpha()))
