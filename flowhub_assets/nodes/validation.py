"""What pydantic says about a node's values, told so that the writer of a pipeline can mend them."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from flowhub_assets.ir.spelling import did_you_mean, listed
from flowhub_assets.nodes.sdk import Node, NodeError, NodeModel

_MOST_TOLD = 5

Model = TypeVar("Model", bound=NodeModel)
Place = tuple[str | int, ...]


class InputRefused(NodeError):
    """What a node was given does not fit its Config or Input; another try would not fit either."""


class OutputRefused(NodeError):
    """What a node gave does not fit its Output."""


class Unfit(ValueError):
    """What a field's own rule says of a value, ``must ...``, and what to do about it."""

    def __init__(self, what: str, remedy: str) -> None:
        super().__init__(what)
        self.remedy = remedy


@dataclass(frozen=True)
class ValueProblem:
    """One value that does not fit: ``path`` leads to it from the model, as it is written in a pipeline file.

    ``what`` names the value's type, never the value, which may be a credential.
    """

    path: Place
    what: str
    remedy: str = ""


def split_values(
    kind: type[Node], config: Mapping[str, Any], inputs: Mapping[str, Any]
) -> tuple[dict[str, Any], dict[str, Any]]:
    """What goes into the kind's Config and what into its Input: all of it into Input where it has no Config."""
    if kind.Config is None:
        return {}, {**config, **inputs}
    return dict(config), dict(inputs)


def checked(model: type[Model], values: Mapping[str, Any], told_as: str) -> Model:
    """``values`` as a ``model``. Raises InputRefused naming each value that does not fit; ``told_as``: 'config'."""
    try:
        return model.model_validate(dict(values))
    except ValidationError as error:
        what, remedy = told(problems_of(model, error, values), told_as)
        raise InputRefused(what, remedy=remedy, retry=False) from None


def problems_in(model: type[NodeModel], values: Mapping[str, Any]) -> list[ValueProblem]:
    """What is wrong with ``values`` as a ``model``, in the model's order."""
    try:
        model.model_validate(dict(values))
    except ValidationError as error:
        return problems_of(model, error, values)
    return []


def problems_of(model: type[NodeModel], error: ValidationError, values: Any) -> list[ValueProblem]:
    """The problems that pydantic found in ``values``, one for each place, however many types a union tried there."""
    by_path: dict[Place, list[ErrorDetails]] = {}
    for one in error.errors(include_url=False):
        by_path.setdefault(_path(one, values), []).append(one)
    return [_problem(model, path, found) for path, found in by_path.items() if not _is_other_type(path, found, by_path)]


def _is_other_type(path: Place, found: Sequence[ErrorDetails], places: Iterable[Place]) -> bool:
    """Whether these only say that another type of a union does not fit, where one was looked into and has its own."""
    wrong_type = all(one["type"].endswith("_type") for one in found)
    return wrong_type and any(len(place) > len(path) and place[: len(path)] == path for place in places)


def told(problems: Sequence[ValueProblem], told_as: str) -> tuple[str, str]:
    """One sentence about all ``problems`` of a node's ``told_as`` (config or inputs), and one about what to do."""
    lines = [f"{path_text((told_as, *problem.path))} {problem.what}" for problem in problems[:_MOST_TOLD]]
    if len(problems) > _MOST_TOLD:
        lines.append(f"and {len(problems) - _MOST_TOLD} more")
    return "; ".join(lines), " ".join(dict.fromkeys(problem.remedy for problem in problems if problem.remedy))


