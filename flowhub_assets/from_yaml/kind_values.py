"""A node's config and inputs against the models of its kind, as far as no template stands in them."""

from __future__ import annotations

import re
from typing import Any

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.nodes.references import holds_template
from flowhub_assets.nodes.sdk import NodeModel
from flowhub_assets.nodes.validation import ValueProblem, path_text, problems_in, split_values
from flowhub_assets.nodes.verbatim import verbatim_fields

_EFFECT = "the node would fail when it starts"
#: What nodes.validation says of a key that a model does not have.
UNKNOWN = "is no field of this node"
_MISSING = "is missing"
_NAMES_A_VALUE = re.compile(r"(\w+(-\w+)*)(\.\w+)+|\$\w+")
_OTHER = {"config": "inputs", "inputs": "config"}


def check_values(entry: Entry) -> None:
    """Tells each value of ``entry`` that its kind does not take; what a template gives is known only when it runs."""
    kind = entry.kind
    if kind is None:
        return
    for_config, for_input = split_values(kind, entry.config, entry.inputs)
    if kind.Config is None:
        _check(entry, kind.Input, for_input, "inputs", None)
        return
    _check(entry, kind.Config, for_config, "config", kind.Input)
    _check(entry, kind.Input, for_input, "inputs", kind.Config)


def _names(model: type[NodeModel]) -> frozenset[str]:
    return frozenset(name for field, info in model.model_fields.items() for name in (field, info.alias or field))


def _check(
    entry: Entry, model: type[NodeModel], values: dict[str, Any], place: str, other: type[NodeModel] | None
) -> None:
    """``other``: what the kind takes in the other of the two places, where it may have been meant to stand."""
    beside = entry.inputs if place == "config" else entry.config
    for problem in problems_in(model, values):
        if problem.what == _MISSING and len(problem.path) == 1 and problem.path[0] in beside:
            continue  # it stands in the wrong place, which is told there
        if not _depends_on_template(model, values, problem):
            _tell(entry, problem, place, other)


def _tell(entry: Entry, problem: ValueProblem, place: str, other: type[NodeModel] | None) -> None:
    path = problem.path
    if path and path[0] in entry.config and path[0] not in entry.inputs:
        place = "config"  # a kind without Config reads its inputs from both
    written = (place, *path)
    remedy = problem.remedy.removeprefix(f"{path_text(path)}: ")
    if problem.what == UNKNOWN and len(path) == 1 and other is not None and path[0] in _names(other):
        remedy = f"move it under {_OTHER[place]}"
    value = _at(entry.config if place == "config" else entry.inputs, path)
    if not remedy and isinstance(value, str) and _NAMES_A_VALUE.fullmatch(value):
        remedy = f'write "{{{{{value}}}}}" if a template is meant'
    section = entry.section
    what = f"{path_text(written)} of {section.name} {problem.what}"
    at = (*section.path, *(written[:-1] if problem.what == _MISSING else written))
    section.report.tell(at, what, _EFFECT, remedy, key=problem.what == UNKNOWN)


def _depends_on_template(model: type[NodeModel], values: dict[str, Any], problem: ValueProblem) -> bool:
    """Whether the problem may be gone when templates are rendered: names, and what must be there, stay."""
    path = problem.path
    if problem.what == UNKNOWN or (path and path[0] in verbatim_fields(model)):
        return False
    parent = _at(values, path[:-1])
    if isinstance(parent, str):
        return True  # what the template gives is looked into
    return problem.what != _MISSING and holds_template(_at(values, path))


def _at(value: Any, path: tuple[str | int, ...]) -> Any:
    for part in path:
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return value if isinstance(value, str) else None
    return value
