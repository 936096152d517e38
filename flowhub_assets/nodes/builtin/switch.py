"""The kind switch: one of several ways on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from pydantic import Field, field_validator

from flowhub_assets.nodes.expressions.limits import Budget
from flowhub_assets.nodes.expressions.operations import equal
from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeModel, NodeOutput
from flowhub_assets.nodes.validation import Unfit

#: The port that is taken when no case fits.
DEFAULT = "default"


class Case(NodeModel):
    """A case that a condition decides, or a value."""

    name: str = Field(min_length=1, description="The case's name: the port that is taken if it fits.")
    when: str | bool | None = Field(None, description="The condition for this case, as in a condition node.")
    equals: Any = Field(None, description="The value, or a list of values, that fit.")


class Switch(Node):
    """Takes the port of the first case that fits, and `default` if none does.

    A case in `cases` is its name and the value that fits, or a list of values of which any does: `{cat: 1, dog: [2,
    3]}`. Text and numbers are different, so `"1"` does not fit 1. Where a value is not enough, a case says
    `{when: condition}`, in the words of a condition node; `cases` may also be a list of `{name, when}` and
    `{name, equals}`. The cases are asked in their order, and those after the first that fits are not asked.

    An edge says at which port it begins: `{from: which, to: feed-cat, when: cat}`. What is not taken is skipped.

    **Errors**: as in condition, and a case that is called `default`. No retry follows.
    """

    name = "switch"
    category = "logic"
    primary = "case"
    ports = (DEFAULT,)
    example = """\
- id: which-language
  type: switch
  config:
    value: "{{trigger.body.language}}"
    cases:
      korean: ko
      english: [en, en-US, en-GB]
      unknown: {when: "len(trigger.body.language) > 10"}
"""

    class Config(NodeConfig):
        """The cases."""

        value: Any = Field(None, description="What is compared with the values of the cases.")
        cases: dict[str, Any] | list[Case] = Field(
            description="Each case's name, with its value, a list of values, or {when: condition}; or a list of cases."
        )

        @field_validator("cases", mode="before")
        @classmethod
        def _listed_cases_are_objects(cls, cases: object) -> object:
            if isinstance(cases, list) and not all(isinstance(case, Mapping) for case in cases):
                what = "must be an object with the value of each case, or a list of {name, when} and {name, equals}"
                raise Unfit(what, "Write cases: {a: 1, b: [2, 3]}, or cases: [{name: a, equals: 1}].")
            return cases

        @field_validator("cases")
        @classmethod
        def _names_differ(cls, cases: dict[str, Any] | list[Case]) -> dict[str, Any] | list[Case]:
            names = [case.name for case in cases] if isinstance(cases, list) else list(cases)
            twice = next((name for name in names if names.count(name) > 1), None)
            if twice is not None:
                raise ValueError(f"has two cases with the name {twice!r}, and a port belongs to one")
            if DEFAULT in names:
                raise ValueError(f"has a case with the name {DEFAULT!r}, which is the port when none fits")
            return cases

    class Input(NodeInput):
        """Nothing: the config names its values itself."""

    class Output(NodeOutput):
        """The choice."""

        case: str = Field(description="The name of the case that fits, or default.")
        port: str = Field(description="The port that is taken: the same.")
        value: Any = Field(description="The value that was compared.")

    config: Config

    @classmethod
    def ports_of(cls, config: Mapping[str, Any]) -> tuple[str, ...]:
        """The names of the cases, and default."""
        return (*dict.fromkeys(name for name, _, _ in _cases(config.get("cases"))), DEFAULT)

    @classmethod
    def conditions_of(cls, config: Mapping[str, Any]) -> tuple[tuple[str | int, ...], ...]:
        """The condition of each case that has one."""
        return tuple(("cases", key, "when") for _, key, case in _cases(config.get("cases")) if _asks(case))

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Asks the cases in their order."""
        given = self.config.cases
        cases = [case.model_dump(exclude_unset=True) for case in given] if isinstance(given, list) else given
        for name, _, case in _cases(cases):
            if self._fits(case, context):
                return self.Output(case=name, port=name, value=self.config.value)
        return self.Output(case=DEFAULT, port=DEFAULT, value=self.config.value)

    def _fits(self, case: Any, context: NodeContext) -> bool:
        if _asks(case):
            asked = case["when"]
            return asked if isinstance(asked, bool) else context.holds(asked)
        wanted = case["equals"] if isinstance(case, Mapping) and "name" in case and "equals" in case else case
        values = wanted if isinstance(wanted, list) else [wanted]
        return any(equal(Budget(), self.config.value, value) for value in values)


def _cases(cases: object) -> Iterator[tuple[str, str | int, Any]]:
    """(name, the key that leads to it, what is written) of each case that can be read."""
    if isinstance(cases, Mapping):
        for name, case in cases.items():
            if isinstance(name, str):
                yield name, name, case
    elif isinstance(cases, list):
        for number, case in enumerate(cases):
            if isinstance(case, Mapping) and isinstance(case.get("name"), str):
                yield case["name"], number, case


def _asks(case: object) -> bool:
    return isinstance(case, Mapping) and isinstance(case.get("when"), (str, bool)) and set(case) <= {"when", "name"}