def path_text(path: Iterable[str | int]) -> str:
    """``inputs.messages[0].role``"""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def type_text(value: Any) -> str:
    """What kind of JSON value it is; the value itself only where it is a number, true, false or null."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return f"{value:.15g}" if isinstance(value, float) or value.bit_length() < 64 else "a number"
    if isinstance(value, str):
        return "text" if value else "empty text"
    if isinstance(value, (list, tuple)):
        return "a list" if value else "an empty list"
    return "an object" if isinstance(value, Mapping) else f"a {type(value).__name__}"


def written_name(model: type[NodeModel], field: str) -> str:
    """How a pipeline file writes the ``field``: maxTokens."""
    return model.model_fields[field].alias or field


def _path(error: ErrorDetails, values: Any) -> Place:
    """Where it is in ``values``: pydantic puts names of types between the keys where it tried a union."""
    path: list[str | int] = []
    steps = list(error["loc"])
    for number, step in enumerate(steps):
        if _leads_on(values, step):
            values = values[step]
        elif not (error["type"] == "missing" and number == len(steps) - 1):
            continue
        path.append(step)
    return tuple(path)


def _leads_on(values: Any, step: str | int) -> bool:
    if isinstance(values, Mapping):
        return step in values
    return isinstance(values, (list, tuple)) and isinstance(step, int) and step < len(values)


def _problem(model: type[NodeModel], path: Place, found: list[ErrorDetails]) -> ValueProblem:
    first = found[0]
    if first["type"] == "missing":
        return ValueProblem(path, "is missing", f"Give {path_text(path)}{_described(model, path)}.")
    if first["type"] == "extra_forbidden":
        return ValueProblem(path, "is no field of this node", _fields_told(model, path))
    wanted = list(dict.fromkeys(_wanted(one) for one in found))
    if path:
        told_once = [wanted[0], *(one.removeprefix("must be ") for one in wanted[1:])]
        fits = " or ".join(told_once if wanted[0].startswith("must be ") else wanted)
        return ValueProblem(path, f"is {type_text(first['input'])}, but {fits}", _nearest(first))
    # A rule about several fields: that together they are an object is no news.
    what = " and ".join(one if one.startswith("must ") else f"is refused: {one}" for one in wanted)
    return ValueProblem(path, what, _nearest(first))


def _wanted(error: ErrorDetails) -> str:
    message = error["msg"].partition(", unable to parse")[0].partition(" or instance of")[0]
    rule = _RULE.fullmatch(message)
    if rule is None:
        return message.removeprefix("Value error, ").removeprefix("Assertion failed, ")
    wanted = rule[1]
    for technical, plain in _PLAIN_WORDS.items():
        wanted = wanted.replace(f"a valid {technical}", plain)
    return f"must {wanted}"


#: How pydantic says most rules: "Input should be ...", "List should have at most 2 items after validation, not 3".
_RULE = re.compile(r"[A-Z][\w ]* should (.+?)(?: after validation)?(?:, not \d+)?", re.DOTALL)
#: How pydantic names JSON's types, and how this project does.
_PLAIN_WORDS = {
    "string": "text",
    "integer": "a whole number",
    "boolean": "true or false",
    "dictionary": "an object",
    "list": "a list",
    "number": "a number",
}


def _nearest(error: ErrorDetails) -> str:
    given, raised = error["input"], error.get("ctx", {}).get("error")
    if isinstance(raised, Unfit):
        return raised.remedy
    if error["type"] not in ("literal_error", "enum") or not isinstance(given, str):
        return ""
    # Only what may stand there is told, never what does.
    return did_you_mean(given, re.findall(r"'([^']*)'", str(error.get("ctx", {}).get("expected", ""))))


def _fields_told(model: type[NodeModel], path: Place) -> str:
    if len(path) != 1:
        return ""
    fields = [written_name(model, field) for field in model.model_fields]
    near = did_you_mean(str(path[0]), fields)
    takes = f"the node takes {listed(fields)}." if fields else "the node takes nothing."
    return f"{path[0]}: {near or takes}"


def _described(model: type[NodeModel], path: Place) -> str:
    for field, info in model.model_fields.items():
        if len(path) == 1 and path[0] in (field, info.alias) and info.description:
            return f": {info.description.rstrip('.')}"
    return ""
