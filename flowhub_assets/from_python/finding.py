"""Which files of a folder are workflow files."""

from __future__ import annotations

import ast
import os
import re
from collections.abc import Iterator
from typing import Callable, Optional

_NO_CODE = frozenset(("__pycache__", "venv", "env", "site-packages", "node_modules", "build", "dist"))
_IMPORT = re.compile(
    r"^[ \t]*(?:from[ \t]+flowhub(?:_assets)?(?:\.[\w.]+)?[ \t]+import[ \t]*(?:\([^)]*\)|[^\n]*)"
    r"|import[ \t]+flowhub(?:_assets)?\b[^\n]*)",
    re.MULTILINE,
)
_PACKAGES = ("flowhub", "flowhub_assets")


def find_files(folder: str, or_if: Optional[Callable[[str], bool]] = None) -> list[str]:
    """The files under ``folder`` that import the flow decorator, sorted. Nothing is imported.

    ``or_if`` says of a file's text whether it counts for another reason. Hidden folders, caches and virtual
    environments are passed over; so are helper packages without a flow, and files whose names begin with ``_``.
    A file that Python cannot read as code is among them if it looks like one: its mistake is to be told.
    """
    return [path for path in python_files(folder) if _counts(path, or_if)]


def python_files(folder: str, below: bool = True) -> list[str]:
    """The Python files under ``folder`` that may be a user's own, sorted; ``find_files`` says which are passed over."""
    return files_ending(folder, ".py", below=below)


def files_ending(folder: str, *endings: str, below: bool = True) -> list[str]:
    """The files under ``folder`` whose names end so, sorted; hidden ones and those of environments are passed over.

    With ``below=False`` only those in the folder itself.
    """
    found = []
    for place, folders, files in os.walk(folder):
        if "pyvenv.cfg" in files:
            folders.clear()
            continue
        folders[:] = sorted(name for name in folders if not name.startswith(".") and name not in _NO_CODE)
        if not below:
            folders.clear()
        found += [os.path.join(place, name) for name in files if name.endswith(endings) and name[0] not in "._"]
    return sorted(found)


def _counts(path: str, or_if: Optional[Callable[[str], bool]]) -> bool:
    try:
        with open(path, "rb") as file:
            code = file.read()
    except OSError:
        return False
    text = code.decode("utf-8", "replace")
    return _holds_flow(code, text) or (or_if is not None and or_if(text))


def _holds_flow(code: bytes, text: str) -> bool:
    if not any(
        re.search(r"\bflow\b|\*", _without_module(line)) or line.lstrip().startswith("import")
        for line in _imports(text)
    ):
        return False
    try:
        return any(_names_flow(node, text) for node in ast.walk(ast.parse(code)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return True


def _imports(text: str) -> Iterator[str]:
    return (match.group() for match in _IMPORT.finditer(text))


def _without_module(statement: str) -> str:
    return statement.partition("import")[2]


def _names_flow(node: ast.AST, text: str) -> bool:
    """Whether ``node`` imports the decorator: a text in a docstring does not."""
    if isinstance(node, ast.ImportFrom) and (node.module or "").partition(".")[0] in _PACKAGES:
        return any(alias.name in ("flow", "*") for alias in node.names)
    if isinstance(node, ast.Import) and any(alias.name.partition(".")[0] in _PACKAGES for alias in node.names):
        return re.search(r"^[ \t]*@[ \t]*[\w.]+\.flow\b", text, re.MULTILINE) is not None
    return False
