"""Reads a condition into a tree of Python's, which holds nothing but what a condition may use."""

from __future__ import annotations

import ast
import re
import warnings
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from flowhub_assets.nodes.expressions.functions import FUNCTIONS, METHODS
from flowhub_assets.nodes.expressions.limits import DEEPEST
from flowhub_assets.nodes.expressions.names import Code, Name, NameReader, free_prefix, tokens, unknown
from flowhub_assets.nodes.expressions.problem import TemplateProblem

#: Characters.
LONGEST = 10_000
#: Written as in JSON and YAML, or as in Python.
CONSTANTS: Mapping[str, object] = {"true": True, "false": False, "null": None, "none": None}

_ALLOWED = (
    ast.Expr,
    ast.Constant,
    ast.Name,
    ast.Attribute,
    ast.Subscript,
    ast.Call,
    ast.keyword,
    ast.List,
    ast.Tuple,
    ast.Dict,
    ast.BoolOp,
    ast.BinOp,
    ast.UnaryOp,
    ast.Compare,
    ast.IfExp,
)
_OPERATORS = (
    *(ast.And, ast.Or, ast.Not, ast.USub, ast.UAdd),
    *(ast.Add, ast.Sub, ast.Mult, ast.Div, ast.FloorDiv, ast.Mod, ast.Pow),
    *(ast.Eq, ast.NotEq, ast.Lt, ast.LtE, ast.Gt, ast.GtE, ast.In, ast.NotIn, ast.Is, ast.IsNot),
)
_NO_BRACES = "A condition needs no braces: write a.output.count > 3."
_OTHER_WORDS = (
    (re.compile("&&"), "&&", "Write and for &&."),
    (re.compile(r"\|\|"), "||", "Write or for ||."),
    (re.compile(r"!(?!=)"), "!", "Write not for !."),
    (re.compile(r"(?<![=!<>])=(?!=)"), "=", "Write == to compare."),
    (re.compile(r"\{%"), "{%", "A condition is an expression: write a.output.count > 3."),
    (re.compile(r"\?"), "?", "Write a if condition else b for condition ? a : b."),
    (re.compile(r"\|"), "|", "Filters go in templates only: write len(x) for x | length."),
)


@dataclass(frozen=True)
class Condition:
    """``identifiers`` are those that stand in the ``tree`` for names and keys; ``asked`` as in Code."""

    tree: ast.expr
    identifiers: Mapping[str, str]
    names: tuple[Name, ...]
    asked: Mapping[str, bool]


def read_condition(text: str, known: Collection[str]) -> Condition:
    """The condition's tree. Raises TemplateProblem for wrong syntax, unknown names, and what may not stand in it."""
    if len(text) > LONGEST:
        raise TemplateProblem(f"the condition is longer than {LONGEST:,} characters")
    code = _code(text, known)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of '\d' and 1 is 1, which are told otherwise
            tree = ast.parse(code.text.strip(), mode="eval").body
    except SyntaxError as error:
        raise TemplateProblem(*_syntax_told(text, code, error)) from None
    except (RecursionError, MemoryError, ValueError):
        raise TemplateProblem("the condition cannot be read: it is nested too deeply, or holds a zero byte") from None
    names = list(_names(tree, code, known))
    return Condition(tree, {made: name for made, (name, _) in code.names.items()}, tuple(names), code.asked)


def _code(text: str, known: Collection[str]) -> Code:
    code = Code(free_prefix(text), keep_attributes=False)
    reader, depth = NameReader(code, known), 0
    for kind, word, offset in tokens(text, 0):
        depth = max(0, depth + (kind == "open") - (kind == "close"))
        if depth > DEEPEST:
            raise TemplateProblem(f"more than {DEEPEST} brackets lie inside one another", offset)
        if text.startswith("{{", offset) and kind == "open":
            raise TemplateProblem("a condition does not know '{{'", offset, _NO_BRACES)
        if word == "#":
            raise TemplateProblem("a condition holds no comment", offset)
        # A condition may be broken into lines.
        then = text[offset + len(word) : offset + len(word) + 8]
        reader.add(kind, " " if kind == "space" else word, offset, then, depth)
    return code


def _syntax_told(text: str, code: Code, error: SyntaxError) -> tuple[str, int, str]:
    if not text.strip():
        return "the condition is empty", 0, "Write one such as a.output.count > 3."
    bare = "".join(token if kind != "string" else "_" * len(token) for kind, token, _ in tokens(text, 0))
    for pattern, sign, remedy in _OTHER_WORDS:
        match = pattern.search(bare)
        if match:
            return f"a condition does not know {sign!r}", match.start(), remedy
    message = error.msg.partition(". Perhaps")[0].partition(" (<")[0]
    for made in sorted(code.names, key=len, reverse=True):
        message = message.replace(made, code.names[made][0])
    return f"the condition cannot be read: {message}", 0, ""


