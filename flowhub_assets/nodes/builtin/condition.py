"""The kind condition: one of two ways on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from pydantic import Field

from flowhub_assets.nodes.sdk import Node, NodeConfig, NodeContext, NodeInput, NodeOutput


class Condition(Node):
    """Asks a condition, and takes the port `true` or `false`.

    An edge says at which port it begins: `{from: is-long, to: shorten, when: "true"}`, in quotes. What is not taken
    is skipped. Conditions are written in Python's words: `and`, `or`, `not`, `==`, `<`, `in`, arithmetic, and
    functions such as `len(x)`, `has(x)`, `default(x, 0)`, `startswith(x, 'a')`, `lower(x)`. They may also stand in
    `{{ }}`, and then have the filters of templates, too.

    **Errors**: a name or key that is not there, two values that cannot be compared, and a condition that gives
    anything but true or false: nothing is taken for true that is not. No retry follows.
    """

    name = "condition"
    category = "logic"
    primary = "result"
    ports = ("true", "false")
    example = """\
- id: is-large
  type: condition
  config:
    if: "default(trigger.body.count, 0) > 3"
"""

    class Config(NodeConfig):
        """The question."""

        if_: str | bool = Field(alias="if", description="The condition: fetch.output.count > 3 and not fetch.skipped.")

    class Input(NodeInput):
        """Nothing: the condition names its values itself."""

    class Output(NodeOutput):
        """The answer."""

        result: bool = Field(description="Whether the condition holds.")
        port: Literal["true", "false"] = Field(description="The port that is taken.")

    config: Config

    @classmethod
    def conditions_of(cls, config: Mapping[str, Any]) -> tuple[tuple[str | int, ...], ...]:
        """The condition."""
        return tuple((key,) for key in ("if", "if_") if key in config)

    async def execute(self, input: Input, context: NodeContext) -> Output:  # noqa: ARG002 - there is none
        """Asks."""
        asked = self.config.if_
        result = asked if isinstance(asked, bool) else context.holds(asked)
        return self.Output(result=result, port="true" if result else "false")
