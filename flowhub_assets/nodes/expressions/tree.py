"""Reads a template's tree: which statements it may have, which names it uses, and where Jinja must ask us first."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import TYPE_CHECKING, Any

from flowhub_assets.ir.spelling import did_you_mean
from flowhub_assets.nodes.expressions.functions import FUNCTIONS, METHODS, TESTS
from flowhub_assets.nodes.expressions.limits import DEEPEST
from flowhub_assets.nodes.expressions.names import Code, Name, unknown
from flowhub_assets.nodes.expressions.problem import TemplateProblem
from flowhub_assets.nodes.expressions.sandbox import COMPARE, EACH, FILTER_NAMES, JOIN, MADE, SLICE

if TYPE_CHECKING:
    from jinja2 import nodes

#: Names of Jinja's classes. What is not here is refused.
_ALLOWED = frozenset(
    "Template Output TemplateData For If Assign With Name Const Tuple List Dict Pair Keyword Getattr Getitem Slice "
    "CondExpr Call Filter Test Compare Operand Concat And Or Not Add Sub Mul Div FloorDiv Mod Pow Neg Pos".split()
)
_REFUSED = {
    "Include": "{% include %}",
    "Import": "{% import %}",
    "FromImport": "{% from … import %}",
    "Extends": "{% extends %}",
    "Block": "{% block %}",
    "Macro": "{% macro %}",
    "CallBlock": "{% call %}",
    "FilterBlock": "{% filter %}",
    "AssignBlock": "{% set %} with a block",
    "ScopedEvalContextModifier": "{% autoescape %}",
    "NSRef": "a namespace",
}
_OPERATORS = {"eq": "==", "ne": "!=", "gt": ">", "gteq": ">=", "lt": "<", "lteq": "<=", "in": "in", "notin": "not in"}


class TreeReader:
    """Checks a tree and replaces parts of it in place; ``names`` are the paths that begin with a known name.

    ``stands_for`` maps the identifiers that remain in the tree to the known names.
    """

    def __init__(self, text: str, code: Code, known: Collection[str]) -> None:
        self.text = text
        self.code = code
        self.known = known
        self.names: list[Name] = []
        self.stands_for: dict[str, str] = {}
        self._identifiers: dict[str, str] = {}

    def read(self, tree: nodes.Template) -> None:
        """Raises TemplateProblem for the first thing that a template may not hold."""
        self._block(tree.body, set(), 1)

    def _block(self, body: list[Any], bound: set[str], depth: int) -> None:
        for place, node in enumerate(body):
            body[place] = self._visit(node, bound, depth)

    def _visit(self, node: Any, bound: set[str], depth: int) -> Any:
        kind = type(node).__name__
        if kind not in _ALLOWED:
            raise TemplateProblem(
                f"a template may not use {_REFUSED.get(kind, kind)}",
                self._offset_of_line(node.lineno),
                "It has if, for, set and filters; larger texts are put together by several template nodes.",
            )
        if depth > DEEPEST:
            raise TemplateProblem(
                f"more than {DEEPEST} steps lie inside one another", self._offset_of_line(node.lineno)
            )
        special = getattr(self, f"_on_{kind.lower()}", None)
        if special is not None:
            return special(node, bound, depth)
        return self._children(node, bound, depth)

    def _children(self, node: Any, bound: set[str], depth: int) -> Any:
        for name, value in list(node.iter_fields()):
            if isinstance(value, list):
                self._block_of_nodes(value, bound, depth + 1)
            elif hasattr(value, "iter_fields"):
                setattr(node, name, self._visit(value, bound, depth + 1))
        return node

    def _block_of_nodes(self, values: list[Any], bound: set[str], depth: int) -> None:
        for place, value in enumerate(values):
            if hasattr(value, "iter_fields"):
                values[place] = self._visit(value, bound, depth)

    # Statements, which bind names.

    def _on_for(self, node: Any, bound: set[str], depth: int) -> Any:
        if node.recursive:
            raise TemplateProblem("a template may not use a recursive loop", self._offset_of_line(node.lineno))
        node.iter = _asked(node, EACH, self._visit(node.iter, bound, depth + 1))
        inner = bound | self._targets(node.target)
        if node.test is not None:
            node.test = self._visit(node.test, inner, depth + 1)
        self._block(node.body, inner | {"loop"}, depth + 1)
        self._block(node.else_, set(bound), depth + 1)
        return node

    def _on_assign(self, node: Any, bound: set[str], depth: int) -> Any:
        node.node = self._visit(node.node, bound, depth + 1)
        bound |= self._targets(node.target)
        return node

    def _on_with(self, node: Any, bound: set[str], depth: int) -> Any:
        self._block_of_nodes(node.values, bound, depth + 1)
        inner = set(bound)
        for target in node.targets:
            inner |= self._targets(target)
        self._block(node.body, inner, depth + 1)
        return node

    def _targets(self, target: Any) -> set[str]:
        """The names that it binds; a known one may be covered by a variable."""
        if type(target).__name__ == "Tuple":
            return {name for item in target.items for name in self._targets(item)}
        if type(target).__name__ != "Name":
            raise TemplateProblem("a template may not use a namespace", self._offset_of_line(target.lineno))
        if target.name == "loop":
            raise TemplateProblem("'loop' is what a loop itself is called", self._offset_of_line(target.lineno))
        if target.name in self.code.names:
            target.name = self._canonical(self.code.names[target.name][0])
        return {target.name}

    # Expressions.

    def _on_name(self, node: Any, bound: set[str], _: int, path: tuple[str, ...] = ()) -> Any:
        if node.name in self.code.names:
            known, offset = self.code.names[node.name]
            node.name = self._canonical(known)
            if node.name not in bound:
                self.names.append(Name((known, *path), offset))
        elif node.name not in bound and node.name not in FUNCTIONS:
            raise unknown(node.name, self.code, self.known)
        return node

    def _on_getattr(self, node: Any, bound: set[str], depth: int) -> Any:
        return self._path(node, (), bound, depth)

    def _on_getitem(self, node: Any, bound: set[str], depth: int) -> Any:
        return self._path(node, (), bound, depth)

    def _path(self, node: Any, path: tuple[str, ...], bound: set[str], depth: int) -> Any:
        """A chain of steps; ``path`` is what follows it, as far as it is constant."""
        kind = type(node).__name__
        if depth > DEEPEST:
            raise TemplateProblem(
                f"more than {DEEPEST} steps lie inside one another", self._offset_of_line(node.lineno)
            )
        if kind == "Name":
            return self._on_name(node, bound, depth, path)
        if kind == "Getattr":
            node.node = self._path(node.node, (node.attr, *path), bound, depth + 1)
            return node
        if kind != "Getitem":
            return self._visit(node, bound, depth)
        key = node.arg
        if type(key).__name__ == "Slice":
            value = self._path(node.node, (), bound, depth + 1)
            bounds = [self._constant(node, None) if one is None else one for one in (key.start, key.stop, key.step)]
            self._block_of_nodes(bounds, bound, depth + 1)
            return _asked(node, SLICE, value, *bounds)
        constant = type(key).__name__ == "Const" and isinstance(key.value, (str, int))
        node.node = self._path(node.node, (str(key.value), *path) if constant else (), bound, depth + 1)
        node.arg = self._visit(key, bound, depth + 1)
        return node

    def _on_call(self, node: Any, bound: set[str], depth: int) -> Any:
        callee = node.node
        if type(callee).__name__ == "Getattr" and any(callee.attr in methods for methods in METHODS.values()):
            # x.upper(): only x is a path to a value.
            callee.node = self._visit(callee.node, bound, depth + 1)
            for name in ("args", "kwargs"):
                self._block_of_nodes(getattr(node, name), bound, depth + 1)
            if node.dyn_args is not None or node.dyn_kwargs is not None:
                raise TemplateProblem("a template may not use * in a call", self._offset_of_line(node.lineno))
            return node
        if (
            type(callee).__name__ == "Name"
            and callee.name in self.code.others
            and callee.name not in {*bound, *FUNCTIONS}
        ):
            raise unknown(callee.name, self.code, (), FUNCTIONS)
        return self._children(node, bound, depth)

    def _on_condexpr(self, node: Any, bound: set[str], depth: int) -> Any:
        if node.expr2 is None:
            raise TemplateProblem(
                "an if inside of braces needs an else",
                self._offset_of_line(node.lineno),
                "Write {{ a if condition else '' }}.",
            )
        return self._children(node, bound, depth)

    def _on_compare(self, node: Any, bound: set[str], depth: int) -> Any:
        rest: list[Any] = []
        for operand in node.ops:
            rest.append(self._constant(node, _OPERATORS[operand.op]))
            rest.append(self._visit(operand.expr, bound, depth + 1))
        return _asked(node, COMPARE, self._visit(node.expr, bound, depth + 1), *rest)

    def _on_concat(self, node: Any, bound: set[str], depth: int) -> Any:
        self._block_of_nodes(node.nodes, bound, depth + 1)
        return _asked(node, JOIN, *node.nodes)

    def _on_filter(self, node: Any, bound: set[str], depth: int) -> Any:
        self._require(node, "filter", FILTER_NAMES)
        return self._children(node, bound, depth)

    def _on_test(self, node: Any, bound: set[str], depth: int) -> Any:
        self._require(node, "test", tuple(TESTS))
        return self._children(node, bound, depth)

    def _require(self, node: Any, what: str, names: Collection[str]) -> None:
        if node.name not in names:
            few = ", ".join(sorted(name for name in names if name.isalpha()))
            remedy = did_you_mean(node.name, names) or f"Known are {few}."
            offset = self.text.find(node.name, self._offset_of_line(node.lineno))
            raise TemplateProblem(f"there is no {what} {node.name!r}", max(offset, 0), remedy)

    def _on_list(self, node: Any, bound: set[str], depth: int) -> Any:
        return _asked(node, MADE, self._children(node, bound, depth))

    _on_tuple = _on_list
    _on_dict = _on_list

    def _on_if(self, node: Any, bound: set[str], depth: int) -> Any:
        node.test = self._visit(node.test, bound, depth + 1)
        # Jinja lets a variable that is set in one branch be read after the if.
        self._block(node.body, bound, depth + 1)
        self._block(node.elif_, bound, depth + 1)
        self._block(node.else_, bound, depth + 1)
        return node

    def _canonical(self, known: str) -> str:
        """One identifier for all places of a known name."""
        if known not in self._identifiers:
            made = f"{self.code.prefix}of_{len(self._identifiers)}"
            self._identifiers[known] = made
            self.stands_for[made] = known
        return self._identifiers[known]

    def _constant(self, node: Any, value: Any) -> Any:
        from jinja2 import nodes

        return nodes.Const(value, lineno=node.lineno)

    def _offset_of_line(self, line: int | None) -> int:
        return offset_of_line(self.text, line or 1)


def offset_of_line(text: str, line: int) -> int:
    """Where the first code of the line, counted from 1, begins: Jinja itself tells no more than the line."""
    start = 0
    for _ in range(line - 1):
        start = text.find("\n", start) + 1
    code = re.compile(r"\{[{%]").search(text, start)
    return code.start() if code else start


def _asked(node: Any, name: str, value: Any, *args: Any) -> Any:
    from jinja2 import nodes

    return nodes.Filter(value, name, list(args), [], None, None, lineno=node.lineno, environment=node.environment)