def _names(tree: ast.expr, code: Code, known: Collection[str]) -> Iterator[Name]:
    """The paths in the tree, which is checked on the way."""
    open_nodes: list[tuple[ast.AST, int]] = [(tree, 0)]
    while open_nodes:
        node, depth = open_nodes.pop(0)
        _require(node, depth)
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Name)):
            name = _path(node, code, known)
            if name is not None:
                yield name
        if isinstance(node, ast.Call):
            _open_call(node, code, open_nodes, depth)
        elif isinstance(node, (ast.Attribute, ast.Subscript)):
            open_nodes += [(inner, depth + 1) for inner in _inside_path(node)]
        else:
            children = ast.iter_child_nodes(node)
            open_nodes += [(child, depth + 1) for child in children if not isinstance(child, ast.expr_context)]


def _require(node: ast.AST, depth: int) -> None:
    if depth > DEEPEST:
        raise TemplateProblem(f"more than {DEEPEST} steps lie inside one another")
    if not isinstance(node, (*_ALLOWED, *_OPERATORS)):
        raise TemplateProblem(
            f"a condition may not use {_described(node)}",
            remedy="It has and, or, not, comparisons, in, arithmetic, and functions such as len(x).",
        )
    if isinstance(node, ast.Constant) and not isinstance(node.value, (str, int, float, bool, type(None))):
        raise TemplateProblem(f"a condition does not know the value {node.value!r}")
    if isinstance(node, ast.keyword) and node.arg is None:
        raise TemplateProblem("a condition may not use ** in a call")
    if isinstance(node, ast.Dict) and None in node.keys:
        raise TemplateProblem("a condition may not use ** in an object")


def _described(node: ast.AST) -> str:
    words = {
        "Lambda": "lambda",
        "NamedExpr": ":=",
        "JoinedStr": "f'...'",
        "Starred": "*",
        "Slice": "[:]",
        "ListComp": "[... for ...]",
        "GeneratorExp": "(... for ...)",
        "BitOr": "|",
        "BitAnd": "&",
        "Invert": "~",
        "LShift": "<<",
        "RShift": ">>",
    }
    return words.get(type(node).__name__, type(node).__name__)


def _path(node: ast.expr, code: Code, known: Collection[str]) -> Name | None:
    """The path that the node is, as far from its root as it is constant."""
    steps: list[str | None] = []
    while not isinstance(node, ast.Name):
        if isinstance(node, ast.Attribute):
            steps.append(code.names[node.attr][0] if node.attr in code.names else node.attr)
        elif isinstance(node, ast.Subscript):
            key = node.slice
            constant = isinstance(key, ast.Constant) and isinstance(key.value, (str, int))
            steps.append(str(key.value) if isinstance(key, ast.Constant) and constant else None)
        else:
            return None
        node = node.value
    if node.id in CONSTANTS:
        return None
    if node.id not in code.names:
        raise unknown(node.id, code, known)
    steps.reverse()
    constant_steps = steps[: steps.index(None)] if None in steps else steps
    root, offset = code.names[node.id]
    return Name((root, *(step for step in constant_steps if step is not None)), offset)


def _inside_path(node: ast.expr) -> Iterator[ast.expr]:
    """What a chain of steps holds that is no step: the keys in its brackets, and what it begins with."""
    while isinstance(node, (ast.Attribute, ast.Subscript)):
        if isinstance(node, ast.Subscript):
            yield node.slice
        node = node.value
    if not isinstance(node, ast.Name):
        yield node


def _open_call(node: ast.Call, code: Code, open_nodes: list[tuple[ast.AST, int]], depth: int) -> None:
    """Checks what is called, and adds what it is given to ``open_nodes``."""
    open_nodes += [(inner, depth + 1) for inner in (*node.args, *node.keywords)]
    callee = node.func
    if isinstance(callee, ast.Name):
        if callee.id in code.names:
            raise TemplateProblem(f"{code.names[callee.id][0]!r} cannot be called", code.names[callee.id][1])
        if callee.id not in FUNCTIONS:
            raise unknown(callee.id, code, (), FUNCTIONS)
    elif isinstance(callee, ast.Attribute):
        method, offset = code.names.get(callee.attr, (callee.attr, 0))
        methods = {name for table in METHODS.values() for name in table}
        if method not in methods:
            problem = unknown(method, Code("", others={method: (offset, method, offset)}), methods)
            raise TemplateProblem(f"there is no function {method!r}", offset, problem.remedy)
        open_nodes.append((callee.value, depth + 1))
    else:
        raise TemplateProblem("only functions can be called in a condition")
