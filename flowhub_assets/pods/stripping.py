"""Python code without what it does not need to run, every statement on the line where it was."""

from __future__ import annotations

import ast
import bisect
import re
from collections.abc import Iterator

from flowhub_assets.pods.cutting import Range, cut, docstrings, end_of, lines_of, range_of, statements
from flowhub_assets.pods.imported_modules import is_for_type_checkers

_Function = (ast.FunctionDef, ast.AsyncFunctionDef)

#: Every string, so that a # inside of one is none, or a comment to its end.
_TEXT_OR_COMMENT = re.compile(
    r"""(\"\"\"|\'\'\')(?:[^\\]|\\.)*?\1|"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*'|#[^\n]*""", re.DOTALL
)


def stripped(code: str) -> str:
    """``code`` without comments, docstrings, and what only type checkers read; lines keep their numbers.

    The latter are annotations of parameters, results and local variables, overloads, and what stands under
    ``if TYPE_CHECKING:``. Fields of classes keep their annotations, which dataclasses read. A docstring that is all of
    a body becomes ``...``. ``code`` must have ``from __future__ import annotations``, one statement to a line, and be
    what Python 3.9 reads. Raises SyntaxError for what is no Python.
    """
    tree = ast.parse(code)
    instead = {range_of(one): "..." if alone else "" for one, alone in docstrings(tree)}
    return cut(code, [*_comments(code), *_for_type_checkers(tree, code), *instead], instead)


def _for_type_checkers(tree: ast.Module, code: str) -> Iterator[Range]:
    lines = lines_of(code)
    for node in statements(tree):
        if isinstance(node, _Function):
            yield from _annotations(node, lines)
        for body in _bodies(node):
            for statement in body:
                if len(body) > 1 and (_is_checked_only(statement) or _is_overload(statement)):
                    yield _whole(statement)
                elif isinstance(node, _Function) or not isinstance(node, (ast.ClassDef, ast.Module)):
                    yield from _local_annotation(statement)


def _bodies(node: ast.AST) -> Iterator[list[ast.stmt]]:
    for field in ("body", "orelse", "finalbody"):
        body = getattr(node, field, None)
        if isinstance(body, list):
            yield body


def _is_checked_only(statement: ast.stmt) -> bool:
    return isinstance(statement, ast.If) and is_for_type_checkers(statement) and not statement.orelse


def _is_overload(statement: ast.stmt) -> bool:
    return isinstance(statement, _Function) and any(
        isinstance(one, ast.Name) and one.id == "overload" for one in statement.decorator_list
    )


def _annotations(function: ast.FunctionDef | ast.AsyncFunctionDef, lines: list[str]) -> Iterator[Range]:
    given = function.args
    for one in (*given.posonlyargs, *given.args, given.vararg, *given.kwonlyargs, given.kwarg):
        if one is not None and one.annotation is not None:
            yield (one.lineno, one.col_offset + len(one.arg.encode())), end_of(one.annotation)
    # Outside of brackets a line break ends the statement.
    if function.returns is not None and _is_on_one_line(function.returns):
        number, column = function.returns.lineno, function.returns.col_offset
        arrow = lines[number - 1].encode().rfind(b"->", 0, column)
        if arrow >= 0:
            yield (number, arrow), end_of(function.returns)


def _local_annotation(statement: ast.stmt) -> Iterator[Range]:
    if isinstance(statement, ast.AnnAssign) and statement.value is not None and _is_on_one_line(statement.annotation):
        yield end_of(statement.target), end_of(statement.annotation)


def _is_on_one_line(annotation: ast.expr) -> bool:
    return annotation.lineno == annotation.end_lineno


def _whole(statement: ast.stmt) -> Range:
    """The lines of ``statement``, its decorators among them."""
    decorators = getattr(statement, "decorator_list", [])
    first = min([statement.lineno, *(one.lineno for one in decorators)])
    return (first, 0), end_of(statement)


def _comments(code: str) -> Iterator[Range]:
    if "#" not in code:
        return
    starts = [0]
    for line in lines_of(code):
        starts.append(starts[-1] + len(line))
    for found in _TEXT_OR_COMMENT.finditer(code):
        if found.group().startswith("#"):
            number = bisect.bisect_right(starts, found.start())
            column = len(code[starts[number - 1] : found.start()].encode())
            yield (number, column), (number, column + len(found.group().encode()))
