"""Which names a node's templates and conditions use, and where in its values each stands."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.errors import FlowhubError
from flowhub_assets.ir.pipeline import Node
from flowhub_assets.nodes import registry
from flowhub_assets.nodes.expressions.code import has_code
from flowhub_assets.nodes.verbatim import condition_paths, replaced, verbatim_paths

if TYPE_CHECKING:
    from flowhub_assets.nodes.expressions.templates import Name, TemplateProblem

Path = tuple[str | int, ...]

#: A word with hyphens: as much of a text as can be a node's id that nobody knows.
_WORD = re.compile(r"\$?\w+(?:-\w+)*")
_DOLLAR = re.compile(r"\$\w+")
_UNKNOWN = "there is no "
_MOST_UNKNOWN = 20


@dataclass(frozen=True)
class Use:
    """``name`` is used, or ``problem`` is wrong, in the ``text`` at ``path`` of a node."""

    path: Path
    text: str
    name: Name | None = None
    problem: TemplateProblem | None = None


def is_template(value: object) -> bool:
    """Whether ``value`` is a text that is rendered before the node gets it."""
    return isinstance(value, str) and has_code(value)


def holds_template(value: object) -> bool:
    """Whether ``value``, or anything in it, is rendered before the node gets it."""
    return any(True for _ in templates_in(value))


def templates_in(value: object, path: Path = ()) -> Iterator[tuple[Path, str]]:
    """The texts in ``value`` that are rendered, each with the keys that lead to it."""
    if isinstance(value, str):
        if is_template(value):
            yield path, value
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from templates_in(item, (*path, key))
    elif isinstance(value, list):
        for number, item in enumerate(value):
            yield from templates_in(item, (*path, number))


def template_uses(value: object, path: Path, known: Collection[str]) -> Iterator[Use]:
    """What the templates in ``value`` use; ``known`` are the names that may stand at the beginning of an expression."""
    from flowhub_assets.nodes.expressions.templates import template_names

    for place, text in templates_in(value, path):
        yield from _uses(template_names, text, place, known)


def condition_uses(text: str, path: Path, known: Collection[str]) -> Iterator[Use]:
    """What a condition uses."""
    from flowhub_assets.nodes.expressions.conditions import condition_names

    yield from _uses(condition_names, text, path, known)


def _uses(names_of: Any, text: str, path: Path, known: Collection[str]) -> Iterator[Use]:
    """The names in ``text``, those that are not known too: who knows more about them says what is wrong with each."""
    from flowhub_assets.nodes.expressions.templates import TemplateProblem  # most nodes have no templates

    # The languages themselves know no $ at all: a misspelt $now is to be found as a name, not as a wrong character.
    unknown = {word for word in _DOLLAR.findall(text) if word not in known}
    while True:
        try:
            for name in names_of(text, {*known, *unknown} if unknown else known):
                yield Use(path, text, name=name)
        except TemplateProblem as problem:
            word = _WORD.match(text, problem.offset) if problem.what.startswith(_UNKNOWN) else None
            if word is not None and word.group() not in unknown and len(unknown) < _MOST_UNKNOWN:
                unknown.add(word.group())
                continue
            yield Use(path, text, problem=problem)
        return


def task_uses(node: Node | None, when: str | None, over: str | None, known: Collection[str]) -> Iterator[Use]:
    """What a task uses in its node's config and inputs, its condition, and the list that it loops over."""
    if node is not None:
        verbatim, conditions = _not_rendered(node)
        yield from template_uses(replaced(node.config, verbatim), ("config",), known)
        for path in conditions:
            yield from condition_uses(_text_at(node.config, path), ("config", *path), known)
        yield from template_uses(node.inputs, ("inputs",), known)
    if when is not None:
        yield from condition_uses(when, ("when",), known)
    if over is not None:
        yield from template_uses(over, ("loop", "over"), known)


def _not_rendered(node: Node) -> tuple[tuple[Path, ...], tuple[Path, ...]]:
    """Where no templates stand in the node's config, and where conditions do."""
    try:
        kind = registry.get(node.type)
    except (FlowhubError, ImportError):
        return (), ()
    return verbatim_paths(kind, node.config), condition_paths(kind, node.config)


def _text_at(values: Any, path: Path) -> str:
    for key in path:
        values = values[key]
    return str(values)


def used_nodes(uses: Iterable[Use], ids: Collection[str]) -> list[str]:
    """Which of the nodes ``ids`` are used, each once, in the order in which they are named."""
    names = (use.name.path[0] for use in uses if use.name is not None and use.name.path)
    return list(dict.fromkeys(name for name in names if name in ids))
