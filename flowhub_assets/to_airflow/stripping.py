"""Python code without what it does not need to run, every statement on the line where it was."""

from __future__ import annotations

import ast
import bisect
import re
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping

from flowhub_assets.to_airflow.cutting import Range, cut, docstrings, end_of, lines_of, range_of
from flowhub_assets.to_airflow.imported_modules import is_for_type_checkers

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


def without_unused(codes: Mapping[str, str], kept: Iterable[str]) -> dict[str, str]:
    """The texts of several modules without what none of them uses: functions and classes at the top, and imports.

    ``codes`` maps names of files (package/module.py) to texts, ``kept`` are names that others use. A function's or
    class's name counts wherever it stands, also as an attribute or in a string: what goes cannot be reached. Of an
    import all its names stay while one of them is used. Lines keep their numbers.
    """
    parts = [_Part(name, node) for name, code in codes.items() for node in ast.parse(code).body]
    left = parts
    while True:
        uses = Counter([*kept, *(name for part in left for name in part.names)])
        in_file = Counter((part.file, name) for part in left for name in part.names)
        needed = {(_file_of(part.module), name) for part in left if part.module for name in part.names}
        again = [part for part in left if not part.is_unused(uses, in_file, needed)]
        if len(again) == len(left):
            break
        left = again
    stays = set(map(id, left))
    gone = {name: [whole(part.node) for part in parts if part.file == name and id(part) not in stays] for name in codes}
    return {name: cut(code, gone[name]) for name, code in codes.items()}


class _Part:
    """A statement at the top of a file, and the names in it: those of an import are what it binds."""

    def __init__(self, file: str, node: ast.stmt) -> None:
        self.file = file
        self.node = node
        self.module = (node.module or "") if isinstance(node, ast.ImportFrom) and node.module != "__future__" else ""
        self.names = {alias.asname or alias.name for alias in node.names} if self.module else set(_names(node))  # type: ignore[attr-defined]

    def is_unused(
        self, uses: Mapping[str, int], in_file: Mapping[tuple[str, str], int], needed: Container[tuple[str, str]]
    ) -> bool:
        """Whether nothing else names it: in any file, or, of an import, in its own and in those that import from it."""
        if self.module:
            return not any(in_file[self.file, name] > 1 or (self.file, name) in needed for name in self.names)
        if not isinstance(self.node, (*_Function, ast.ClassDef)) or self.node.name.startswith("__"):
            return False
        return uses[self.node.name] == (1 if self.node.name in self.names else 0)


def _file_of(module: str) -> str:
    return module.replace(".", "/") + ".py"


def _names(tree: ast.AST) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Name):
            yield node.id
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, (ast.Import, ast.ImportFrom)):
            yield from (alias.name.rpartition(".")[2] for alias in node.names)
        elif isinstance(node, ast.Constant) and isinstance(node.value, str):
            yield from re.findall(r"\w+", node.value)


def _for_type_checkers(tree: ast.Module, code: str) -> Iterator[Range]:
    lines = lines_of(code)
    for node in ast.walk(tree):
        if isinstance(node, _Function):
            yield from _annotations(node, lines)
        for body in _bodies(node):
            for statement in body:
                if len(body) > 1 and (_is_checked_only(statement) or _is_overload(statement)):
                    yield whole(statement)
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


def whole(statement: ast.stmt) -> Range:
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
