"""What travels of our own code: the same program, the same lines."""

from __future__ import annotations

import ast
import io
import tokenize
from collections.abc import Iterator
from pathlib import Path

import pytest

import flowhub_assets
from flowhub_assets.pods.stripping import stripped

PACKAGE = Path(flowhub_assets.__path__[0])
OURS = sorted(
    path
    for room in ("*.py", "ir/*.py", "runtime/*.py", "from_python/**/*.py", "templates/*.py")
    for path in PACKAGE.glob(room)
)


class Bare(ast.NodeTransformer):
    """The tree without what may be taken out of the text."""

    def _documented(self, node: ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef) -> ast.AST:
        if ast.get_docstring(node, clean=False) is not None:
            rest = node.body[1:]
            node.body = rest or ([] if isinstance(node, ast.Module) else [ast.Expr(ast.Constant(...))])
        node.body = [one for one in node.body if len(node.body) == 1 or not self._is_for_type_checkers(one)]
        self.generic_visit(node)
        return node

    visit_Module = visit_ClassDef = _documented  # noqa: N815 - names of ast's own

    def visit_FunctionDef(self, node: ast.FunctionDef) -> ast.AST:
        node.returns = None
        return self._documented(node)

    def visit_arg(self, node: ast.arg) -> ast.AST:
        node.annotation = None
        return node

    @staticmethod
    def _is_for_type_checkers(node: ast.stmt) -> bool:
        if isinstance(node, ast.If):
            return isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING"
        return isinstance(node, ast.FunctionDef) and any(
            isinstance(one, ast.Name) and one.id == "overload" for one in node.decorator_list
        )


class NoLocalAnnotations(ast.NodeTransformer):
    """The tree without annotations of variables inside functions, and of what has a value elsewhere."""

    def visit_ClassDef(self, node: ast.ClassDef) -> ast.AST:
        node.body = [one if isinstance(one, ast.AnnAssign) else self.visit(one) for one in node.body]
        return node

    def visit_AnnAssign(self, node: ast.AnnAssign) -> ast.AST:
        return node if node.value is None else ast.Assign([node.target], node.value)


def program(code: str) -> str:
    return ast.dump(NoLocalAnnotations().visit(Bare().visit(ast.parse(code))))


def comments(code: str) -> Iterator[str]:
    for token in tokenize.generate_tokens(io.StringIO(code).readline):
        if token.type == tokenize.COMMENT:
            yield token.string


@pytest.mark.parametrize("path", OURS, ids=lambda path: str(path.relative_to(PACKAGE)))
def test_our_own_files_are_the_same_program_on_the_same_lines(path: Path) -> None:
    code = path.read_text("utf-8")
    short = stripped(code)
    assert program(short) == program(code)
    assert list(comments(short)) == []
    assert short.count("\n") == code.count("\n")
    before, after = (
        [(one.lineno, ast.dump(one)) for one in ast.walk(ast.parse(text)) if isinstance(one, (ast.Call, ast.Raise))]
        for text in (code, short)
    )
    assert set(after) <= set(before)


def test_every_form_that_goes_and_every_one_that_stays() -> None:
    code = '''\
"""Module."""
from __future__ import annotations
from typing import TYPE_CHECKING, overload  # said

if TYPE_CHECKING:
    import heavy

class Known:
    """Only this."""

class Field:
    """Documented."""

    name: str = "# no comment"  # one

    def get(self, key: dict[str, "int"], *rest: int, other: str = "a->b", **more: object) -> list[
        str
    ]:
        """Gives 한글 # not a comment."""
        found: list[str] = []  # local
        later: int
        return found

class Only:
    if TYPE_CHECKING:
        x: int

@overload
def twice(value: int) -> int: ...
def twice(value):
    return f"{value}#{value}"
'''
    assert (
        stripped(code)
        == """\

from __future__ import annotations
from typing import TYPE_CHECKING, overload




class Known:
    ...

class Field:


    name: str = "# no comment"

    def get(self, key, *rest, other = "a->b", **more) -> list[
        str
    ]:

        found = []
        later: int
        return found

class Only:
    if TYPE_CHECKING:
        x: int



def twice(value):
    return f"{value}#{value}"
"""
    )
