"""Texts of a Python file as they are when it runs: escapes read, and literals that are joined put together."""

from __future__ import annotations

import ast
from collections.abc import Container, Iterator

from flowhub_assets.pods.cutting import Range, range_of

#: Stands for what is only known when the file runs.
_UNKNOWN = "\0"


def composed_texts(tree: ast.Module, known: Container[Range]) -> Iterator[tuple[ast.expr, str]]:
    """Each string, f-string and sum of such ones in ``tree``, and its text; those at ``known`` places are left out."""
    for node in ast.walk(tree):
        if isinstance(node, (ast.Constant, ast.JoinedStr, ast.BinOp)):
            text = _text(node, known)
            if text.strip(_UNKNOWN):
                yield node, text


def _text(node: ast.expr, known: Container[Range]) -> str:
    if isinstance(node, ast.Constant) and isinstance(node.value, (str, bytes)) and range_of(node) not in known:
        return node.value if isinstance(node.value, str) else node.value.decode("latin-1")
    if isinstance(node, ast.JoinedStr):
        # Before Python 3.12, its parts have the place of the whole.
        parts = (one.value if isinstance(one, ast.Constant) else _UNKNOWN for one in node.values)
        return "".join(str(part) for part in parts)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return _text(node.left, known) + _text(node.right, known)
    return _UNKNOWN
