"""Which names a Python file has at its top level, read from its text: the file is the author's code and is not run."""

from __future__ import annotations

import ast
import functools
import os
import warnings
from collections.abc import Iterator

_LARGEST_FILE = 1024 * 1024

#: With these a file can make names that do not stand in its text.
_DYNAMIC = frozenset({"globals", "vars", "locals", "setattr", "exec", "eval", "modules", "__getattr__", "__dict__"})

_SCOPES = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.Lambda)


def lacks(file: str, function: str) -> tuple[str, ...] | None:
    """The functions and classes that ``file`` has in place of ``function``; None if it has it, or it is not known.

    Any other way to bind the name counts, too: an import, an assignment. Nothing is known of a file that cannot be
    read, that imports ``*``, or that makes names as it runs.
    """
    try:
        found = os.stat(file)
        if not os.path.isfile(file) or found.st_size > _LARGEST_FILE:
            return None
        names = _names_of(file, found.st_mtime_ns, found.st_size)
    except (OSError, ValueError):
        return None
    if names is None or function.partition(".")[0] in names:
        return None
    return tuple(name for name, is_function in names.items() if is_function)


@functools.lru_cache(maxsize=256)
def _names_of(file: str, _changed: int, _size: int) -> dict[str, bool] | None:
    """The names of the file, and whether each is a function's or class's; read again when the file has changed."""
    with open(file, "rb") as opened:
        text = opened.read(_LARGEST_FILE + 1)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # whoever imports the file is told of them
            tree = ast.parse(text)
        if any(_is_dynamic(node) for node in ast.walk(tree)):
            return None
        names = dict.fromkeys(_global_names(tree), False)
        for node in _at_top_level(tree):
            names.update(dict.fromkeys(_bound(node), False))
            if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
                names[node.name] = True
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None  # importing it tells what is wrong
    return names


def _is_dynamic(node: ast.AST) -> bool:
    if isinstance(node, ast.ImportFrom):
        return any(alias.name == "*" for alias in node.names)
    if isinstance(node, ast.Name):
        return node.id in _DYNAMIC
    if isinstance(node, ast.Attribute):
        return node.attr in _DYNAMIC
    return isinstance(node, ast.FunctionDef) and node.name in _DYNAMIC


def _global_names(tree: ast.Module) -> Iterator[str]:
    """What functions make global."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Global):
            yield from node.names


def _at_top_level(tree: ast.Module) -> Iterator[ast.AST]:
    """All that runs when the file is imported: not what stands inside of functions and classes."""
    waiting: list[ast.AST] = list(tree.body)
    while waiting:
        node = waiting.pop()
        yield node
        if not isinstance(node, _SCOPES):
            waiting.extend(ast.iter_child_nodes(node))


def _bound(node: ast.AST) -> Iterator[str]:
    if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
        yield node.id
    elif isinstance(node, (ast.Import, ast.ImportFrom)):
        yield from (alias.asname or alias.name.partition(".")[0] for alias in node.names)
    elif isinstance(node, (ast.ExceptHandler, ast.MatchAs, ast.MatchStar)) and node.name:
        yield node.name
    elif isinstance(node, ast.MatchMapping) and node.rest:
        yield node.rest
