"""Which names a node's templates and conditions use, and where in its values each stands."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from flowhub_assets.ir.pipeline import Node

if TYPE_CHECKING:
    from flowhub_assets.nodes.templates import Name, TemplateProblem

Path = tuple[str | int, ...]

#: What a text holds that is rendered.
_MARKS = ("{{", "{%", "{#")


@dataclass(frozen=True)
class Use:
    """``name`` is used, or ``problem`` is wrong, in the text at ``path`` of a node."""

    path: Path
    name: Name | None = None
    problem: TemplateProblem | None = None


def is_template(value: object) -> bool:
    """Whether ``value`` is a text that is rendered before the node gets it."""
    return isinstance(value, str) and any(mark in value for mark in _MARKS)


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
    from flowhub_assets.nodes.templates import template_names

    for place, text in templates_in(value, path):
        yield from _uses(template_names, text, place, known)


def condition_uses(text: str, path: Path, known: Collection[str]) -> Iterator[Use]:
    """What a condition uses."""
    from flowhub_assets.nodes.conditions import condition_names

    yield from _uses(condition_names, text, path, known)


def _uses(names_of: Any, text: str, path: Path, known: Collection[str]) -> Iterator[Use]:
    from flowhub_assets.nodes.templates import TemplateProblem  # most nodes have no templates

    try:
        for name in names_of(text, known):
            yield Use(path, name=name)
    except TemplateProblem as problem:
        yield Use(path, problem=problem)


def node_uses(node: Node, when: str | None, known: Collection[str]) -> Iterator[Use]:
    """What a node's config, inputs and condition use, in this order."""
    yield from template_uses(node.config, ("config",), known)
    yield from template_uses(node.inputs, ("inputs",), known)
    if when is not None:
        yield from condition_uses(when, ("when",), known)


def used_nodes(node: Node, when: str | None, ids: Collection[str], known: Collection[str]) -> list[str]:
    """Which of the nodes ``ids`` a node uses, each once, in the order in which it names them."""
    names = (use.name.path[0] for use in node_uses(node, when, known) if use.name is not None and use.name.path)
    return list(dict.fromkeys(name for name in names if name in ids))
