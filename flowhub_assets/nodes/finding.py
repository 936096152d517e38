"""Kinds of node in the files of a user's folders: found by their text, loaded one by one."""

from __future__ import annotations

import ast
import os
import re
from dataclasses import dataclass

from flowhub_assets.errors import FlowhubError
from flowhub_assets.from_python.finding import python_files
from flowhub_assets.from_python.loading import load_module
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.execution import file_of
from flowhub_assets.nodes.sdk import Node

_PACKAGES = ("flowhub", "flowhub_assets")
_MODULE = re.compile(r"\bflowhub(_assets)?\.nodes\b|\bfrom\s+flowhub(_assets)?\s+import\b.*\bnodes\b")
_REGISTERS = re.compile(r"\bregister\b")


@dataclass(frozen=True)
class NodeFile:
    """A file that registers kinds of node: the names of those that its own code defines, or what is wrong with it."""

    path: str
    kinds: tuple[str, ...] = ()
    error: FlowhubError | None = None


#: Path → size and time of the last change when it was loaded, and what came of it.
_loaded: dict[str, tuple[tuple[int, int], NodeFile]] = {}


def load_nodes(folder: str, below: bool = True) -> list[NodeFile]:
    """Loads the files under ``folder`` that register kinds of node, in the order of their paths.

    One that cannot be loaded says so in its ``error`` and hurts no other. A file that has not changed since is not
    loaded again; the kinds of one that has changed take the place of its former ones. With ``below=False`` only those
    in the folder itself: beside a single file, say, whose folder may hold anything.
    """
    return [_load(path) for path in find_node_files(folder, below)]


def find_node_files(folder: str, below: bool = True) -> list[str]:
    """The Python files under ``folder`` that import from ``flowhub.nodes`` and register something. None is imported."""
    return [path for path in python_files(folder, below) if _registers(path)]


def _load(path: str) -> NodeFile:
    path = os.path.abspath(path)
    version = _version(path)
    known = _loaded.get(path)
    if known is not None and known[0] == version:
        return known[1]
    _forget_kinds_of(path)
    try:
        load_module(path)
        loaded = NodeFile(path, tuple(kinds_of(path)))
    except FlowhubError as error:
        error.where = error.where or path
        error.effect = "none of its kinds of node can be used"
        _forget_kinds_of(path)
        loaded = NodeFile(path, error=error)
    _loaded[path] = version, loaded
    return loaded


def kinds_of(path: str) -> list[str]:
    """The names of the registered kinds whose classes stand in the file ``path``."""
    return [name for name, kind in registry.registered().items() if _is_in(kind, path)]


def _forget_kinds_of(path: str) -> None:
    for name in kinds_of(path):
        registry.forget(name)


def _is_in(kind: type[Node], path: str) -> bool:
    return os.path.abspath(file_of(kind)) == path


def _version(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (-1, -1)
    return status.st_size, status.st_mtime_ns


def _registers(path: str) -> bool:
    try:
        with open(path, "rb") as file:
            code = file.read()
    except OSError:
        return False
    text = code.decode("utf-8", "replace")
    if not (_MODULE.search(text) and _REGISTERS.search(text)):
        return False
    try:
        return any(_imports_nodes(statement) for statement in ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True  # its mistake is to be told


def _imports_nodes(statement: ast.AST) -> bool:
    """Whether it imports the SDK: a text in a docstring does not."""
    if isinstance(statement, ast.ImportFrom):
        package, _, rest = (statement.module or "").partition(".")
        names = {alias.name for alias in statement.names}
        return package in _PACKAGES and (rest.partition(".")[0] == "nodes" or (not rest and "nodes" in names))
    if isinstance(statement, ast.Import):
        return any(
            alias.name.split(".")[0] in _PACKAGES and alias.name.split(".")[1:2] == ["nodes"]
            for alias in statement.names
        )
    return False
