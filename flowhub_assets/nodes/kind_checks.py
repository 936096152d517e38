"""What a class must have to be a kind of node: an ordered list of small checks."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from flowhub_assets.errors import DefinitionError
from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.execution import execution_of, place_of
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeInput, NodeModel, NodeOutput

RUN_ON = ("engine", "cpu", "gpu")

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_LONGEST_NAME = 63

#: What a template finds beside the fields of a node's output.
_TAKEN_FIELDS = ("error", "skipped")

#: What is wrong, and what to do about it.
Wrong = tuple[str, str]


def require_kind(kind: object) -> None:
    """Raises DefinitionError, at the class's own line, for the first thing that keeps it from being a kind of node."""
    if not (isinstance(kind, type) and issubclass(kind, Node)) or kind is Node:
        raise DefinitionError(
            f"{kind!r} is not a subclass of Node",
            effect="it cannot be registered as a kind of node",
            remedy="register the class itself, written as class MyNode(Node): ...",
        )
    for check in CHECKS:
        for what, remedy in check(kind):
            raise DefinitionError(
                what, where=place_of(kind), effect=f"{kind.__name__} is not registered", remedy=remedy
            )
    execution_of(kind)


def _name_is_kebab_case(kind: type[Node]) -> Iterator[Wrong]:
    name = getattr(kind, "name", None)
    if not isinstance(name, str):
        yield f"{kind.__name__} has no name", f'give it one: name = "{_kebab(kind.__name__)}"'
    elif not _NAME.fullmatch(name) or len(name) > _LONGEST_NAME:
        rule = f"small letters, digits and single hyphens, a letter first, at most {_LONGEST_NAME}"
        yield f"{kind.__name__} has the name {name!r}", f'use {rule}: name = "{_kebab(name)}"'


def _runs_somewhere(kind: type[Node]) -> Iterator[Wrong]:
    if kind.run_on not in RUN_ON:
        remedy = did_you_mean(str(kind.run_on), RUN_ON) or f"use one of {', '.join(RUN_ON)}"
        yield f"{kind.__name__} has run_on = {kind.run_on!r}", remedy


def _models_are_models(kind: type[Node]) -> Iterator[Wrong]:
    wanted: tuple[tuple[str, type[NodeModel]], ...] = (
        ("Input", NodeInput),
        ("Output", NodeOutput),
        ("Config", NodeConfig),
    )
    for name, base in wanted:
        model = getattr(kind, name)
        if name == "Config" and model is None:
            continue
        if not (isinstance(model, type) and issubclass(model, base)):
            yield f"{name} of {kind.__name__} is no {base.__name__}", f"write class {name}({base.__name__}): ..."


def _output_fields_are_free(kind: type[Node]) -> Iterator[Wrong]:
    for field in kind.Output.model_fields:
        if field in _TAKEN_FIELDS or (field == "output" and kind.primary != "output"):
            yield (
                f"Output of {kind.__name__} has a field {field!r}, which templates know as something else",
                'give the field another name, or set primary = "output"'
                if field == "output"
                else "give the field another name",
            )


def _primary_is_a_field(kind: type[Node]) -> Iterator[Wrong]:
    if kind.primary is not None and kind.primary not in kind.Output.model_fields:
        fields = list(kind.Output.model_fields)
        remedy = did_you_mean(str(kind.primary), fields) or f"name one of its fields: {listed(fields)}"
        yield f"{kind.__name__} has primary = {kind.primary!r}, which is no field of its Output", remedy


def _ports_have_a_field(kind: type[Node]) -> Iterator[Wrong]:
    ports: object = kind.ports
    if not (isinstance(ports, tuple) and all(isinstance(port, str) and port for port in ports)):
        yield f"{kind.__name__} has ports = {kind.ports!r}", 'write a tuple of names: ports = ("yes", "no")'
    elif decides(kind) and "port" not in kind.Output.model_fields:
        yield (
            f"{kind.__name__} has ports, but its Output has no field port",
            "add port: str to Output, and return the name of the chosen one in it",
        )


def decides(kind: type[Node]) -> bool:
    """Whether nodes of this kind choose a port."""
    return bool(kind.ports) or kind.ports_of.__func__ is not Node.ports_of.__func__  # type: ignore[attr-defined]


def _kebab(name: str) -> str:
    words = re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)
    text = "-".join(word.lower() for word in words)
    return text if _NAME.fullmatch(text) else "my-node"


CHECKS: tuple[Callable[[type[Node]], Iterator[Wrong]], ...] = (
    _name_is_kebab_case,
    _runs_somewhere,
    _models_are_models,
    _output_fields_are_free,
    _primary_is_a_field,
    _ports_have_a_field,
)
