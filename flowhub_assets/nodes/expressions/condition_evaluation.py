"""simpleeval with the operators, functions and steps of templates, on a tree that condition_code has checked."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from typing import Any

from simpleeval import SimpleEval

from flowhub_assets.nodes.expressions.condition_code import CONSTANTS, Condition
from flowhub_assets.nodes.expressions.functions import FUNCTIONS, METHODS, call
from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.list_functions import made
from flowhub_assets.nodes.expressions.lookup import Missing, inside
from flowhub_assets.nodes.expressions.operations import calculated, compared, negated, there
from flowhub_assets.nodes.expressions.problem import TemplateProblem, described

_CALCULATIONS: dict[type[ast.operator], str] = {
    ast.Add: "+",
    ast.Sub: "-",
    ast.Mult: "*",
    ast.Div: "/",
    ast.FloorDiv: "//",
    ast.Mod: "%",
    ast.Pow: "**",
}
_COMPARISONS: dict[type[ast.cmpop], str] = {
    ast.Eq: "==",
    ast.NotEq: "!=",
    ast.Lt: "<",
    ast.LtE: "<=",
    ast.Gt: ">",
    ast.GtE: ">=",
    ast.In: "in",
    ast.NotIn: "not in",
    ast.Is: "==",
    ast.IsNot: "!=",
}


class Evaluation(SimpleEval):  # type: ignore[misc]
    """One evaluation of one condition."""

    def __init__(self, condition: Condition, scope: Mapping[str, Any], budget: Budget) -> None:
        super().__init__(operators={}, functions={}, names={})
        self._identifiers = condition.identifiers
        self._scope = scope
        self._budget = budget
        self.nodes = {
            ast.Constant: lambda node: node.value,
            ast.Name: self._name,
            ast.Attribute: self._attribute,
            ast.Subscript: self._subscript,
            ast.Call: self._call,
            ast.List: self._list,
            ast.Tuple: self._list,
            ast.Dict: self._dict,
            ast.BoolOp: self._and_or,
            ast.BinOp: self._calculation,
            ast.UnaryOp: self._unary,
            ast.Compare: self._comparison,
            ast.IfExp: self._if,
        }

    def _eval(self, node: ast.AST) -> Any:
        # simpleeval's own searches each value for functions, to the last entry of the scope.
        self._budget.tick()
        return self.nodes[type(node)](node)

    def _value(self, node: ast.AST) -> Any:
        value = self._eval(node)
        there(value)
        return value

    def _name(self, node: ast.Name) -> Any:
        if node.id not in self._identifiers:
            return CONSTANTS[node.id]
        name = self._identifiers[node.id]
        return self._scope[name] if name in self._scope else Missing(f"{name!r} has no value here", key=name)

    def _attribute(self, node: ast.Attribute) -> Any:
        return inside(self._eval(node.value), self._identifiers.get(node.attr, node.attr))

    def _subscript(self, node: ast.Subscript) -> Any:
        return inside(self._eval(node.value), self._value(node.slice))

    def _call(self, node: ast.Call) -> Any:
        args = [self._eval(arg) for arg in node.args]
        named = {keyword.arg: self._eval(keyword.value) for keyword in node.keywords if keyword.arg}
        named = {self._identifiers.get(name, name): value for name, value in named.items()}
        if isinstance(node.func, ast.Name):
            return call(self._budget, node.func.id, FUNCTIONS[node.func.id], tuple(args), named)
        assert isinstance(node.func, ast.Attribute)
        name = self._identifiers.get(node.func.attr, node.func.attr)
        value = self._value(node.func.value)
        function = METHODS.get(type(value), {}).get(name)
        if function is None:
            raise TemplateProblem(f"{described(value)} has no function {name!r}")
        return call(self._budget, name, function, (value, *args), named)

    def _list(self, node: ast.List | ast.Tuple) -> Any:
        return made(self._budget, [self._value(item) for item in node.elts])

    def _dict(self, node: ast.Dict) -> Any:
        keys = [self._value(key) for key in node.keys if key is not None]
        if not all(isinstance(key, str) for key in keys):
            raise TemplateProblem("a key of an object is a text")
        return made(self._budget, dict(zip(keys, map(self._value, node.values), strict=True)))

    def _and_or(self, node: ast.BoolOp) -> bool:
        ends_with = isinstance(node.op, ast.Or)
        word = "or" if ends_with else "and"
        return (
            any(self._true(item, word) for item in node.values)
            if ends_with
            else all(self._true(item, word) for item in node.values)
        )

    def _unary(self, node: ast.UnaryOp) -> Any:
        if isinstance(node.op, ast.Not):
            return not self._true(node.operand, "not")
        return negated(self._budget, "-" if isinstance(node.op, ast.USub) else "+", self._eval(node.operand))

    def _if(self, node: ast.IfExp) -> Any:
        return self._eval(node.body if self._true(node.test, "if") else node.orelse)

    def _calculation(self, node: ast.BinOp) -> Any:
        left = self._eval(node.left)
        return calculated(self._budget, _CALCULATIONS[type(node.op)], left, self._eval(node.right))

    def _comparison(self, node: ast.Compare) -> bool:
        left = self._eval(node.left)
        for operator, comparator in zip(node.ops, node.comparators, strict=True):
            right = self._eval(comparator)
            if not compared(self._budget, _COMPARISONS[type(operator)], left, right):
                return False
            left = right
        return True

    def _true(self, node: ast.AST, word: str) -> bool:
        value = self._value(node)
        if not isinstance(value, bool):
            raise TemplateProblem(
                f"{word!r} takes true and false only, not {described(value)}", remedy=remedy_for(value)
            )
        return value


def remedy_for(value: Any) -> str:
    """How to make a condition out of a value that is none."""
    if isinstance(value, str):
        return "Compare it with something: name == 'a', or len(name) > 0."
    if isinstance(value, (list, dict)):
        return "Ask for its length: len(name) > 0."
    return "Compare it with something: name > 0, or name != null."
