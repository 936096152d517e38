"""A node's config and inputs against the models of its kind, as far as no template stands in them."""

from __future__ import annotations

from typing import Any

from flowhub_assets.from_yaml.entries import Entry
from flowhub_assets.nodes.references import holds_template
from flowhub_assets.nodes.sdk import NodeModel
from flowhub_assets.nodes.validation import ValueProblem, problems_in, split_values
from flowhub_assets.nodes.verbatim import verbatim_fields

_EFFECT = "the node would fail when it starts"


def check_values(entry: Entry) -> None:
    """Tells each value of ``entry`` that its kind does not take; what a template gives is known only when it runs."""
    if entry.kind is None:
        return
    for_config, for_input = split_values(entry.kind, entry.config, entry.inputs)
    if entry.kind.Config is not None:
        _check(entry, entry.kind.Config, for_config, "config")
    _check(entry, entry.kind.Input, for_input, "inputs")


def _check(entry: Entry, model: type[NodeModel], values: dict[str, Any], place: str) -> None:
    for problem in problems_in(model, values):
        if not _depends_on_template(model, values, problem):
            section, path = entry.section, _written(entry, place, problem.path)
            missing = problem.what == "is missing"
            shown = ".".join(map(str, path))
            report_path = (*section.path, *(path[:-1] if missing else path))
            what = f"{shown} of {section.name} {problem.what}"
            remedy = problem.remedy.removeprefix(f"{path[-1]}: ")
            section.report.tell(report_path, what, _EFFECT, remedy, key=not missing and _is_key(problem))


def _written(entry: Entry, place: str, path: tuple[str | int, ...]) -> tuple[str | int, ...]:
    """A kind without Config reads its inputs from both; a problem stands where the value does."""
    in_config = bool(path) and path[0] in entry.config and path[0] not in entry.inputs
    return ("config" if in_config else place, *path) if place == "inputs" else (place, *path)


def _is_key(problem: ValueProblem) -> bool:
    return problem.what == "is no field of this node"


def _depends_on_template(model: type[NodeModel], values: dict[str, Any], problem: ValueProblem) -> bool:
    """Whether the problem may be gone when templates are rendered: names, and what must be there, stay."""
    if _is_key(problem):
        return False
    value: Any = values
    for number, part in enumerate(problem.path):
        if number == 1 and problem.path[0] in verbatim_fields(model):
            return False
        if isinstance(value, str):
            return True  # what the template gives is looked into
        try:
            value = value[part]
        except (KeyError, IndexError, TypeError):
            return False  # missing, and no template brings it
    if len(problem.path) == 1 and problem.path[0] in verbatim_fields(model):
        return False
    return holds_template(value)
