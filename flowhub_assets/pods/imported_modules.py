"""What the text of a Python file imports: at its top, inside its functions, and relative to its package."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from flowhub_assets.pods.cutting import statements_in


@dataclass(frozen=True)
class Imported:
    """One import: ``module`` is absolute, ``names`` are what ``from`` takes of it, ``line`` is where it stands.

    ``module`` is "" where a relative import leaves the package that it stands in. ``tried``: it stands in a ``try``.
    """

    module: str
    names: tuple[str, ...]
    line: int
    tried: bool


def imports_of(tree: ast.AST, package: str) -> Iterator[Imported]:
    """The imports in ``tree``, whose file belongs to ``package`` ("" for none), as it would meet them when it runs.

    What stands under ``if TYPE_CHECKING:`` is never met, so it is left out; a name that is only known at run time
    (``importlib.import_module(name)``) cannot be seen.
    """
    ahead: list[tuple[ast.AST, bool]] = [(tree, False)]
    while ahead:
        node, tried = ahead.pop()
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield Imported(alias.name, (), node.lineno, tried)
        elif isinstance(node, ast.ImportFrom):
            names = tuple(alias.name for alias in node.names)
            yield Imported(_absolute(node, package), names, node.lineno, tried)
        # The last one is looked at first: the imports come in the order of their lines.
        ahead.extend([(inner, tried or isinstance(node, ast.Try)) for inner in _met_in(node)][::-1])


def _absolute(node: ast.ImportFrom, package: str) -> str:
    if not node.level:
        return node.module or ""
    parts = package.split(".") if package else []
    if node.level > len(parts):
        return ""
    kept = parts[: len(parts) - node.level + 1]
    return ".".join([*kept, node.module] if node.module else kept)


def _met_in(node: ast.AST) -> Iterator[ast.AST]:
    return iter(node.orelse) if isinstance(node, ast.If) and is_for_type_checkers(node) else statements_in(node)


def is_for_type_checkers(node: ast.If) -> bool:
    """Whether the statement is ``if TYPE_CHECKING:``, whose body never runs."""
    test = node.test
    name = test.attr if isinstance(test, ast.Attribute) else test.id if isinstance(test, ast.Name) else ""
    return name == "TYPE_CHECKING"
