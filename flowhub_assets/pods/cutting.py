"""Ranges of a Python file's text that ast names, and the text without them, line for line."""

from __future__ import annotations

import ast
import io
from collections.abc import Iterable, Iterator, Mapping
from types import MappingProxyType

#: (line, column) of the first character and of the one behind the last; lines from 1, columns in bytes from 0, as ast.
Range = tuple[tuple[int, int], tuple[int, int]]

_Documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def cut(code: str, ranges: Iterable[Range], instead: Mapping[Range, str] = MappingProxyType({})) -> str:
    """``code`` without the characters of ``ranges``, or with those of ``instead``; all lines keep their numbers.

    What ``instead`` has for a range takes no more lines than the range did.
    """
    lines = code.encode().split(b"\n")
    # From the end to the beginning: what comes before a cut stays where it is. What lies in a larger one goes with it.
    for start, end in sorted(_outermost(ranges), reverse=True):
        (first, column), (last, behind) = start, end
        text = instead.get((start, end), "").encode()
        before, after = lines[first - 1][:column] + text, lines[last - 1][behind:]
        missing = last - first - text.count(b"\n")
        if missing:
            before = before.rstrip() + b"\n" * missing
        elif not after.strip():
            before, after = before.rstrip(), after.lstrip(b" ")
        lines[first - 1 : last] = (before + after).split(b"\n")
    return b"\n".join(lines).decode()


def lines_of(code: str) -> list[str]:
    """The lines of ``code`` with their ends, as ast counts them: a form feed ends none."""
    return io.StringIO(code).readlines()


def range_of(node: ast.expr | ast.stmt) -> Range:
    """From the first character of ``node`` to its last."""
    return (node.lineno, node.col_offset), end_of(node)


def end_of(node: ast.expr | ast.stmt) -> tuple[int, int]:
    """The place behind the last character of ``node``."""
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return node.end_lineno, node.end_col_offset


def segment(lines: list[bytes], place: Range) -> str:
    """What stands at ``place`` of a text whose ``lines``, without their ends, these are."""
    (first, column), (last, behind) = place
    found = lines[first - 1 : last]
    found[-1] = found[-1][:behind]
    found[0] = found[0][column:]
    return b"\n".join(found).decode()


def statements_in(node: ast.AST) -> Iterator[ast.AST]:
    """The statements right inside of one, with the ``except`` and ``case`` of it; expressions hold none."""
    for name in ("body", "handlers", "orelse", "finalbody", "cases"):
        inner = getattr(node, name, None)
        if isinstance(inner, list):
            yield from inner


def statements(tree: ast.AST) -> Iterator[ast.AST]:
    """``tree`` and all statements in it, in no order: far fewer than what ast.walk gives."""
    ahead = [tree]
    while ahead:
        node = ahead.pop()
        ahead += statements_in(node)
        yield node


def docstrings(tree: ast.Module) -> Iterator[tuple[ast.Expr, bool]]:
    """The statement of each docstring, and whether it is all that its function or class holds."""
    for node in statements(tree):
        if isinstance(node, _Documented) and node.body and isinstance(node.body[0], ast.Expr):
            first = node.body[0]
            if isinstance(first.value, ast.Constant) and isinstance(first.value.value, str):
                yield first, len(node.body) == 1 and not isinstance(node, ast.Module)


def _outermost(ranges: Iterable[Range]) -> Iterator[Range]:
    end = (0, 0)
    for one in sorted(ranges, key=lambda found: (found[0], (-found[1][0], -found[1][1]))):
        if one[1] > end:
            yield one
            end = one[1]
